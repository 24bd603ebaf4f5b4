"""What is told as one: items that ended alike, and what was reused."""

from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.core.graph import Edge
from mlpipe_ci.core.run import GateResult, Measurements, Run, Status, StepOutcome
from mlpipe_ci.core.workflow import StepInstance
from mlpipe_ci.report import fold
from mlpipe_ci.report.graph import coloured
from tests.support.fakes import step
from tests.support.sample_runs import run_of

MISSED = Measurements(gates=(GateResult(gate="metrics.auc > 0.9", passed=False),))


def item(number: int, status: Status = Status.SUCCEEDED, *, missed: bool = False) -> StepOutcome:
    shown = f"data/{number}.csv"
    own = StepInstance(group="score", values=(), shown=shown, each=shown)
    one = step(f"score-{number}", name=f"score {shown}", strategy=own)
    measured = MISSED if missed else Measurements()
    return StepOutcome(step=one, status=status, measured=measured)


def plain(name: str, status: Status = Status.SUCCEEDED, *, missed: bool = False) -> StepOutcome:
    measured = MISSED if missed else Measurements()
    return StepOutcome(step=step(name), status=status, measured=measured)


def data(*pairs: str) -> tuple[Edge, ...]:
    return tuple(
        Edge(before=one, after=other, kind="data") for one, other in (p.split(">") for p in pairs)
    )


def test_items_that_ended_alike_are_one_and_one_that_failed_stands_alone() -> None:
    outcomes = [item(n) for n in range(30)]
    outcomes[7], outcomes[9] = item(7, Status.FAILED), item(9, missed=True)
    found = fold.folds(outcomes)
    assert [(one.name, one.kind, len(one.outcomes)) for one in found] == [
        ("score (28 items)", "succeeded", 28),
        ("score data/7.csv", "failed", 1),
        ("score data/9.csv", "failed", 1),
    ]


def test_two_are_not_many() -> None:
    assert len(fold.folds([item(1), item(2)])) == 2


def test_reused_steps_are_one_row_with_each_of_them_in_it() -> None:
    run = run_of(*(plain(n, Status.REUSED) for n in "abc"), plain("d"), item(1, Status.REUSED))
    told, reused = fold.rows(run)
    assert [one.name for one in told] == ["d"]
    assert [one.name for one in reused] == ["a", "b", "c", "score data/1.csv"]
    few = run_of(plain("a", Status.REUSED), plain("d"))
    assert ([one.name for one in fold.rows(few)[0]], fold.rows(few)[1]) == (["a", "d"], [])


def graph(*outcomes: StepOutcome, edges: tuple[Edge, ...]) -> tuple[list[str], list[str]]:
    nodes, found = fold.graph(run_of(*outcomes, edges=edges))
    names = [node.name for node in nodes]
    return names, [f"{names[before]}>{names[after]}" for before, after, _ in found]


def test_what_was_reused_before_all_else_is_one_node() -> None:
    early = [plain(name, Status.REUSED) for name in "abc"]
    edges = data("a>b", "b>c", "c>d", "d>e")
    names, found = graph(*early, plain("d"), plain("e", Status.REUSED), edges=edges)
    assert names == ["3 reused: a, b, c", "d", "e"], "what was reused after it shows where"
    assert found == ["3 reused: a, b, c>d", "d>e"]


def test_where_all_is_reused_the_graph_is_as_it_is() -> None:
    names, found = graph(*(plain(n, Status.REUSED) for n in "abc"), edges=data("a>b", "b>c"))
    assert (names, found) == (["a", "b", "c"], ["a>b", "b>c"])


def test_forty_steps_are_a_graph_of_four_nodes() -> None:
    outcomes = [plain("a"), *map(item, range(38)), item(38, Status.FAILED), plain("z")]
    ids = [f"score-{n}" for n in range(39)]
    edges = data(*(f"a>{one}" for one in ids), *(f"{one}>z" for one in ids))
    names, found = graph(*outcomes, edges=edges)
    assert names == ["a", "score (38 items)", "score data/38.csv", "z"]
    assert len(found) == 4


def test_a_step_that_missed_a_gate_is_red_in_the_graph() -> None:
    run = run_of(plain("a"), plain("b", missed=True), edges=data("a>b"))
    assert "class s1 failed" in coloured(run)
    assert "class s0 succeeded" in coloured(run)


statuses = st.sampled_from(list(Status))


@st.composite
def runs(draw: st.DrawFn) -> Run:
    outcomes = []
    for number in range(draw(st.integers(2, 12))):
        is_item, status = draw(st.booleans()), draw(statuses)
        outcomes.append(item(number, status) if is_item else plain(f"s{number}", status))
    ids = [one.step.id for one in outcomes]
    pairs = [(a, b) for at, a in enumerate(ids) for b in ids[at + 1 :]]
    chosen = draw(st.lists(st.sampled_from(pairs), max_size=20, unique=True))
    kinds = st.sampled_from(["data", "order"])
    edges = tuple(Edge(before=a, after=b, kind=draw(kinds)) for a, b in chosen)
    return run_of(*outcomes, edges=edges)


@given(runs())
def test_no_step_is_lost_and_nothing_runs_in_circles(run: Run) -> None:
    nodes, edges = fold.graph(run)
    there = [one.step.id for node in nodes for one in node.outcomes]
    assert sorted(there) == sorted(one.step.id for one in run.outcomes)
    assert all(before < after for before, after, _ in edges)
    assert all(len(node.outcomes) == 1 for node in nodes if node.kind == "failed")
    told, reused = fold.rows(run)
    rows = [one.step.id for row in (*told, *reused) for one in row.outcomes]
    assert sorted(rows) == sorted(there)
