"""Puts the outputs of a result into the work tree, and moves what else lies in their place."""

import os
from collections.abc import Iterator
from pathlib import Path

from mlpipe_ci.cache.file_ops import contents, move, remove
from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.cache.outputs import Digest, is_right, may_be_kept, read, refuse_links
from mlpipe_ci.cache.store import Store
from mlpipe_ci.cache.transaction import OutputTransaction
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.paths import above, is_under, path_fault
from mlpipe_ci.core.result import Output, undeclared
from mlpipe_ci.core.workflow import Step


class Restorer:
    """Restores from a store. `digest`: how a file of the work tree is read; `others`: what other
    steps write without declaring it, which stays where it is.
    """

    def __init__(
        self,
        root: Path,
        store: Store,
        transaction: OutputTransaction,
        digest: Digest = read,
        others: frozenset[str] = frozenset(),
    ) -> None:
        self._root, self._store, self._transaction, self._digest = root, store, transaction, digest
        self._others = others

    def all(self, step: Step, outputs: tuple[Output, ...]) -> tuple[int, tuple[str, ...]]:
        """Make the work tree hold exactly these outputs; what is right already is not touched.

        All contents are fetched and verified before anything in the work tree is changed. Files in
        the way that the result does not have are moved aside. Returns the number of files written,
        and the paths that were moved aside. Raises DamagedError if the store does not have the
        contents; then the step has to run. Raises PathError where the work tree cannot be written.
        """
        wrong = self._wrong(step, outputs)
        if not wrong and not any(declared.endswith("/") for declared in step.writes):
            return 0, ()
        try:
            moves = self._staged(step, wrong)
            paths = tuple(output.path for output in outputs)
            moved = self._transaction.clear_way(step, paths) if wrong else ()
            moved += self._transaction.replace(step.id, tuple(self._only_here(step, wrong)))
            moved += self._move_others(step, outputs)
            self._place(moves)
        except OSError as error:
            raise _unwritable(error) from error
        return len(wrong), moved

    def _only_here(self, step: Step, wrong: list[Output]) -> Iterator[str]:
        """What lies where an output belongs and the cache does not know: a person made it.

        What comes out of packs is no object; it is known if a result of the step names it.
        """
        packed: set[str] | None = None
        for output in wrong:
            path = f"{self._root}/{output.path}"
            if os.path.islink(path):
                if not self._is_link_of_ours(step, path):
                    yield output.path
            elif os.path.isdir(path):
                if output.kind != "directory" and os.listdir(path):
                    yield output.path
            elif os.path.isfile(path):
                status = os.lstat(path)
                digest = self._digest(path, status)
                known = self._store.has(digest, status.st_size)
                if not known and output.pack:
                    packed = packed or self._store.written(step.name)
                    known = digest in packed
                if not known:
                    yield output.path

    def _move_others(self, step: Step, outputs: tuple[Output, ...]) -> tuple[str, ...]:
        """Move away what lies in the declared outputs and is not part of the result."""
        wanted = {output.path for output in outputs}
        kept = wanted | self._others
        directories = {parent for path in kept for parent in above(path)}
        others = [
            path
            for declared in step.writes
            if os.path.lexists(f"{self._root}/{declared}".rstrip("/"))
            for path in contents(self._root, declared.rstrip("/"))
            if path not in kept
            and may_be_kept(f"{self._root}/{path}")
            and (path not in directories or not os.path.isdir(f"{self._root}/{path}"))
        ]
        self._transaction.replace(step.id, tuple(others))
        for path in others:
            _drop_empty(self._root, step, path, directories)
        return tuple(others)

    def _is_link_of_ours(self, step: Step, path: str) -> bool:
        """True if a link leads where a result of the step has it lead: nothing is lost with it."""
        text = f"link:{os.readlink(path)}"
        return text in self._store.written(step.name)

    def some(self, step: Step, outputs: tuple[Output, ...]) -> int:
        """Restore only these, files alone; nothing else is touched. Returns how many. Raises so."""
        wrong = [output for output in self._wrong(step, outputs) if output.kind == "file"]
        try:
            self._place(self._staged(step, wrong))
        except OSError as error:
            raise _unwritable(error) from error
        return len(wrong)

    def _wrong(self, step: Step, outputs: tuple[Output, ...]) -> list[Output]:
        _refuse_outside(outputs)
        paths = (*step.writes, *(output.path for output in undeclared(step, outputs)))
        refuse_links(self._root, step, paths)
        return [output for output in outputs if not is_right(self._root, output, self._digest)]

    def _staged(self, step: Step, wrong: list[Output]) -> list[tuple[Path, str]]:
        if not wrong:
            return []
        whole = _whole_directories(self._root, step)
        return _stage(self._root, wrong, whole, self._store, self._transaction)

    def _place(self, moves: list[tuple[Path, str]]) -> None:
        for staged, path in moves:
            _place(self._root, staged, path)


def _unwritable(error: OSError) -> PathError:
    return PathError(f"'{error.filename}' cannot be written: {error.strerror}")


def _refuse_outside(outputs: tuple[Output, ...]) -> None:
    for output in outputs:
        if fault := path_fault(output.path):
            raise DamagedError(f"the stored result writes what no step may write: {fault}")


def _whole_directories(root: Path, step: Step) -> tuple[str, ...]:
    """Declared directories of which nothing is there: they come with one rename."""
    declared = (path.rstrip("/") for path in step.writes if path.endswith("/"))
    return tuple(path for path in declared if not os.path.lexists(f"{root}/{path}"))


def _stage(
    root: Path,
    wrong: list[Output],
    whole: tuple[str, ...],
    store: Store,
    transaction: OutputTransaction,
) -> list[tuple[Path, str]]:
    """Make all of it in a directory of mlpipe's own; returns what goes where."""
    store.bring(output.pack or output.digest for output in wrong if output.kind == "file")
    top = transaction.fresh_staging()
    moves: list[tuple[Path, str]] = []
    packed: list[tuple[Output, str]] = []
    made = {str(top)}
    for number, output in enumerate(wrong):
        directory = next((path for path in whole if is_under(output.path, path)), None)
        if directory is None:
            staged = f"{top}/{number}"
            moves.append((Path(staged), output.path))
        else:
            staged = f"{top}/whole/{output.path}"
            _make_directory(os.path.dirname(staged), made)
        if output.pack:
            packed.append((output, staged))
        else:
            _make(root, output, staged, store)
    store.fetch_packed(packed)
    paths = ((top / "whole" / path, path) for path in whole)
    return moves + [(staged, path) for staged, path in paths if staged.is_dir()]


def _make_directory(path: str, made: set[str]) -> None:
    if path not in made:
        os.makedirs(path, exist_ok=True)
        made.add(path)


def _make(root: Path, output: Output, path: str, store: Store) -> None:
    if output.kind == "file":
        store.fetch(output.digest, path, output.mode)
    elif output.kind == "link":
        text = output.digest.removeprefix("link:")
        target = (root / output.path).parent / text
        if not target.resolve().is_relative_to(root.resolve()):
            raise DamagedError(f"the stored link '{output.path}' leaves the repository")
        os.symlink(text, path)
    else:
        os.makedirs(path, exist_ok=True)
        os.chmod(path, output.mode)


def _drop_empty(root: Path, step: Step, moved: str, wanted: set[str]) -> None:
    """Remove directories of an output that have nothing in them any more, and belong to nobody."""
    for parent in above(moved):
        inside = any(is_under(parent, path) for path in step.writes if path.endswith("/"))
        if not inside or parent in wanted:
            return
        try:
            os.rmdir(f"{root}/{parent}")
        except OSError:
            return  # there is something in it


def _place(root: Path, staged: Path, relative: str) -> None:
    path = root / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    is_directory = path.is_dir() and not path.is_symlink()
    if is_directory or (os.path.lexists(path) and staged.is_dir() and not staged.is_symlink()):
        remove(path)
    move(staged, path)
