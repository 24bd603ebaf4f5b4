"""Durations in words and from words, and sizes from words. Pure."""

import re

MULTIPLES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def format_duration(seconds: float) -> str:
    """A duration in the unit that suits it: `0.04 s`, `4.2 s`, `41 min`, `3.2 h`, `5 days`."""
    minute, hour, day = 60, 3600, 86400
    if seconds < 10:  # noqa: PLR2004 - below ten seconds a tenth matters
        return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds:.2f} s"
    if seconds < 2 * minute:
        return f"{seconds:.0f} s"
    if seconds < 2 * hour:
        return f"{seconds / minute:.0f} min"
    return f"{seconds / hour:.1f} h" if seconds < 2 * day else f"{seconds / day:.0f} days"


def duration_seconds(text: str) -> float:
    """Seconds of a duration such as `90s`, `30m`, `1.5h`. Raises ValueError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h)", text.strip().lower())
    if not found:
        raise ValueError(text)
    return float(found[1]) * {"s": 1, "m": 60, "min": 60, "h": 3600}[found[2]]


def byte_count(text: str) -> int:
    """Bytes of a size such as `500M`, `20G` or `1.5T`. Raises ValueError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)B?", text.strip().upper())
    if not found:
        raise ValueError(text)
    return int(float(found[1]) * MULTIPLES[found[2]])
