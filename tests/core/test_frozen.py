"""Values that cannot be changed: made by name, compared by content."""

from dataclasses import FrozenInstanceError, field, replace

import pytest

from mlpipe_ci.core.frozen import frozen


@frozen
class Point:
    """What is tested."""

    x: int
    y: int = 2
    more: dict[str, int] = field(default_factory=dict)
    note: str = field(default="", compare=False)


def test_fields_are_given_by_name_and_the_rest_has_its_default() -> None:
    point = Point(x=1)
    assert (point.x, point.y, point.more, point.note) == (1, 2, {}, "")
    assert point.more is not Point(x=1).more


def test_values_are_compared_without_what_does_not_count() -> None:
    assert Point(x=1, note="a") == Point(x=1)
    assert Point(x=1) != Point(x=2)
    assert replace(Point(x=1), y=5) == Point(x=1, y=5)


@pytest.mark.parametrize("given", [{}, {"y": 1}, {"x": 1, "z": 1}, {"y": 1, "z": 1}])
def test_a_field_too_few_or_too_many_is_refused(given: dict[str, int]) -> None:
    with pytest.raises(TypeError, match=r"Point: missing, or no field of it: [xz]"):
        Point(**given)  # type: ignore[arg-type]


def test_nothing_can_be_changed() -> None:
    point = Point(x=1)
    with pytest.raises(FrozenInstanceError):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del point.x
    assert point.x == 1
