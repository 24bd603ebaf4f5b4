"""Tables of plots: every format gives the same points; faults are named."""

import pytest

from mlpipe_ci.metrics.plots.tables import PlotError
from tests.support.plot_tables import FILES, drawn, parquet_bytes


@pytest.mark.parametrize("name", [*FILES, "a.parquet"])
def test_each_kind_of_table_gives_the_same_points(name: str) -> None:
    data = FILES.get(name) or parquet_bytes()
    (one,), cut = drawn(name, data, x="x", y=("y",))
    assert (one.points, cut) == (((1.0, 2.5), (2.0, 3.5)), ())


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


def test_a_column_without_a_name_is_called_by_its_number() -> None:
    """As pandas writes its index."""
    data = b",loss\n5,0.5\n6,0.25\n"
    (one,), _ = drawn("a.csv", data)
    assert (one.name, one.points) == ("loss", ((0, 0.5), (1, 0.25)))
    (one,), _ = drawn("a.csv", data, x="column 1", y=("loss",))
    assert one.points == ((5.0, 0.5), (6.0, 0.25))
    (one,), _ = drawn("a.csv", b",\n1,2\n", y=("column 2",))
    assert one.points == ((0, 2.0),)
    with pytest.raises(PlotError, match="no column 'z'; it has column 1, loss"):
        drawn("a.csv", data, y=("z",))
