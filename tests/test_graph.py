"""The graph: edges, and each way to print them."""

import json

from fakes import step, workflow

from mlpipe_ci.core.graph import Edge, edges
from mlpipe_ci.core.workflow import StepInstance
from mlpipe_ci.report.graph import FORMATS

PREP = step("prep", inputs=("raw",), outputs=("data/",))
FOREST = step(
    "train-forest",
    name="train (model=forest)",
    inputs=("data/x.csv",),
    outputs=("m/forest.pkl",),
    strategy=StepInstance(group="train", values=()),
)
LINEAR = step(
    "train-linear",
    inputs=("data/**",),
    outputs=("m/linear.pkl",),
    strategy=StepInstance(group="train", values=()),
)
EVALUATE = step("evaluate", inputs=("m/*.pkl",), metrics=("metrics.json",))
TELL = step("tell", inputs=("text",), outputs=("told",), needs=("train",))
FLOW = workflow(PREP, FOREST, LINEAR, EVALUATE, TELL)


def test_edges_come_from_paths_and_needs() -> None:
    assert edges(FLOW) == (
        Edge(before="prep", after="train-forest", kind="data", paths=("data/",)),
        Edge(before="prep", after="train-linear", kind="data", paths=("data/",)),
        Edge(before="train-forest", after="evaluate", kind="data", paths=("m/forest.pkl",)),
        Edge(before="train-linear", after="evaluate", kind="data", paths=("m/linear.pkl",)),
        Edge(before="train-forest", after="tell", kind="needs"),
        Edge(before="train-linear", after="tell", kind="needs"),
    )


def test_a_step_that_says_nothing_waits_for_all_and_all_wait_for_it() -> None:
    unknown = step("unknown")
    found = edges(workflow(PREP, step("b", inputs=("x",), outputs=("y",)), unknown, EVALUATE, TELL))
    assert [(e.before, e.after) for e in found if e.kind == "order"] == [
        ("prep", "unknown"),
        ("b", "unknown"),
        ("unknown", "evaluate"),
        ("unknown", "tell"),
    ]
    assert [e.after for e in edges(workflow(step("a"), step("b"), step("c")))] == ["b", "c"]


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


def test_json() -> None:
    found = json.loads(FORMATS["json"](FLOW, edges(FLOW)))
    assert found["steps"][0] == {
        "id": "prep",
        "name": "prep",
        "reads": ["raw"],
        "writes": ["data/"],
    }
    assert found["edges"][0]["paths"] == ["data/"]
