"""What a YAML parser stumbles over, in words that say what to write instead. Pure."""

import re

from mlpipe_ci.core.regex import regex

LineColumn = tuple[int, int]
"""Line and column, from 0."""
Said = tuple[int, int, str]


LONGEST = 2000
"""Characters of a line that are looked at."""
EXPRESSION = regex(r"(?:[\[{,]|:\s)\s*([^\s\[\]{},'\"][^\[\]{},'\"]*)?\$\{\{.*?\}\}[^\s,\]}]*")
"""An expression inside of brackets, with the text around it."""


def explain_syntax_error(
    problem: str, context: str, position: LineColumn, begun: LineColumn, text: str
) -> Said:
    """Where a text is wrong, and what to do.

    `problem` and `context` are the parser's words; `begun` is where it began what it could not end.
    """
    lines = text.splitlines()
    line, column = position
    here, there = _line(lines, line), _line(lines, begun[0])
    if "could not find expected ':'" in problem:
        return *begun, _unindented_block(lines, begun[0]) or _missing_colon(there)
    if "\\t" in problem and "start any token" in problem:
        return line, column, "a tab; YAML is indented with spaces only"
    for number, shown in ((line, here), (begun[0], there)):
        found = _quotes(problem, shown)
        if found:
            return number, found[0], found[1]
    if "mapping values are not allowed" in problem:
        return line, column, "a wrong indent, or a ':' inside of a text (then put it in quotes)"
    if "expected <block end>" in problem:
        what = "a dash is missing before this key, or its indent is not that of the lines above"
        return line, column, what
    if "end" in problem and "stream" in problem:
        what = "quote" if "quoted" in context else "bracket"
        return *begun, f"a {what} is opened here and never closed"
    if "could not determine a constructor for the tag" in problem:
        return line, column, "a tag (!!…); a workflow has plain values only"
    if "but found another document" in problem:
        return line, column, "a second document (---); a workflow is one document"
    return line, column, f"not valid YAML: {problem}" + (f" ({context})" if context else "")


def _line(lines: list[str], number: int) -> str:
    return lines[number][:LONGEST] if number < len(lines) else ""


def _quotes(problem: str, line: str) -> tuple[int, str] | None:
    """A text that means something else in YAML unless it is in quotes: column, and the text."""
    if "expected ',' or" in problem or "expected <block end>" in problem:
        found = re.search(
            r"(?:[\[{,]|:\s)\s*([^\s\[\]{},'\"][^\[\]{},'\"]*)?\$\{\{.*?\}\}[^\s,\]}]*", line
        )
        if found:
            value = re.sub(r"^(?:[\[{,]|:\s)\s*", "", found[0])
            value = value if ": " not in value.split("${{")[0] else value.split(": ", 1)[1]
            start = line.index(value, found.start())
            return start, f'an expression inside of [ ] or {{ }} needs quotes: "{value}"'
    if "expected <block end>" in problem or "expected ',' or" in problem:
        found = re.search(r"(?:^|[:,\[{-])\s*'(?:[^']|'')*'(?=[^\s,\]}:#])", line)
        if found:
            return found.end() - 1, "a ' inside of a text in single quotes; write it twice ('')"
        found = re.search(r"(?:^|[:,\[{-])\s*\"(?:[^\"\\]|\\.)*\"(?=[^\s,\]}:#])", line)
        if found:
            return found.end() - 1, 'a " inside of a text in double quotes; write \\" for it'
    found = re.search(r"(?:^\s*-\s+|[\[,]\s*)(([!*])[^\s,\]#]+)", line)
    if found and re.search(r"[./*]", found[1][1:]):
        return found.start(1), f'a text that begins with {found[2]} needs quotes: "{found[1]}"'
    found = re.search(r":\s+((?:!(?!!)|\*\S*[(/.*])[^#]*?)\s*(?:#|$)", line)
    if found and ("tag" in problem or "alias" in problem or "found" in problem):
        return found.start(1), f'a text that begins with {found[1][0]} needs quotes: "{found[1]}"'
    return None


def _unindented_block(lines: list[str], number: int) -> str | None:
    """The first line of a block after `|` or `>` that is not indented deeper than its key."""
    before = next((line for line in reversed(lines[:number]) if line.strip()), "")
    key = re.match(r"(\s*(?:- +)?)[\w-]+:\s*[|>][-+0-9]*\s*$", before)
    if key is None:
        return None
    mark = before.strip()[-1]
    return f"the lines after '{mark}' must be indented deeper than the key that they belong to"


def _missing_colon(line: str) -> str:
    words = line.strip().removeprefix("- ").split(maxsplit=1)
    if len(words) > 1:
        return f"a colon is missing after '{words[0]}'; write: {words[0]}: {words[1]}"
    return "a colon is missing after the key"
