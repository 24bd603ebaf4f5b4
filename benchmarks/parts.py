"""Parts of works, and what is measured once beside them."""

import dataclasses
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Collection

from places import Place
from session import Work, cloned

TIMES = 5
READING = """
import sys, time
from mlpipe_ci import yaml_text
from mlpipe_ci.workflow.load import load
from mlpipe_ci.workflow.workflow_file import Source
from mlpipe_ci.workflow.schema_errors import schema_spots
from pathlib import Path
path = Path("mlpipe.yml")
text = path.read_text()
marks = [time.process_time()]
document = yaml_text.parse(text)
marks.append(time.process_time())
assert not list(schema_spots(document))
marks.append(time.process_time())
load(Source(path=path, shown="mlpipe.yml", root=Path("."), name="thousand", items=lambda _one: ()))
marks.append(time.process_time())
yaml, schema, whole = (b - a for a, b in zip(marks, marks[1:]))
print(yaml, schema, whole - yaml - schema)
"""
"""Seconds of CPU of the parts of reading a file: YAML, schema, and all the rest."""


def reduced(work: Work, names: Collection[str]) -> Work:
    """The work with these tools alone, and with what is no tool."""
    return dataclasses.replace(
        work, tools=tuple(t for t in work.tools if t.name in names or not t.counted)
    )


def quick(work: Work) -> Work:
    """The work without the tools that take minutes."""
    return dataclasses.replace(
        work, tools=tuple(tool for tool in work.tools if tool.name not in work.few)
    )


def notes(work: Work, place: Place) -> list[str]:
    """What else there is to say of a work, seen in mlpipe's place."""
    if work.name.startswith("parts"):
        return [reading(place)]
    return [opened(place)] if work.moment is cloned else []


def reading(place: Place) -> str:
    """The CPU seconds of the parts of reading the file, as medians."""
    columns = zip(*(_seconds(place) for _ in range(TIMES)), strict=True)
    yaml, schema, rest = (statistics.median(column) for column in columns)
    return (
        f"Of reading the file of {len(place.tree.steps):,} steps (CPU seconds): YAML {yaml:.3f}, "
        f"JSON Schema {schema:.3f}, expressions, paths and order {rest:.3f}."
    )


def opened(place: Place) -> str:
    """How many of the data files mlpipe opens in a fresh clone, as strace sees it."""
    if not shutil.which("strace"):
        return "Whether files are read was not seen: there is no strace on this machine."
    cloned(place, 0)
    seen = place.base / "strace.txt"
    traced = ["strace", "-f", "-qq", "-e", "trace=execve,open,openat,openat2", "-o", str(seen)]
    place.call(*traced, *place.tool.command(place))
    calls = [line.split(" ", 1) for line in seen.read_text(errors="replace").splitlines()]
    git = {process for process, call in calls if re.match(r'execve\("[^"]*/git".* = 0', call)}
    files = [process for process, call in calls if call.startswith("open") and '.bin"' in call]
    theirs = sum(process in git for process in files)
    return (
        f"strace saw mlpipe open {len(files) - theirs} of the data files itself, and `git status`, "
        f"which it asks, {theirs}: git looks again at what was written in the same second as its "
        "index, which is the last second of the clone."
    )


def _seconds(place: Place) -> list[float]:
    command = [sys.executable, "-c", READING]
    done = subprocess.run(
        command, cwd=place.repo, env=place.environment, check=True, capture_output=True, text=True
    )
    return [float(word) for word in done.stdout.split()]
