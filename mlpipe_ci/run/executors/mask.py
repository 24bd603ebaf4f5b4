"""Replaces secrets in a stream of bytes, also where one is split over two writes. Pure."""

from collections.abc import Iterable

STARS = b"***"
LEAST = 4
"""A line of a secret shorter than that is not masked alone: it would hide ordinary words."""


class Mask:
    """Masks some texts in what is fed to it. Holds back only what may be the start of a secret."""

    def __init__(self, secrets: Iterable[str]) -> None:
        whole = {secret.encode("utf-8", "surrogateescape") for secret in secrets}
        lines = {line.strip() for secret in whole for line in secret.splitlines()}
        words = {word for word in whole if word.strip()}
        words |= {line for line in lines if len(line) >= LEAST}
        self._words = sorted(words, key=len, reverse=True)
        self._pending = b""

    def feed(self, data: bytes) -> bytes:
        """The data as far as it can be shown, with what was withheld before."""
        if not self._words:
            return data
        data = self._masked(self._pending + data)
        keep = max((_overlap(data, word) for word in self._words), default=0)
        self._pending = data[len(data) - keep :]
        return data[: len(data) - keep]

    def flush(self) -> bytes:
        """What is left at the end."""
        rest, self._pending = self._pending, b""
        return rest

    def _masked(self, data: bytes) -> bytes:
        for word in self._words:
            data = data.replace(word, STARS)
        return data


def _overlap(data: bytes, word: bytes) -> int:
    """How many bytes at the end of `data` are the beginning of `word`."""
    for length in range(min(len(word) - 1, len(data)), 0, -1):
        if data.endswith(word[:length]):
            return length
    return 0
