"""Series: what is chosen, counted and thinned."""

from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.metrics.plots.series import Thinned
from tests.support.plot_tables import drawn


def test_what_is_not_named_is_chosen() -> None:
    series, _ = drawn("a.csv", b"name,a,b\nx,1,2\ny,3,nan\n")
    assert [(one.name, one.points) for one in series] == [
        ("a", ((0, 1.0), (1, 3.0))),
        ("b", ((0, 2.0),)),
    ]
    (one,), _ = drawn("a.csv", b"name,a\nx,1\ny,3\n", x="name", kind="bar")
    assert one.points == (("x", 1.0), ("y", 3.0))


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
