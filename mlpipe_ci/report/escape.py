"""Text from outside in Markdown: as code, a sentence, a block. None of it leaves its place."""

import re

from mlpipe_ci.report.wording import escape_controls

LINE_LENGTH = 400


def code(text: str) -> str:
    """As code: nothing in it is Markdown, HTML, a mention or a reference."""
    return f"<code>{_escape(text)}</code>"


def plain(text: str) -> str:
    """Within a sentence: as `code`, without the look of code."""
    guarded = _escape(text).replace("&#64;", "&#64;&#8203;")
    return re.sub(r"&#35;(?=\w)", "&#35;&#8203;", guarded)


def fence(lines: tuple[str, ...]) -> str:
    """Lines in a code block whose fence is longer than any run of backticks in them."""
    text = "\n".join(escape_controls(line)[:LINE_LENGTH] for line in lines)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}text\n{text}\n{ticks}"


def folded(title: str, text: str) -> str:
    """A part that is closed until somebody wants it. `title` is HTML."""
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def link(title: str, url: str) -> str:
    """A link, if it is one to a web page; its title alone if it is not."""
    if re.fullmatch(r"https?://[\w.:/@?=&%#+,~-]+", url, re.ASCII):
        return f"[{plain(title)}]({url})"
    return plain(title)


def _escape(text: str) -> str:
    return re.sub(
        r"[^\w\s.,:;%/()=+→·'-]|_",
        lambda m: f"&#{ord(m[0])};",
        escape_controls(text),
        flags=re.ASCII,
    )
