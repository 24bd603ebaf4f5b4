"""Regular expressions that are compiled late do what `re` does."""

import re

import pytest

from mlpipe_ci.core.regex import regex


def test_it_finds_what_re_finds() -> None:
    late, same = regex(r"(\w+)=(\d+)", re.IGNORECASE), re.compile(r"(\w+)=(\d+)", re.IGNORECASE)
    text = "a=1, B=22"
    assert late.findall(text) == same.findall(text)
    assert late.sub(r"\2", text) == same.sub(r"\2", text)
    assert (late.pattern, late.flags, late.groups) == (same.pattern, same.flags, same.groups)
    assert [one.span() for one in late.finditer(text)] == [
        one.span() for one in same.finditer(text)
    ]


def test_bytes() -> None:
    assert regex(rb"\d").findall(b"a1b2") == [b"1", b"2"]


def test_it_is_compiled_once_and_not_before_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    compiled = re.compile

    def compile_(text: str, flags: int = 0) -> re.Pattern[str]:
        made.append(text)
        return compiled(text, flags)

    monkeypatch.setattr(re, "compile", compile_)
    late = regex("a+")
    assert not made
    assert late.match("aa")
    assert not late.search("b")
    assert made == ["a+"]


def test_a_wrong_pattern_is_told_at_its_first_use() -> None:
    with pytest.raises(re.error):
        regex("(").match("")
