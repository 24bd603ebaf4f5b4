"""Which outputs of a result name another directory."""

import pytest

from mlpipe_ci.core.place import PLACE, pattern_of, place_inputs, places_of
from mlpipe_ci.core.platform import platform_input

ROOT = b"/home/ada/wine"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"cwd: /home/ada/wine\n", True),
        (b'"/home/ada/wine/src/a.py"', True),
        (b"\x00/home/ada/wine\x00", True),
        (b"/home/ada/wine2/a", False),
        (b"/home/ada/wine-old", False),
        (b"/home/ada/wine.git", False),
        (b"/home/ada", False),
    ],
)
def test_the_path_itself_and_none_that_begins_like_it(text: bytes, named: bool) -> None:
    assert bool(pattern_of(ROOT).search(text)) == named


def test_marks_say_the_outputs_and_not_the_path() -> None:
    marks = place_inputs(["a.txt", "b/c.txt"], ROOT)
    assert [mark.path for mark in marks] == [f"{PLACE}a.txt", f"{PLACE}b/c.txt"]
    assert not any("wine" in mark.digest for mark in marks)
    found = (*marks, platform_input("Linux", "x86_64"))
    assert places_of(found, ROOT) == frozenset()
    assert places_of(found, b"/home/runner/work/wine") == {"a.txt", "b/c.txt"}
