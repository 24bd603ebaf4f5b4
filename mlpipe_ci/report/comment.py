"""The pull request comment: reports of several jobs in one text, from which they are read again.

Two hidden lines say whose comment it is and which run wrote it; a third has what the program needs
to know of each job, as JSON. The text of a report stands between lines that name its digest, so no
line in a report can end it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from blake3 import blake3

from mlpipe_ci.core.parts import (
    STATES,
    JobName,
    JobReport,
    Part,
    count_words,
    current,
    merged,
    state_of_all,
)
from mlpipe_ci.report.escape import code, folded, link, plain

MAX_UNITS = 60_000
MAX_BYTES = 180_000
"""GitHub refuses a comment over 65,536 characters; how it counts them is not written down."""
MOST_JOBS = 300
"""Jobs that are read from a comment; a matrix of GitHub's has 256 at most."""
MOST_TEXT = 200
"""Characters of a name, of the words and of the address that are kept of a job."""
FULL, LINE, BARE = 2, 1, 0
"""How much of a job is shown: its report, a line of words, or only its name and state."""
MARKS = {"success": "✅", "pending": "⏳"}
FRAME = 250
"""Characters that the report of one job needs around it."""
FIELDS = {"w": "workflow", "j": "job", "l": "label"}


def marker(workflow_file: str) -> str:
    """The hidden first line by which a comment is found again. One for each workflow file."""
    key = re.sub(r"[^A-Za-z0-9._/-]", "_", workflow_file)
    return f"<!-- mlpipe:report key={key} v=1 -->"


def run_marker(run_id: int, attempt: int) -> str:
    """The hidden second line: the newest run in the comment."""
    return f"<!-- mlpipe:run id={run_id} attempt={attempt} -->"


def together(reports: Iterable[JobReport]) -> tuple[JobReport, ...]:
    """Those that count, the worst first. Of two of one attempt, the later in `reports`, but never
    a line in the place of the same job's report.
    """
    found: dict[Part, JobReport] = {}
    for report in reports:
        old = found.pop(report.part, None)
        found[report.part] = old if old and old.text and not report.text else report
    return tuple(found[part] for part in merged(found))


def shortened(report: JobReport) -> JobReport:
    """With names and words that a comment has room for; `text` without newlines around it."""
    part, who = report.part, report.part.who
    names = {name: getattr(who, name)[:MOST_TEXT] for name in FIELDS.values()}
    return replace(
        report,
        part=replace(part, who=JobName(**names)),
        name=report.name[:MOST_TEXT],
        words=report.words[:MOST_TEXT],
        url=report.url if len(report.url) <= MOST_TEXT else "",
        text=report.text.strip("\n"),
    )


def read(body: str) -> tuple[JobReport, ...]:
    """The reports in a comment of ours. What is not as we write it is left out."""
    *_, line, rest = [*body.split("\n", 3), "", "", ""][:4]
    found = re.fullmatch(r"<!-- mlpipe:parts (\[.*\]) -->", line)
    try:
        records = json.loads(found[1]) if found else []
    except (ValueError, RecursionError):
        return ()
    known = (_report(record, rest) for record in records[:MOST_JOBS])
    return tuple(report for report in known if report)


def write(file: str, reports: Iterable[JobReport]) -> tuple[str, str]:
    """The comment with all that has room in it, and one of lines alone for who takes no more.

    `reports` as `together` gives them; at least one.
    """
    given = tuple(reports)
    lines, levels = _lines(file, given)
    here = set(current(report.part for report in given))
    units, size = _size(lines)
    for n, report in enumerate(given[: len(levels)]):
        more = _size(report.text)
        if not report.text or report.part not in here:
            continue
        if units + more[0] + FRAME <= MAX_UNITS and size + more[1] + FRAME <= MAX_BYTES:
            levels[n] = FULL
            units, size = units + more[0] + FRAME, size + more[1] + FRAME
    return _written(file, given[: len(levels)], levels), lines


def fits(text: str) -> bool:
    """True if GitHub takes a text as a comment."""
    units, size = _size(text)
    return units <= MAX_UNITS and size <= MAX_BYTES


def _size(text: str) -> tuple[int, int]:
    """UTF-16 units, and bytes of UTF-8."""
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    return units, len(text.encode("utf-8", "surrogatepass"))


def _lines(file: str, reports: tuple[JobReport, ...]) -> tuple[str, list[int]]:
    """A line for each job, shortened from the end, where the good ones are, as far as is needed.

    Returns how much is shown of each; there are fewer than jobs if not even names have room.
    """
    levels = [LINE] * len(reports)
    at_once = len(reports) // 32 + 1
    text = _written(file, reports, levels)
    while not fits(text):
        if LINE in levels:
            first = max(0, levels.count(LINE) - at_once)
            levels[first:] = [BARE] * (len(levels) - first)
        elif len(levels) > 1:
            del levels[max(1, len(levels) - at_once) :]
        else:
            break
        text = _written(file, reports[: len(levels)], levels)
    return text, levels


def _written(file: str, reports: tuple[JobReport, ...], levels: list[int]) -> str:
    newest = max((one.part.run, one.part.attempt) for one in reports)
    records = [_record(one, level) for one, level in zip(reports, levels, strict=True)]
    told = json.dumps(records, ensure_ascii=False, separators=(",", ":")).replace(">", "\\u003e")
    head = f"{marker(file)}\n{run_marker(*newest)}\n<!-- mlpipe:parts {told} -->\n"
    parts = current(one.part for one in reports)
    many = len(parts) > 1
    if len(reports) == 1 and levels[0] == FULL:
        return f"{head}{reports[0].text}\n"
    blocks = [_headline(reports[0], parts)] if many or levels[0] != FULL else []
    workflows = {one.part.who.workflow for one in reports}
    for one, level in zip(reports, levels, strict=True):
        title = _title(one, with_workflow=len(workflows) > 1)
        if one.part not in parts:
            of = f" (of commit {code(one.part.commit[:7])}, not of the newest)"
            blocks.append(_line(one, f"{title}{of}", level))
        elif level == FULL:
            blocks.append(_whole(one, title) if many else _marked(one))
        else:
            blocks.append(_line(one, title, level))
    return head + "\n\n".join(blocks) + "\n"


def _headline(worst: JobReport, parts: tuple[Part, ...]) -> str:
    words = count_words(parts) if len(parts) > 1 else worst.words
    return f"### {_mark(state_of_all(parts))} {plain(worst.name)}: {plain(words)}"


def _title(report: JobReport, *, with_workflow: bool) -> str:
    who = report.part.who
    name = f"{who.job} ({who.label})" if who.job and who.label else who.job or who.label
    names = (who.workflow if with_workflow else "", name)
    return plain(" / ".join(name for name in names if name) or report.name)


def _whole(report: JobReport, title: str) -> str:
    """What is good is folded: the reader looks for the other."""
    mark = _mark(report.part.state)
    if report.part.state == "success":
        return folded(f"{mark} <b>{title}</b>: {plain(report.words)}", _marked(report))
    return f"#### {mark} {title}\n\n{_marked(report)}"


def _marked(report: JobReport) -> str:
    digest = _digest(report.text)
    return f"<!-- mlpipe:part {digest} -->\n{report.text}\n<!-- mlpipe:end {digest} -->"


def _line(report: JobReport, title: str, level: int) -> str:
    words = f"* {_mark(report.part.state)} **{title}**"
    if level == BARE:
        return words
    shown = f"{words}: {plain(report.words)}" if report.words else words
    return f"{shown} · {link('log of the run', report.url)}" if report.url else shown


def _mark(state: str) -> str:
    return MARKS.get(state, "❌")


def _record(report: JobReport, level: int) -> dict[str, Any]:
    part = report.part
    record: dict[str, Any] = {key: getattr(part.who, name) for key, name in FIELDS.items()}
    record |= {"r": part.run, "a": part.attempt, "c": part.commit, "s": part.state}
    if level == BARE:
        return record
    record |= {"n": report.name, "v": report.words, "u": report.url}
    return record | ({"h": _digest(report.text)} if level == FULL else {})


def _report(record: object, rest: str) -> JobReport | None:
    """One job as the hidden line has it; None if it is not as we write it."""
    if not isinstance(record, Mapping):
        return None
    texts = {key: record.get(key, "") for key in (*FIELDS, "c", "s", "n", "v", "u", "h")}
    run, attempt = record.get("r"), record.get("a")
    known = all(isinstance(text, str) and len(text) <= MOST_TEXT for text in texts.values())
    if not (known and texts["s"] in STATES and re.fullmatch(r"[0-9a-f]{0,64}", texts["c"])):
        return None
    if not (_is_number(run, 20) and _is_number(attempt, 9)):
        return None
    part = Part(
        who=JobName(**{name: texts[key] for key, name in FIELDS.items()}),
        run=int(str(run)),
        attempt=int(str(attempt)),
        commit=texts["c"],
        state=texts["s"],
    )
    text = _text(rest, texts["h"])
    return JobReport(part=part, name=texts["n"], words=texts["v"], url=texts["u"], text=text)


def _is_number(value: object, digits: int) -> bool:
    return type(value) is int and 0 <= value < 10**digits


def _text(rest: str, digest: str) -> str:
    """The text with a digest; empty if it is not there as it was written."""
    alone = rest.strip("\n")
    between = rest.partition(f"<!-- mlpipe:part {digest} -->\n")[2]
    between = between.partition(f"\n<!-- mlpipe:end {digest} -->")[0]
    return next((text for text in (alone, between) if text and _digest(text) == digest), "")


def _digest(text: str) -> str:
    return blake3(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
