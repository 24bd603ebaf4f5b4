"""Which new file could change what `make` does."""

import pytest

from mlpipe_ci.tracing.discovery.make_names import could_mean, is_makefile, words_of

PLAIN = "model.pkl: clean.csv train.py\n\tpython train.py\n"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("clean.csv", True),
        ("clean.csv.sh", True),
        ("model.c", True),
        ("train", True),
        ("RCS", True),
        ("s.model.pkl", True),
        ("README.md", False),
        ("other.csv", False),
    ],
)
def test_a_name_with_the_stem_of_a_word(name: str, meant: bool) -> None:
    wanted = words_of(["make model.pkl", PLAIN])
    assert wanted is not None
    assert could_mean(name, frozenset(wanted.split())) == meant


@pytest.mark.parametrize(
    "more", ["%.o: %.c", "$(wildcard *.csv)", "a: *.csv", "$(shell ls)", "VPATH = x"]
)
def test_with_a_pattern_any_name_may_be_meant(more: str) -> None:
    assert words_of([PLAIN, more]) is None


def test_makefiles_by_their_names() -> None:
    found = [
        p
        for p in ("Makefile", "sub/makefile", "GNUmakefile", "rules.mk", "make.py", "Make")
        if is_makefile(p)
    ]
    assert found == ["Makefile", "sub/makefile", "GNUmakefile", "rules.mk"]
