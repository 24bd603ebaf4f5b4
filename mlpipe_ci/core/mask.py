"""Replaces secrets in all that leaves a run: in texts, in values, and in a stream of bytes. Pure.

A secret is found as it is, and as programs print it: URL-encoded, as in JSON, XML or a Python
literal, in base64 (alone, or within a longer text, whose lines may be broken anywhere), and each
line of one that has several.
"""

import re
from binascii import b2a_base64
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from dataclasses import replace as with_fields
from functools import lru_cache
from typing import Any, TypeVar

from mlpipe_ci.core.errors import MlpipeError, WorkflowError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.plot_data import PlotData

T = TypeVar("T")
STARS = b"***"
LEAST = 4
"""Characters: what is shorter is no secret, and would hide ordinary words."""
HEAD = 4
"""Units by which a regular expression finds where a secret may begin."""
BREAKS = (b"\n", b"\r\n", b"\\n", b"\\r\\n", b"%0A", b"%0D%0A")
"""Where a line of base64 may end: also within JSON, and in a URL."""
XML = {
    "&": ("&amp;", "&#38;"),
    "<": ("&lt;", "&#60;"),
    ">": ("&gt;", "&#62;"),
    '"': ("&quot;", "&#34;"),
    "'": ("&#x27;", "&#39;", "&apos;"),
}
BASE64 = {b"+": (b"+", b"-", b"%2B"), b"/": (b"/", b"_", b"%2F", b"\\/"), b"=": (b"=", b"%3D")}
UNENDED = -2
NONE = -1
HIDDEN = "left out: it holds the value of a secret"


@frozen
class _Form:
    """One way to write a secret: for each of its units all spellings. `breaks`: what may stand
    between two of them.
    """

    units: tuple[tuple[bytes, ...], ...]
    breaks: tuple[bytes, ...] = ()

    @property
    def longest_head(self) -> int:
        """Bytes of its first units, at most."""
        room = max(map(len, self.breaks), default=0)
        return sum(max(map(len, unit)) + room for unit in self.units[:HEAD])

    def heads(self) -> Iterable[tuple[int, bytes]]:
        """For each first byte a regular expression for the first units after it."""
        between = _one_of(self.breaks) + b"?" if self.breaks else b""
        rest = b"".join(between + _one_of(unit) for unit in self.units[1:HEAD])
        for spelling in self.units[0]:
            yield spelling[0], re.escape(spelling[1:]) + rest


class Mask:
    """Masks the values of some secrets. Without any, all stays as it is."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = _forms(secrets)
        self._heads = _heads(forms)
        self._tail = max((form.longest_head for form in forms), default=0)
        self._by_byte: dict[int, list[_Form]] = {}
        for form in forms:
            for byte in dict.fromkeys(spelling[0] for spelling in form.units[0]):
                self._by_byte.setdefault(byte, []).append(form)

    def __bool__(self) -> bool:
        """True if there is anything to mask."""
        return self._heads is not None

    def text(self, text: str) -> str:
        """A text with each secret in it as `***`."""
        if self._heads is None or len(text) < LEAST:
            return text
        data = text.encode("utf-8", "surrogatepass")
        masked, _ = self.split(data, ended=True)
        return text if masked == data else masked.decode("utf-8", "surrogatepass")

    def value(self, value: T) -> T:
        """A value with each secret in its texts as `***`: a frozen one, a tuple, a list, a map."""
        return value if self._heads is None else self._value(value)

    def error(self, error: MlpipeError) -> None:
        """Mask what an error says."""
        if isinstance(error, WorkflowError):
            error.diagnostics = self.value(error.diagnostics)
        error.args = self.value(error.args)

    def stream(self) -> "MaskedStream":
        """For what comes in pieces."""
        return MaskedStream(self)

    def _value(self, value: Any) -> Any:
        if type(value) is str:
            return self.text(value)
        if isinstance(value, tuple):
            return self._tuple(value)
        if type(value) is list:
            return [self._value(one) for one in value]
        if isinstance(value, Mapping):
            changed = {self._value(name): self._value(one) for name, one in value.items()}
            return value if changed == value else changed
        if is_dataclass(value) and not isinstance(value, type):
            return self._fields(value)
        return value

    def _tuple(self, value: tuple[Any, ...]) -> tuple[Any, ...]:
        changed = tuple([self._value(one) for one in value])
        same = all(new is old for new, old in zip(changed, value, strict=True))
        return value if same else changed

    def _fields(self, value: Any) -> Any:
        before = {one.name: getattr(value, one.name) for one in fields(value) if one.init}
        changed = {name: self._value(one) for name, one in before.items()}
        changed = {name: one for name, one in changed.items() if one is not before[name]}
        if isinstance(value, PlotData) and {"picture", "base_picture"} & changed.keys():
            # A picture with stars in it is none.
            notes = (*changed.get("notes", value.notes), HIDDEN)
            changed |= {"picture": "", "base_picture": "", "notes": notes}
        return with_fields(value, **changed) if changed else value

    def split(self, data: bytes, *, ended: bool) -> tuple[bytes, bytes]:
        """The data, masked as far as it can be shown, and its end that may begin a secret.

        `ended`: nothing follows, so nothing is held back.
        """
        if self._heads is None:
            return data, b""
        shown: list[bytes] = []
        position = 0
        for start in self._candidates(data, ended=ended):
            if start < position:
                continue
            ends = [_reach(form, data, start) for form in self._by_byte[data[start]]]
            if UNENDED in ends and not ended:
                return b"".join((*shown, data[position:start])), data[start:]
            if max(ends) > start:
                shown += [data[position:start], STARS]
                position = max(ends)
        return b"".join((*shown, data[position:])), b""

    def _candidates(self, data: bytes, *, ended: bool) -> Iterable[int]:
        """Where a secret may begin, in order."""
        tail = len(data) if ended else max(0, len(data) - self._tail)
        found = self._heads.search(data) if self._heads else None
        while found and self._heads and found.start() < tail:
            yield found.start()
            found = self._heads.search(data, found.start() + 1)
        yield from (at for at in range(tail, len(data)) if data[at] in self._by_byte)


@lru_cache(8)
def mask_of(secrets: tuple[str, ...]) -> Mask:
    """The mask of these values. That of a private key takes 0.1 s to make, so it is made once."""
    return Mask(secrets)


class MaskedStream:
    """Masks what is fed to it in pieces. Holds back only what may be the start of a secret."""

    def __init__(self, mask: Mask) -> None:
        self._mask, self._pending = mask, b""

    def feed(self, data: bytes) -> bytes:
        """The data as far as it can be shown, with what was withheld before."""
        shown, self._pending = self._mask.split(self._pending + data, ended=False)
        return shown

    def flush(self) -> bytes:
        """What is left at the end."""
        shown, self._pending = self._mask.split(self._pending, ended=True)[0], b""
        return shown


def _reach(form: _Form, data: bytes, start: int) -> int:
    """Where a form ends that begins at `start`: the farthest. NONE if it does not stand there;
    UNENDED if the data ends first.
    """
    positions, unended = {start}, False
    for number, unit in enumerate(form.units):
        if number and form.breaks:
            after, more = _step(form.breaks, data, positions)
            positions, unended = positions | after, unended or more
        positions, more = _step(unit, data, positions)
        unended = unended or more
        if not positions:
            return UNENDED if unended else NONE
    return max(positions)


def _step(spellings: tuple[bytes, ...], data: bytes, positions: set[int]) -> tuple[set[int], bool]:
    """Where a unit ends that begins at one of the positions; if the data ends within one."""
    found, unended = set(), False
    for position in positions:
        for one in spellings:
            if data.startswith(one, position):
                found.add(position + len(one))
            elif position + len(one) > len(data) and one.startswith(data[position:]):
                unended = True
    return found, unended


def _forms(secrets: Iterable[str]) -> tuple[_Form, ...]:
    words = [secret.strip() for secret in secrets]
    lines = (line.strip() for word in words for line in word.splitlines())
    known = dict.fromkeys(word for word in (*words, *lines) if len(word) >= LEAST)
    forms = [_Form(units=tuple(map(_spellings, word))) for word in known]
    return tuple(forms + [form for word in known for form in _in_base64(word)])


def _heads(forms: tuple[_Form, ...]) -> re.Pattern[bytes] | None:
    """Finds where a form may begin; None without any. By first byte, so that most fail at once."""
    found: dict[int, dict[bytes, None]] = {}
    for form in forms:
        for byte, rest in form.heads():
            found.setdefault(byte, {})[rest] = None
    groups = [
        re.escape(bytes([byte])) + b"(?:" + b"|".join(rests) + b")" for byte, rests in found.items()
    ]
    return re.compile(b"|".join(groups)) if groups else None


def _one_of(texts: tuple[bytes, ...]) -> bytes:
    return (
        re.escape(texts[0]) if len(texts) == 1 else b"(?:" + b"|".join(map(re.escape, texts)) + b")"
    )


def _spellings(char: str) -> tuple[bytes, ...]:
    """How a character of a secret may be written. Letters and digits are never encoded."""
    if char.isascii() and char.isalnum():
        return (char.encode("ascii"),)
    raw = char.encode("utf-8", "surrogatepass")
    byte = char.encode("utf-8", "surrogateescape") if "\udc80" <= char <= "\udcff" else raw
    quoted = "".join(f"%{one:02X}" for one in byte)
    utf16 = char.encode("utf-16-be", "surrogatepass").hex()
    in_json = "".join(f"\\u{utf16[at : at + 4]}" for at in range(0, len(utf16), 4))
    python = char.encode("unicode_escape", "surrogatepass").decode("ascii")
    bytes_ = "".join(f"\\x{one:02x}" for one in byte)
    texts = [quoted, quoted.lower(), in_json, in_json.upper().replace("\\U", "\\u"), python, bytes_]
    texts += ["+"] if char == " " else []
    texts += [f"\\{char}"] if char in "\"'\\/" else []
    texts += XML.get(char, ())
    return tuple(dict.fromkeys((raw, byte, *(text.encode("ascii") for text in texts))))


def _in_base64(word: str) -> Iterable[_Form]:
    """The word in base64, alone; and what of it is the same whatever stands before and after.

    A character stands for six bits, so there are three ways in which it may be cut.
    """
    data = word.encode("utf-8", "surrogatepass")
    for before, cut in ((0, 0), (1, 2), (2, 3)):
        text = b2a_base64(bytes(before) + data, newline=False)
        yield _base64_form(text[cut : (before + len(data)) * 8 // 6])
        if not before and text.endswith(b"="):
            yield _base64_form(text.rstrip(b"="))
            yield _base64_form(text)


def _base64_form(text: bytes) -> _Form:
    chars = (text[at : at + 1] for at in range(len(text)))
    return _Form(units=tuple(BASE64.get(char, (char,)) for char in chars), breaks=BREAKS)
