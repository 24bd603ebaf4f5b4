"""Looks for the time of a run in what it wrote: as text, as a binary number, as pickle has it."""

import struct
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from mlpipe_ci.audit.compare.pickles import DATETIME_BYTES, datetime_words, opened
from mlpipe_ci.audit.compare.values import UnreadableError, content
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.regex import regex

DIGITS = regex(rb"(?<![\d.])1\d{9}(?:\.\d+)?(?!\d)|(?<!\d)1\d{12}(?!\d)|(?<!\d)1\d{18}(?!\d)")
ISO = regex(rb"(\d{4})[-/]?(\d\d)[-/]?(\d\d)[T _-]?(\d\d)[:-]?(\d\d)(?:[:-]?(\d\d))?")
NAMED = regex(rb"([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) (\d{4})")
DAY = regex(rb"(?<!\d)(\d{4})-(\d\d)-(\d\d)(?!\d)")
MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
UNITS = {10: 1.0, 13: 1e3, 19: 1e9}
"""Seconds, milliseconds and nanoseconds since 1970 by their number of digits."""
SLACK = 2.0
LEAST_PREFIX = 3
LONGEST, HEADER = 600, 1 << 16
"""Seconds and bytes: in more of either, four bytes would be found by chance."""
Seen = tuple[int, str]
"""Where a time stands in a file, and how it reads."""


@frozen
class Window:
    """From when to when a run went, in seconds since 1970."""

    start: float
    end: float

    def has(self, moment: float) -> bool:
        """True for a time in it, or just beside it."""
        return self.start - SLACK <= moment <= self.end + SLACK


def same_stamp(old: Path, new: Path, then: Window, now: Window) -> str:
    """Words for the time of the run in both files, each its own; empty if it is not in both."""
    try:
        before, after = opened(content(old)), opened(content(new))
    except (UnreadableError, OSError):
        return ""
    for find in (_texts, _named, _numbers, _pickled, _big, _little, _seconds, _days):
        was, is_now = next(find(before, then), None), next(find(after, now), None)
        if was and is_now and was[1] != is_now[1]:
            return f"the time of the run is in it ({was[1]} → {is_now[1]}, at byte {is_now[0]:,})"
    return ""


def _zones() -> tuple[tzinfo | None, ...]:
    return (UTC, None)


def _moments(parts: tuple[int, ...]) -> Iterator[float]:
    for zone in _zones():
        try:
            yield datetime(*parts, tzinfo=zone).timestamp()  # type: ignore[arg-type,misc]
        except (ValueError, OverflowError, OSError):
            return


def _texts(data: bytes, window: Window) -> Iterator[Seen]:
    for found in ISO.finditer(data):
        parts = tuple(int(part or 0) for part in found.groups())
        late = 60.0 if found[6] is None else 0.0
        if any(window.has(m) or window.has(m + late) for m in _moments(parts)):
            yield found.start(), found[0].decode("ascii")


def _named(data: bytes, window: Window) -> Iterator[Seen]:
    for found in NAMED.finditer(data):
        name = found[1].decode("ascii")
        if name in MONTHS:
            day, hour, minute, second, year = (int(one) for one in found.groups()[1:])
            parts = (year, MONTHS.index(name) + 1, day, hour, minute, second)
            if any(map(window.has, _moments(parts))):
                yield found.start(), found[0].decode("ascii")


def _numbers(data: bytes, window: Window) -> Iterator[Seen]:
    for found in DIGITS.finditer(data):
        whole = found[0].partition(b".")[0]
        if window.has(float(found[0]) / UNITS[len(whole)]):
            yield found.start(), found[0].decode("ascii")


def _days(data: bytes, window: Window) -> Iterator[Seen]:
    """Dates alone: those of the days in which the run was."""
    days = {
        time.strftime("%Y-%m-%d", read(moment))
        for moment in (window.start, window.end)
        for read in (time.gmtime, time.localtime)
    }
    for found in DAY.finditer(data):
        if found[0].decode("ascii") in days:
            yield found.start(), found[0].decode("ascii")


def _pickled(data: bytes, window: Window) -> Iterator[Seen]:
    """As `datetime` pickles itself: two bytes for the year, one for each of the rest."""
    heads = {
        struct.pack(">HBB", read(moment).tm_year, read(moment).tm_mon, read(moment).tm_mday)
        for moment in (window.start, window.end)
        for read in (time.gmtime, time.localtime)
    }
    for head in heads:
        for at in _places(data, head):
            words = datetime_words(data[at : at + DATETIME_BYTES])
            if words and next(_texts(words.encode("ascii"), window), None):
                yield at, words


def _big(data: bytes, window: Window) -> Iterator[Seen]:
    yield from _packed(data, window, ">d", lambda packed, prefix: packed.startswith(prefix))


def _little(data: bytes, window: Window) -> Iterator[Seen]:
    yield from _packed(data, window, "<d", lambda packed, prefix: packed.endswith(prefix))


def _packed(
    data: bytes, window: Window, form: str, fits: Callable[[bytes, bytes], bool]
) -> Iterator[Seen]:
    """Seconds since 1970 as a 64-bit number: all of a window begin (or end) with the same bytes."""
    one, other = struct.pack(">d", window.start - SLACK), struct.pack(">d", window.end + SLACK)
    length = next((n for n in range(8) if one[n] != other[n]), 8)
    if length < LEAST_PREFIX:
        return
    prefix = one[:length] if form == ">d" else one[:length][::-1]
    back = 0 if form == ">d" else 8 - length
    for at in _places(data, prefix):
        packed = data[at - back : at - back + 8] if at >= back else b""
        if len(packed) == 8 and fits(packed, prefix):  # noqa: PLR2004 - a double
            moment = struct.unpack(form, packed)[0]
            if window.has(moment):
                yield at - back, f"{moment:.3f} s since 1970"


def _seconds(data: bytes, window: Window) -> Iterator[Seen]:
    """Whole seconds since 1970 in four bytes of a header, as gzip and many others have them."""
    first, last = int(window.start - SLACK), int(window.end + SLACK)
    if last - first > LONGEST:
        return
    for moment in range(first, last + 1):
        at = data.find(struct.pack("<I", moment), 0, HEADER)
        if at >= 0:
            yield at, f"{moment} s since 1970"


def _places(data: bytes, wanted: bytes) -> Iterator[int]:
    at = data.find(wanted)
    while at >= 0:
        yield at
        at = data.find(wanted, at + 1)
