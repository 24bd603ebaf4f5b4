"""Modules that the sources of a step name: which new file in a directory could be one. Pure."""

import re
from collections.abc import Iterable

from mlpipe_ci.core.regex import regex

STATEMENT = regex(
    r"""^[ \t"';]*(?:from[ \t]+[.\w]+[ \t]+import[ \t]*\([^)]*\)|(?:from|import)[ \t][^\n]*)""",
    re.MULTILINE,
)
INLINE = regex(r";[ \t]*((?:from|import)[ \t][^;\n]*)")
DYNAMIC = regex(r"import_module|__import__|pkgutil|importlib\.util|find_spec|entry_points")
WORD = regex(r"[^\W\d]\w*")
PLACE = regex(r"/lib(?:64)?/python\d\.\d+t?/(?:lib-dynload/|__pycache__/)?([^/.]+)")
SUFFIXES = (".py", ".pyc", ".so", ".pyd")


def modules_in(text: str) -> set[str] | None:
    """All names in the import statements of a source; None if it imports what only it knows."""
    if DYNAMIC.search(text):
        return None
    statements = [found[0] for found in STATEMENT.finditer(text)] + INLINE.findall(text)
    return {word for one in statements for word in WORD.findall(one)}


def could_be(name: str, wanted: Iterable[str]) -> bool:
    """True if a file or directory of this name could answer one of the imports."""
    return name.partition(".")[0] in wanted


def standard(paths: Iterable[str]) -> set[str]:
    """Names of the modules of Python's own library among files that were opened."""
    return {found[1] for path in paths if (found := PLACE.search(path))}
