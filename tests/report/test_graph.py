"""Each way to print the graph."""

import json

from mlpipe_ci.core.graph import edges
from mlpipe_ci.core.workflow import Step, StepInstance
from mlpipe_ci.report.graph import FORMATS
from tests.support.fakes import step, workflow
from tests.support.graph_workflow import FLOW


def test_text() -> None:
    assert FORMATS["text"](FLOW, edges(FLOW)).splitlines() == [
        "prep",
        "├── train (model=forest)",
        "│   ├── evaluate",
        "│   └── tell",
        "└── train-linear",
        "    ├── evaluate",
        "    └── tell",
    ]


def test_a_step_that_was_unfolded_is_not_unfolded_again() -> None:
    names = ["a", "b", "c", "d", "e"]
    reads = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "e": ("d",)}
    flow = workflow(*(step(n, inputs=("in", *reads[n]), outputs=(n,)) for n in names))
    assert FORMATS["text"](flow, edges(flow)).splitlines() == [
        "a",
        "├── b",
        "│   └── d",
        "│       └── e",
        "└── c",
        "    └── d ↑",
    ]


def test_a_thousand_steps_in_a_row_are_printed() -> None:
    flow = workflow(
        *(step(f"s{n}", inputs=(f"d{n}",), outputs=(f"d{n + 1}",)) for n in range(1000))
    )
    assert len(FORMATS["text"](flow, edges(flow)).splitlines()) == 1000


def test_mermaid_and_dot_quote_what_is_not_theirs() -> None:
    odd = workflow(
        step("end", name='end "x" [y] `z` <b>', inputs=("a",), outputs=('o"ut.csv',)),
        step("after", inputs=('o"ut.csv',)),
        step("loose"),
    )
    assert FORMATS["mermaid"](odd, edges(odd)).splitlines() == [
        "flowchart TD",
        '  s0["end #34;x#34; #91;y#93; #96;z#96; #60;b#62;"]',
        '  s1["after"]',
        '  s2["loose"]',
        '  s0 -->|"o#34;ut.csv"| s1',
        "  s1 -.-> s2",
    ]
    dot = FORMATS["dot"](odd, edges(odd))
    assert '"end" [label="end \\"x\\" [y] `z` <b>"];' in dot
    assert '"end" -> "after" [label="o\\"ut.csv"];' in dot
    assert '"after" -> "loose" [style=dashed];' in dot


def test_items_of_one_step_are_one_node_but_in_json() -> None:
    def item(name: str, number: int, *reads: str) -> Step:
        shown = f"{number}.csv"
        own = StepInstance(group=name, values=(), shown=shown, each=f"data/{shown}")
        of = f"{name}-{number}"
        return step(of, name=f"{name} {shown}", inputs=reads, outputs=(f"{of}.txt",), strategy=own)

    clean = [item("clean", number, f"data/{number}.csv") for number in range(30)]
    score = [item("score", number, f"clean-{number}.txt") for number in range(30)]
    last = step("last", inputs=("score-*.txt",))
    flow = workflow(*clean, *score, last)
    assert FORMATS["text"](flow, edges(flow)).splitlines() == [
        "clean (30 items)",
        "└── score (30 items)",
        "    └── last",
    ]
    assert FORMATS["mermaid"](flow, edges(flow)).splitlines()[1:] == [
        '  s0["clean (30 items)"]',
        '  s1["score (30 items)"]',
        '  s2["last"]',
        '  s0 -->|"clean-0.txt #43;29"| s1',
        '  s1 -->|"score-0.txt #43;29"| s2',
    ]
    assert FORMATS["dot"](flow, edges(flow)).count("->") == 2
    assert len(json.loads(FORMATS["json"](flow, edges(flow)))["steps"]) == 61


def test_json() -> None:
    found = json.loads(FORMATS["json"](FLOW, edges(FLOW)))
    assert found["steps"][0] == {
        "id": "prep",
        "name": "prep",
        "reads": ["raw"],
        "writes": ["data/"],
    }
    assert found["edges"][0]["paths"] == ["data/"]
