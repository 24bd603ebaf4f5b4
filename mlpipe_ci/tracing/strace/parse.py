"""The lines of strace's log: `process call(arguments) = result<path> error`."""

import re

from mlpipe_ci.core.regex import regex

LINE = regex(rb"(\d+) +(.*)", re.DOTALL)
BEGUN = regex(rb"(\w+)\((.*?),? *<unfinished \.\.\.>", re.DOTALL)
RESUMED = regex(rb"<\.\.\. (\w+) resumed>,? ?(.*)", re.DOTALL)
WHOLE = regex(rb"(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+|\?)(?:<(.*)>)?(?: (E\w+) \(.*\))?", re.DOTALL)
STRING = regex(rb'"((?:[^"\\]|\\.)*)"(\.\.\.)?', re.DOTALL)
HANDLE = regex(rb"(AT_FDCWD|-?\d+)<((?:[^<>\\]|\\.)*)>", re.DOTALL)
OF_DESCRIPTOR = b'>, "", {'
"""In what asks about an open file: it was seen when it was opened."""
ESCAPE = regex(rb"\\([0-7]{1,3}|x[0-9a-f]{2}|.)", re.DOTALL)
PLAIN = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"f": b"\f", b"a": b"\a", b"b": b"\b"}


class Calls:
    """Joins what strace reports in two lines, as another call came between.

    `begun`: the name and first arguments of the call that each process is in.
    """

    def __init__(self) -> None:
        self.begun: dict[bytes, tuple[bytes, bytes]] = {}

    def read(self, line: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes, bytes] | None:
        """Process, call, arguments, result, path of the result, error; None if it is no call."""
        found = LINE.fullmatch(line.rstrip(b"\n"))
        if not found or OF_DESCRIPTOR in line:
            return None
        process, text = found[1], found[2]
        if begun := BEGUN.fullmatch(text):
            self.begun[process] = begun[1], begun[2]
            return None
        if resumed := RESUMED.fullmatch(text):
            name, start = self.begun.pop(process, (resumed[1], b""))
            rest = resumed[2]
            text = name + b"(" + start + (b", " if rest[:1] != b")" else b"") + rest
        whole = WHOLE.fullmatch(text)
        return (process, whole[1], whole[2], whole[3], whole[4], whole[5]) if whole else None


def plain(text: bytes) -> bytes:
    """A string of strace without its escapes."""
    return ESCAPE.sub(_unescape, text) if b"\\" in text else text


def _unescape(found: "re.Match[bytes]") -> bytes:
    code = found[1]
    if code[:1] in b"01234567":
        return bytes([int(code, 8)])
    if code[:1] == b"x" and len(code) > 1:
        return bytes([int(code[1:], 16)])
    return PLAIN.get(code, code)
