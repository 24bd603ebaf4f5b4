"""Moves outputs out of the way of their step, and back if it does not succeed."""

import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

from mlpipe_ci.cache.file_ops import contents, move, plain_path, remove
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import above
from mlpipe_ci.core.result import Output
from mlpipe_ci.core.workflow import Step

MONTH = 30 * 86_400.0


@frozen
class SetAside:
    """What became of old files that a step has not written again, when it succeeded.

    `replaced`: they lay in its outputs and were not its own. `previous`: its last result's.
    `history`: they are in place again, as the step only adds files and rewrites none.
    """

    replaced: tuple[str, ...] = ()
    previous: tuple[str, ...] = ()
    history: tuple[str, ...] = ()


class OutputTransaction:
    """The outputs of the steps that run now, moved out of their way until they have succeeded.

    `directory/running/<step>` holds them, with a journal: if mlpipe is killed, `roll_back_all` of
    the next run finds both. Nothing is deleted that the step may not have written
    itself: what a failed command wrote goes to `directory/failed/<step>`, and what lay in its
    outputs and is not part of its result to `directory/replaced/<step>`, `<step>.2` and so on. The
    former is kept until the next time, the latter for a month. What the last result of a step left,
    and is gone from this one, is in `directory/previous/<step>`, the last copy of each path.
    """

    def __init__(self, root: Path, directory: Path) -> None:
        self._root, self.directory = root, directory
        self._running = directory / "running"
        self._replaced: dict[str, Path] = {}
        self.keeps: Callable[[str], bool] = lambda _folder: False
        """True for an empty directory that a step has left as such."""

    def fresh_staging(self) -> Path:
        """An empty directory for contents that are being restored."""
        staging = self.directory / "restore"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        return staging

    def replace(self, step: str, paths: tuple[str, ...]) -> tuple[str, ...]:
        """Move paths of the work tree to `replaced/<id of the step>`. Returns them."""
        for path in paths:
            move(self._root / path, self.replaced(step) / path)
        return paths

    def replaced(self, step: str) -> Path:
        """Where this run puts what it moves out of the way of a step (its id): its own place."""
        if step not in self._replaced:
            top = self.directory / "replaced"
            names = (step if number == 1 else f"{step}.{number}" for number in count(1))
            for name in names:
                path = top / name
                if path.is_dir() and time.time() - path.stat().st_mtime > MONTH:
                    shutil.rmtree(path, ignore_errors=True)
                if not os.path.lexists(path):
                    break
            self._replaced[step] = path
        return self._replaced[step]

    def clear_way(self, step: Step, more: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Move files away that lie where a directory above an output belongs. Returns them.

        `more`: outputs that the step does not declare.
        """
        paths = (*step.writes, *more)
        parents = {parent for path in paths for parent in above(path.rstrip("/"))}
        there = (parent for parent in parents if os.path.lexists(self._root / parent))
        return self.replace(step.id, tuple(p for p in there if not (self._root / p).is_dir()))

    def set_aside(self, step: Step, more: tuple[str, ...] = ()) -> None:
        """Move the step's outputs aside, and make the directories that it will write to.

        `more`: what it wrote last time without declaring it. Directories that are empty then go.
        """
        own = self._running / step.id
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir(parents=True)
        paths = (*step.writes, *more)
        there = [path for path in paths if os.path.lexists(plain_path(self._root / path))]
        temporary = own / "journal.tmp"
        temporary.write_text(json.dumps({"paths": paths, "there": there}), "ascii")
        temporary.replace(own / "journal.json")
        for declared in there:
            move(self._root / declared, own / "kept" / declared)
        self._drop_empty(more)
        for declared in step.writes:
            (self._root / declared).parent.mkdir(parents=True, exist_ok=True)

    def retire(self, step: str, paths: tuple[str, ...]) -> tuple[str, ...]:
        """Move what an earlier run of a step (its id) left to `previous`, and empty directories.

        Returns the files of them.
        """
        files = tuple(path for path in paths if not _is_directory(self._root / path))
        for path in paths:
            if path in files:
                self._keep(self._root / path, step, path)
            else:
                with suppress(OSError):  # there is something in it
                    (self._root / path).rmdir()
        self._drop_empty(paths)
        return files

    def previous(self, step: str) -> Path:
        """Where that lies of a step (its id), the last copy of each path."""
        return self.directory / "previous" / step

    def _keep(self, source: Path, step: str, path: str) -> None:
        destination = self.previous(step) / path
        for parent in destination.parents:  # what was a file once may be a directory now
            if parent == self.directory:
                break
            if os.path.lexists(parent) and not _is_directory(parent):
                remove(parent)
        if _is_directory(destination):
            remove(destination)
        move(source, destination)

    def _drop_empty(self, paths: tuple[str, ...]) -> None:
        """A step that made its directories finds none: as in a fresh clone."""
        for path in paths:
            for folder in above(path):
                if self.keeps(folder):
                    break
                try:
                    os.rmdir(self._root / folder)
                except OSError:
                    break  # there is something else in it

    def commit(
        self,
        step: Step,
        outputs: tuple[Output, ...],
        more: tuple[str, ...] = (),
        added: tuple[str, ...] = (),
        is_own: Callable[[str, Path], bool] = lambda _path, _kept: False,
    ) -> SetAside:
        """The step has succeeded. Returns what became of old files that it did not write again.

        `more`: what was set aside although the step does not declare it; `added`: what of it goes
        back beside the new files, as they are a history. `is_own`: whether a path,
        which lies somewhere else now, is as the step's last result left it.
        """
        written = {output.path for output in outputs}
        kept = self._running / step.id / "kept"
        lost = [
            path
            for declared in (*step.writes, *more)
            if os.path.lexists(plain_path(kept / declared))
            for path in contents(kept, declared.rstrip("/"))
            if (kept / path).is_symlink() or (kept / path).is_file()
        ]
        lost = [path for path in lost if path not in written]
        history = tuple(p for p in lost if p in added and not os.path.lexists(self._root / p))
        for path in history:
            move(kept / path, self._root / path)
        rest = [path for path in lost if path not in history]
        own = {path for path in rest if path in more or is_own(path, kept / path)}
        for path in rest:
            if path in own:
                self._keep(kept / path, step.id, path)
            else:
                move(kept / path, self.replaced(step.id) / path)
        self._forget(step.id)
        return SetAside(
            replaced=tuple(path for path in rest if path not in own),
            previous=tuple(path for path in rest if path in own),
            history=history,
        )

    def _forget(self, step: str) -> None:
        (self._running / step / "journal.json").unlink(missing_ok=True)
        shutil.rmtree(self._running / step, ignore_errors=True)

    def roll_back(self, step: str) -> tuple[str, ...] | None:
        """Put back what was moved for a step (its id); the paths, None if nothing was begun."""
        try:
            record = json.loads((self._running / step / "journal.json").read_text("ascii"))
            paths, there = list(record["paths"]), set(record["there"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        failed = self.directory / "failed" / step
        shutil.rmtree(failed, ignore_errors=True)
        for declared in paths:
            kept = self._running / step / "kept" / declared
            if declared in there and not os.path.lexists(plain_path(kept)):
                continue  # killed before it was moved, or after it was put back
            move(self._root / declared, failed / declared)
            move(kept, self._root / declared)
        self._forget(step)
        return tuple(path for path in paths if path in there)

    def roll_back_all(self) -> dict[str, tuple[str, ...]]:
        """Put back what was moved for any step. Returns the paths of each that had begun."""
        back: dict[str, tuple[str, ...]] = {}
        for step in sorted(os.listdir(self._running)) if self._running.is_dir() else ():
            paths = self.roll_back(step)
            if paths is not None:
                back[step] = paths
            elif not (self._running / step / "journal.json").exists():
                shutil.rmtree(self._running / step, ignore_errors=True)  # it had succeeded
        return back


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
