"""Which names in a directory `make` could mean, by the words of its makefiles. Pure.

GNU make reads a directory once, and looks there for its targets, their prerequisites, and what its
built-in rules would make them of: all have the stem of a word that it was given.
"""

from collections.abc import Iterable

from mlpipe_ci.core.regex import regex

MAKE = "make:"
"""The first of the words that stand for `make`: no module has such a name."""
MAKEFILE = regex(r"(?:.*/)?(?:GNUmakefile|[mM]akefile|[^/]*\.mk)")
ANY = regex(r"wildcard|[%*?]|\$[({]shell|VPATH|vpath")
"""With one of these in a makefile any name may be meant."""
WORD = regex(r"[\w+-]+")
BUILT_IN = ("RCS", "SCCS", "s")
"""Stems of what the built-in rules for old version control look for."""


def is_makefile(path: str) -> bool:
    """True for a makefile, by its name."""
    return MAKEFILE.fullmatch(path) is not None


def words_of(texts: Iterable[str]) -> str | None:
    """The words of makefiles and of the command, after `make:`; None if any name may be meant."""
    found = set(BUILT_IN)
    for text in texts:
        if ANY.search(text):
            return None
        found.update(WORD.findall(text))
    return " ".join((MAKE, *sorted(found)))


def could_mean(name: str, wanted: Iterable[str]) -> bool:
    """True if a name has the stem of one of the words."""
    return any(part in wanted for part in (name, *_stems(name)))


def _stems(name: str) -> Iterable[str]:
    stem = name
    while stem:
        stem = stem.rpartition(".")[0]
        yield stem
