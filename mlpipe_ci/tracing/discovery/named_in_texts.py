"""Which names stand in the texts of a step, as whole words, however spelled."""

import os
import stat
from collections.abc import Iterable
from functools import lru_cache

MOST_TEXT = 4 << 20
"""Bytes of a file that is searched."""
START = 8 << 10
"""Bytes at the beginning of a file; one with a null byte in them is no text."""
BUDGET = 64 << 20
"""Bytes that are searched for one step."""
WORDS = bytes(
    ord(chr(code).lower()) if code < 128 and (chr(code).isalnum() or code == ord("_")) else 32  # noqa: PLR2004 - ASCII
    for code in range(256)
)
"""For `translate`: letters in lower case, and blanks for all that is in no name."""


class TextSearch:
    """Searches files; what was found in one is remembered as long as it is the same."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], frozenset[str]] = {}

    def named(self, names: Iterable[str], text: str, files: Iterable[str]) -> frozenset[str]:
        """Those of the names that stand in a text or in one of the files (full paths).

        All of them where the files have too many bytes to look through.
        """
        wanted = frozenset(names)
        found = _in(text.encode("utf-8", "surrogateescape"), wanted)
        left = BUDGET
        for path in files:
            if found == wanted:
                break
            try:
                state = os.stat(path)
            except OSError:
                continue
            if not stat.S_ISREG(state.st_mode) or state.st_size > MOST_TEXT:
                continue
            left -= state.st_size
            if left < 0:
                return wanted
            found |= self._in_file(path, state, wanted)
        return found

    def _in_file(self, path: str, state: os.stat_result, wanted: frozenset[str]) -> frozenset[str]:
        mark = (path, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns, wanted)
        known = self._found.get(mark)
        if known is None:
            known = self._found[mark] = _in(_text(path), wanted)
        return known


def _text(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            start = file.read(START)
            if b"\0" in start:
                return b""
            return start if len(start) < START else start + file.read(MOST_TEXT - START)
    except OSError:
        return b""


@lru_cache(16)
def _by_spelling(names: frozenset[str]) -> dict[bytes, set[str]]:
    """The names by how they are looked for: in lower case."""
    found: dict[bytes, set[str]] = {}
    for name in names:
        found.setdefault(os.fsencode(name.lower()), set()).add(name)
    return found


def _in(data: bytes, wanted: frozenset[str]) -> frozenset[str]:
    if not data or not wanted:
        return frozenset()
    names = _by_spelling(wanted)
    words = set(data.translate(WORDS).split())
    if b"\\" in data:  # in JSON, as of a notebook, `\n` stands before the first word of a line
        words.update(data.replace(b"\\n", b" ").replace(b"\\t", b" ").translate(WORDS).split())
    begins = _prefixes(data, words)
    spelled = {word for word in words if word in names}
    if begins:
        spelled.update(text for text in names if text.startswith(begins))
    return frozenset(name for text in spelled for name in names[text])


def _prefixes(data: bytes, words: set[bytes]) -> tuple[bytes, ...]:
    """Words that names may begin with: `app_` (pydantic's `env_prefix`); and each word, with a `_`,
    of a text that speaks of a prefix (click's `auto_envvar_prefix`).
    """
    found = [word for word in words if word.endswith(b"_") and len(word.strip(b"_")) > 1]
    if b"envvar_prefix" in data.lower():
        found += [word + b"_" for word in words if word.isalpha()]
    return tuple(found)
