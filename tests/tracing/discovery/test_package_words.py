"""What is said of a package that is another now."""

import pytest

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.tracing.discovery.package_words import describe_package


@pytest.mark.parametrize(
    ("what", "before", "now", "words"),
    [
        ("Python", "version:3.11.7", "version:3.12.0", "Python 3.11.7 → 3.12.0 (installed)"),
        ("six", "version:1.15 a", "version:1.16 b", "six 1.15 → 1.16 (installed)"),
        (
            "six",
            "version:1.16 a",
            "version:1.16 b",
            "six 1.16 was installed anew, with other files",
        ),
        ("six", "files:a", "files:b", "six was installed anew, with other files"),
        ("six", "version:1.16 a", "absent", "six is not installed any more in python"),
        ("*", "set:a", "set:b", "other packages are installed in python"),
        ("entry_points.txt", "set:a", "set:b", "packages in python offer other entry points"),
        ("?", "found:a|a b", "found:a/b.py|a b", "b.py is new in the packages of python"),
        ("?", "found:a/b.py|a b", "found:a|a b", "b.py is gone from the packages of python"),
        ("./x.pth", "bytes:a", "bytes:b", "x.pth in the packages of python changed"),
        ("./x.pth", "bytes:a", "absent", "x.pth in the packages of python is not there any more"),
    ],
)
def test_words(what: str, before: str, now: str, words: str) -> None:
    path = f"dist:python:{what}"
    pair = Input(path=path, digest=before), Input(path=path, digest=now)
    assert describe_package(*pair) == words
