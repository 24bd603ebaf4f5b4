"""What each step left in this work tree, so that it can be told from what others put there.

Lines of JSON, the last of a step counts; one is added as soon as a step has ended, so that a kill
loses nothing, and the file is made anew when the run is over. A fault costs a leftover.
"""

import json
import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import field
from itertools import takewhile
from pathlib import Path
from posixpath import commonpath, dirname
from typing import Any

from blake3 import blake3

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.regex import regex
from mlpipe_ci.core.result import Output, undeclared
from mlpipe_ci.core.workflow import Step, Workflow
from mlpipe_ci.repo.private_directory import LEFT

NOTHING: tuple[str, ...] = ()
NUMBER = regex(r"(?=[a-f]*\d)[0-9a-f]{8,}|\d+")
TIME = 8
"""Digits of a date, of a moment, or of a random number."""


@frozen
class Left:
    """What a step left. `step`: the id that it shares with its instances, `name`: its own."""

    step: str
    name: str
    paths: Mapping[str, str]
    """What its last result has, declared or not, each with its digest; an empty directory's is
    empty.
    """
    besides: tuple[str, ...] = NOTHING
    """Files and links of them that it did not declare."""
    changed: tuple[str, ...] = NOTHING
    """Paths that were there before it and that it changed in place: not its own to set aside."""
    state: Mapping[str, str] = field(default_factory=dict)
    """Files of a tool's memory that its last run wrote, each with its digest."""
    older: tuple[str, ...] = NOTHING
    """Files of a tool's memory that runs before that have written."""
    history: tuple[str, ...] = NOTHING
    """Files that earlier runs have left, and that stayed beside those of the last."""
    code: Mapping[str, str] = field(default_factory=dict)
    """Sources and packages that its last run used, each with its digest, if joblib kept results."""
    result: str = ""
    """What names the result of its last run; empty if it was not stored."""
    unfinished: tuple[str, ...] = NOTHING
    """What attempts that failed since then have written without declaring it."""


def key_of(step: Step) -> str:
    """Of a step, or of an instance by what it is for: the ids of items may change."""
    if step.strategy is None:
        return step.id
    return f"{step.group}\n{step.strategy.each or repr(step.strategy.values)}"


def left_file(private: Path, workflow: str) -> Path:
    """The file of a workflow's record in mlpipe's own directory of a work tree."""
    name = blake3(workflow.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return private / LEFT / f"{name}.jsonl"


def history_of(
    left: Left, step: Step, outputs: tuple[Output, ...], missed: Collection[str]
) -> tuple[str, ...]:
    """What a step left before without declaring it and has only added to: files that are named by
    the time, say. `outputs`: what it has now; `missed`: what it looked for by name, in vain.

    A file of the same form of name is new, its numbers apart, and none was written again. If others
    were written again the numbers must be long, as those of a time are. Who looks for a file by its
    name keeps no history in it.
    """
    new = {output.path for output in undeclared(step, outputs) if output.kind != "directory"}
    again = new.intersection(left.besides)
    forms = {_form(path) for path in new.difference(again)} - {_form(path) for path in again}
    besides = (path for path in left.besides if path not in missed)
    lost = (path for path in besides if path not in new and _form(path) in forms)
    return tuple(path for path in lost if not again or sum(map(str.isdigit, path)) >= TIME)


def place_of(history: tuple[str, ...], outputs: Iterable[str]) -> str:
    """What `state` has to name so that a history persists: the directory that holds the old files
    and the new ones, and is not named by a time itself; one of the files where there is none.
    """
    forms = {_form(path) for path in history}
    both = (*history, *(path for path in outputs if _form(path) in forms))
    folders = commonpath([dirname(path) for path in both]).split("/")
    lasting = [*takewhile(lambda name: sum(map(str.isdigit, name)) < TIME, folders)]
    folder = "/".join(lasting or folders)
    return f"{folder}/" if folder else history[0]


def _form(path: str) -> str:
    return NUMBER.sub("#", path)


class LeftRecord:
    """The record of one workflow in one work tree. `path`: its file; None: it is not kept."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[str, Left] | None = None
        self._owners: dict[str, set[str]] = {}
        self._lines = 0

    def __contains__(self, step: Step) -> bool:
        return key_of(step) in self._all

    def of(self, step: Step) -> Left:
        """What a step left; nothing if that is not known."""
        left = self._all.get(key_of(step))
        return left if left is not None else Left(step=step.group, name=step.name, paths={})

    def undeclared(self, step: Step) -> list[str]:
        """What a step left and does not declare to write now."""
        left = self._all.get(key_of(step))
        if left is None:
            return []
        plain = {path.rstrip("/") for path in step.writes}
        inside = tuple(path for path in step.writes if path.endswith("/"))
        return [p for p in left.paths if p not in plain and not p.startswith(inside)]

    def gone(self, workflow: Workflow) -> dict[str, Left]:
        """What steps left that the workflow has no more, by their key."""
        now = {key_of(step) for step in workflow.steps}
        return {key: left for key, left in self._all.items() if key not in now}

    def left_by(self, path: str) -> dict[str, Left]:
        """The steps that have left a path, by their key: one may have changed another's."""
        everything = self._all
        return {key: everything[key] for key in self._owners.get(path, ())}

    def left_empty(self, path: str) -> bool:
        """True for a directory that a step has left with nothing in it."""
        return any(not left.paths[path] for left in self.left_by(path).values())

    @property
    def exists(self) -> bool:
        """True if there was a record when the run began, or there is one now."""
        return bool(self._all)

    def put(self, step: Step, left: Left) -> None:
        """Remember what a step left."""
        self._note(key_of(step), left)
        self._append(key_of(step), left)

    def forget(self, keys: tuple[str, ...]) -> None:
        """These steps are gone, and what they left is moved away."""
        for key in keys:
            self._note(key, None)
            self._append(key, None)

    def finish(self) -> None:
        """Make the file anew where it holds more lines than steps."""
        if self._path is None or self._lines <= len(self._all):
            return
        temporary = self._path.with_name(f"{self._path.name}.{os.urandom(4).hex()}")
        with suppress(OSError):
            text = "".join(_line(key, left) for key, left in self._all.items())
            temporary.write_text(text, "ascii")
            temporary.replace(self._path)
            self._lines = len(self._all)

    @property
    def _all(self) -> dict[str, Left]:
        if self._known is None:
            self._known = {}
            self._read()
        return self._known

    def _read(self) -> None:
        try:
            lines = self._path.read_text("ascii").splitlines() if self._path else []
        except (OSError, ValueError):
            return
        self._lines = len(lines)
        for line in lines:
            with suppress(ValueError, TypeError, KeyError, AttributeError):  # cut short by a kill
                self._note(*_parsed(json.loads(line)))

    def _note(self, key: str, left: Left | None) -> None:
        before = self._all.pop(key, None)
        for path in before.paths if before else ():
            self._owners[path].discard(key)
        if left is not None:
            self._all[key] = left
            for path in left.paths:
                self._owners.setdefault(path, set()).add(key)

    def _append(self, key: str, left: Left | None) -> None:
        if self._path is None:
            return
        with suppress(OSError):
            if not self._lines:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="ascii") as file:
                file.write(_line(key, left))
            self._lines += 1


def _line(key: str, left: Left | None) -> str:
    return json.dumps([key, vars(left) if left else None]) + "\n"


def _parsed(record: list[Any]) -> tuple[str, Left | None]:
    key, left = record
    if left is None:
        return str(key), None
    return str(key), Left(
        step=str(left["step"]),
        name=str(left["name"]),
        paths={str(path): str(digest) for path, digest in left["paths"].items()},
        changed=tuple(map(str, left["changed"])),
        state={str(path): str(digest) for path, digest in left["state"].items()},
        older=tuple(map(str, left.get("older", ()))),
        history=tuple(map(str, left.get("history", ()))),
        code={str(path): str(digest) for path, digest in left.get("code", {}).items()},
        result=str(left.get("result", "")),
        besides=tuple(map(str, left["besides"])),
        unfinished=tuple(map(str, left["unfinished"])),
    )
