"""Plots: tables of any size become a few points; what is wrong is a note, never a failure."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from conftest import Repo
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from mlpipe_ci.core.plot_data import PlotData
from mlpipe_ci.core.run import Status, StepOutcome
from mlpipe_ci.core.workflow import Plot, Step
from mlpipe_ci.metrics.plots.build import PlotBuilder
from mlpipe_ci.metrics.plots.series import Thinned, drawn_series
from mlpipe_ci.metrics.plots.tables import PlotError, rows
from mlpipe_ci.metrics.plots.vega import pictures, specification
from mlpipe_ci.report.plots import resampled

TABLE = [{"x": 1, "y": 2.5}, {"x": 2, "y": 3.5}]
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def parquet_bytes() -> bytes:
    out = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(TABLE), out)
    return out.getvalue()


FILES = {
    "a.csv": b"x,y\n1,2.5\n2,3.5\n",
    "a.tsv": b"x\ty\n1\t2.5\n2\t3.5\n",
    "a.json": json.dumps(TABLE).encode(),
    "b.json": b'{"x": [1, 2], "y": [2.5, 3.5], "n": 2}',
}


def drawn(name: str, data: bytes, side: str = "here", most: int = 100, **more: Any) -> Any:
    kind = more.pop("kind", "line")
    table = rows(io.BytesIO(data), name, len(data))
    return drawn_series(Plot(path=name, **more), kind, table, side, most)


@pytest.mark.parametrize("name", [*FILES, "a.parquet"])
def test_each_kind_of_table_gives_the_same_points(name: str) -> None:
    data = FILES.get(name) or parquet_bytes()
    (one,), cut = drawn(name, data, x="x", y=("y",))
    assert (one.points, cut) == (((1.0, 2.5), (2.0, 3.5)), ())


def test_what_is_not_named_is_chosen() -> None:
    series, _ = drawn("a.csv", b"name,a,b\nx,1,2\ny,3,nan\n")
    assert [(one.name, one.points) for one in series] == [
        ("a", ((0, 1.0), (1, 3.0))),
        ("b", ((0, 2.0),)),
    ]
    (one,), _ = drawn("a.csv", b"name,a\nx,1\ny,3\n", x="name", kind="bar")
    assert one.points == (("x", 1.0), ("y", 3.0))


FAULTS = {
    b"": "it has no rows",
    b"a,b\n": "it has no rows",
    b"a,b\nx,y\n": "no column of numbers",
}


@pytest.mark.parametrize("data", FAULTS)
def test_a_table_with_nothing_to_draw(data: bytes) -> None:
    with pytest.raises(PlotError, match=FAULTS[data]):
        drawn("a.csv", data)


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(PlotError, match="no column 'z'; it has x, y"):
        drawn("a.csv", FILES["a.csv"], y=("z",))
    with pytest.raises(PlotError, match="no column 'actual'"):
        drawn("a.csv", FILES["a.csv"], kind="confusion")


@pytest.mark.parametrize("data", [b"{", b"[" * 100_000, b"7", b"\xff"])
def test_broken_json(data: bytes) -> None:
    with pytest.raises(PlotError):
        drawn("a.json", data)


@given(st.integers(0, 5000), st.integers(2, 50))
def test_thinning_keeps_the_ends_and_the_order(count: int, most: int) -> None:
    kept: Thinned[int] = Thinned(most)
    for number in range(count):
        kept.add(number)
    points = kept.points()
    assert len(points) <= most + 1
    assert list(points) == sorted(set(points))
    assert points[:1] == (0,) * bool(count)
    assert points[-1:] == ((count - 1,) if count else ())
    assert kept.count == count


def test_histograms_and_confusion_matrices_count() -> None:
    data = "v\n" + "".join(f"{n % 10}\n" for n in range(1000))
    (one,), _ = drawn("a.csv", data.encode(), kind="histogram", x="v")
    assert sum(y for _, y in one.points) == 1000
    pairs = b"actual,predicted\na,a\na,b\nb,b\nb,b\n"
    (one,), _ = drawn("a.csv", pairs, kind="confusion")
    assert dict(one.points) == {"a \u2192 a": 1, "a \u2192 b": 1, "b \u2192 a": 0, "b \u2192 b": 2}


def test_100_mb_are_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "big.csv"
    with path.open("w") as file:
        file.write("epoch,loss\n")
        for block in range(100):
            file.write("".join(f"{block * 9000 + n},0.1234567890123456789\n" for n in range(9000)))
    outcome = StepOutcome(
        step=Step(id="e", name="e", run="e", plots=(Plot(path="big.csv", x="epoch"),)),
        status=Status.SUCCEEDED,
    )
    (plot,) = PlotBuilder(tmp_path, None, 1, 1 << 30).plots_of(outcome)
    assert len(plot.series[0].points) <= 401
    assert plot.series[0].points[-1][0] == 899_999
    assert "of 900,000 points" in plot.notes[0]
    (plot,) = PlotBuilder(tmp_path, None, 1, 1 << 20).plots_of(outcome)
    assert "--html draws it" in plot.notes[0]


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), max_size=80))
def test_resampled_values_stay_within_the_range(points: list[tuple[float, float]]) -> None:
    values = resampled(tuple(points))
    assert len(values) <= 24
    for value in values:
        low, high = min(y for _, y in points), max(y for _, y in points)
        assert low - 1e-3 <= value <= high + 1e-3


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


ODD = {
    "gone.csv": "it is not here",
    "a.txt": "no picture",
    "big.png": "is left out",
}


@pytest.mark.parametrize("name", ODD)
def test_what_cannot_be_drawn_is_a_note(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "big.png").write_bytes(b"x" * 600_000)
    kind = None if name.endswith("csv") else "image"
    step = Step(id="e", name="e", run="e", plots=(Plot(path=name, kind=kind),))
    outcome = StepOutcome(step=step, status=Status.SUCCEEDED)
    (plot,) = PlotBuilder(tmp_path, None, 1, 1 << 30).plots_of(outcome)
    assert ODD[name] in plot.notes[0]
    assert plot.series == ()


def flow() -> str:
    plots = [
        {"path": "roc.csv", "x": "fpr", "y": "tpr", "title": "ROC | <b>"},
        {"path": "pairs.csv", "kind": "confusion"},
        "picture.png",
    ]
    run = (
        "cp picture.src picture.png;"
        "printf 'fpr,tpr\\n0,0\\n0.5,0.%s\\n1,1\\n' $(cat in) > roc.csv;"
        "printf 'actual,predicted\\nyes,no\\nyes,yes\\n' > pairs.csv"
    )
    one = {"name": "e", "run": run, "inputs": ["in"], "plots": plots}
    return json.dumps({"steps": [one]})


def test_the_report_shows_head_over_base(repo: Repo) -> None:
    ignored = "roc.csv\npairs.csv\npicture.png\n"
    repo.commit({"mlpipe.yml": flow(), "in": "7", "picture.src": PNG, ".gitignore": ignored})
    repo.mlpipe("run")
    repo.write({"in": "9"})
    repo.mlpipe("run", "--html", "r.html", "--report", "r.json")
    told = json.loads(repo.read("r.json"))["steps"][0]["plots"]
    roc = {one["side"]: one["points"][1] for one in told[0]["series"]}
    assert roc == {"here": [0.5, 0.9], "base": [0.5, 0.7]}
    assert told[2]["picture"] == told[2]["base_picture"]
    page = repo.read("r.html")
    assert page.count("<img ") == 4
    text = repo.mlpipe("report", "r.json").stdout
    assert "<summary>3 plots</summary>" in text
    assert "xychart-beta" in text
    assert "| here: actual ↓ | <code>no</code> | <code>yes</code> |" in text
    repo.git("clean", "-qfdX")
    repo.mlpipe("run", "--outputs", "needed", "--report", "again.json")
    again = json.loads(repo.read("again.json"))["steps"][0]["plots"]
    assert again[0]["series"] == told[0]["series"], "of a reused step too, from the cache"
