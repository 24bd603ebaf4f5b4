"""The graph: which edges follow from paths and needs."""

from mlpipe_ci.core.graph import Edge, edges
from tests.support.fakes import step, workflow
from tests.support.graph_workflow import EVALUATE, FLOW, PREP, TELL


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
