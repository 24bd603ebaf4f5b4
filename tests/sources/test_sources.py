"""Names of downloaded files that must not meet or lead elsewhere."""

import pytest

from mlpipe_ci.sources.sources import _collision, _path_fault


@pytest.mark.parametrize(
    "path", ["d/../x", "/x", "d//x", "d/.git/x", "d/a\nb", "../x", "d/./x", ""]
)
def test_a_name_that_leads_elsewhere(path: str) -> None:
    assert _path_fault(path)


def test_names_that_cannot_lie_side_by_side() -> None:
    assert _collision(["a", "a"])
    assert "'d' is an object, and holds 'd/e/f'" in _collision(["d", "d/e/f"])
    assert _collision(["a", "ab", "b/c", "b/d"]) == ""
