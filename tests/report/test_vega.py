"""Pictures of plots."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from mlpipe_ci.core.plot_data import PlotData
from mlpipe_ci.core.run import Status, StepOutcome
from mlpipe_ci.core.workflow import Plot, Step
from mlpipe_ci.metrics.plots.build import PlotBuilder
from mlpipe_ci.report.vega import pictures, specification
from tests.support.plot_tables import FILES, drawn

KINDS = ("line", "scatter", "bar", "histogram", "confusion")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_becomes_a_picture_with_head_over_base(kind: str) -> None:
    data = b"actual,predicted\na,a\na,b\n" if kind == "confusion" else FILES["a.csv"]
    more: dict[str, Any] = (
        {} if kind == "confusion" else {"x": "x", "y": ("y",) if kind != "histogram" else ()}
    )
    series = [*drawn("a.csv", data, "here", kind=kind, **more)[0]]
    series += drawn("a.csv", data, "base", kind=kind, **more)[0]
    plot = PlotData(path="a.csv", kind=kind, title="T <b>", series=tuple(series))
    found, why = pictures((plot,))
    assert why == ""
    svg = base64.b64decode(found["a.csv"].partition(",")[2]).decode()
    assert svg.startswith("<svg")
    assert "NaN" not in svg
    assert ("here" in svg, "base" in svg) == (True, True)


def test_a_specification_of_ones_own_gets_the_rows_and_fetches_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(FILES["a.csv"])
    own = {"mark": "area", "encoding": {"x": {"field": "x"}, "y": {"field": "y"}}}
    (tmp_path / "own.json").write_text(json.dumps(own))
    step = Step(id="e", name="e", run="e", plots=(Plot(path="a.csv", spec="own.json"),))
    outcome = StepOutcome(step=step, status=Status.SUCCEEDED)
    (plot,) = PlotBuilder(tmp_path, None, 1, 1 << 30).plots_of(outcome)
    assert specification(plot)["data"]["values"][0] == {"x": "1", "y": "2.5", "side": "here"}
    assert pictures((plot,))[1] == ""
    away = own | {"layer": [{"data": {"url": "http://127.0.0.1:9/x.csv"}, "mark": "line"}]}
    bad = PlotData(path="a.csv", kind="line", title="t", spec=json.dumps(away))
    found, why = pictures((bad,))
    assert found == {}
    assert "a.csv: " in why
