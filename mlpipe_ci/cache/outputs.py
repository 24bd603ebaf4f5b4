"""The outputs of a step in the work tree: save to the store, restore from it, set aside."""

import errno
import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from mlpipe_ci.cache.store import DamagedError, Store
from mlpipe_ci.errors import PathError
from mlpipe_ci.files import file_digest
from mlpipe_ci.result import Output
from mlpipe_ci.workflow import Step, is_under


class MissingOutputError(Exception):
    """The command ended well, but a declared output is not there, or is of the wrong kind."""


def save(root: Path, step: Step, store: Store | None) -> tuple[Output, ...]:
    """Describe what a step wrote and, where there is a store, keep it. Raises MissingOutputError.

    An OSError of the store passes through: the outputs are there, they are just not kept.
    """
    found: list[Output] = []
    for declared in step.writes:
        path = root / declared
        _check_kind(path, declared)
        for file in _contents(path):
            relative = file.relative_to(root).as_posix()
            found.append(_describe(file, relative, store))
    return tuple(found)


def restore(root: Path, step: Step, outputs: tuple[Output, ...], store: Store) -> int:
    """Make the work tree hold exactly these outputs; what is right already is not touched.

    Returns the number of files written. Raises DamagedError if the store does not have them; then
    the step has to run. Raises PathError where the work tree cannot be written.
    """
    for output in outputs:
        if not any(is_under(output.path, declared) for declared in step.writes):
            raise DamagedError(f"the stored result writes '{output.path}', which is not declared")
    wrong = [output for output in outputs if not is_right(root, output)]
    try:
        _remove_others(root, step, {output.path for output in outputs})
        for output in wrong:
            _write(root, output, store)
    except OSError as error:
        raise PathError(f"'{error.filename}' cannot be written: {error.strerror}") from error
    return len(wrong)


def is_right(root: Path, output: Output) -> bool:
    """True if the work tree holds exactly this output."""
    path = root / output.path
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            return output.kind == "link" and f"link:{path.readlink()}" == output.digest
        if stat.S_ISDIR(status.st_mode):
            return output.kind == "directory"
        same = status.st_size == output.size and output.kind == "file"
        executable = bool(status.st_mode & stat.S_IXUSR)
        return same and executable == output.executable and file_digest(path) == output.digest
    except (OSError, PathError):
        return False


def _check_kind(path: Path, declared: str) -> None:
    if not os.path.lexists(path):
        raise MissingOutputError(f"the command ended well, but did not write '{declared}'")
    if path.is_dir() and not path.is_symlink() and not declared.endswith("/"):
        raise MissingOutputError(f"'{declared}' is a directory; declare it as '{declared}/'")
    if not path.is_dir() and declared.endswith("/"):
        raise MissingOutputError(f"'{declared}' is not a directory; declare it without the '/'")


def _contents(path: Path) -> Iterator[Path]:
    if path.is_symlink() or not path.is_dir():
        yield path
        return
    entries = sorted(path.iterdir())
    if not entries:
        yield path
    for entry in entries:
        yield from _contents(entry)


def _describe(path: Path, relative: str, store: Store | None) -> Output:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return Output(path=relative, kind="link", digest=f"link:{path.readlink()}", size=0)
    if stat.S_ISDIR(status.st_mode):
        return Output(path=relative, kind="directory", digest="", size=0)
    if not stat.S_ISREG(status.st_mode):
        raise MissingOutputError(f"'{relative}' is neither a file, a directory nor a link")
    digest, size = store.save(path) if store else (file_digest(path), status.st_size)
    executable = bool(status.st_mode & stat.S_IXUSR)
    return Output(path=relative, kind="file", digest=digest, size=size, executable=executable)


def _remove_others(root: Path, step: Step, wanted: set[str]) -> None:
    """Remove what lies in the declared outputs and is not part of the result."""
    for declared in step.writes:
        path = root / declared
        if not os.path.lexists(path):
            continue
        for found in list(_contents(path)):
            if found.relative_to(root).as_posix() not in wanted:
                _remove(found)


def _write(root: Path, output: Output, store: Store) -> None:
    path = root / output.path
    _refuse_links_above(root, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(path) and (output.kind != "file" or path.is_dir()):
        _remove(path)
    if output.kind == "directory":
        path.mkdir(exist_ok=True)
    elif output.kind == "link":
        target = output.digest.removeprefix("link:")
        if not (path.parent / target).resolve().is_relative_to(root.resolve()):
            raise DamagedError(f"the stored link '{output.path}' leaves the repository")
        path.symlink_to(target)
    else:
        store.restore(output.digest, path, executable=output.executable)


def _refuse_links_above(root: Path, path: Path) -> None:
    for parent in path.parents:
        if parent == root:
            return
        if parent.is_symlink():
            raise PathError(f"'{parent}' is a link; outputs are not written through links")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class Aside:
    """The outputs of the step that runs now, moved out of its way until it has succeeded.

    `directory/kept` holds them, `directory/journal.json` says for which step: if mlpipe is killed,
    `put_back` of the next run finds both. What a failed command wrote itself goes to
    `directory/failed/<step>`, so that hours of work can still be looked at.
    """

    def __init__(self, root: Path, directory: Path) -> None:
        self._root, self._directory = root, directory
        self._journal = directory / "journal.json"

    def move(self, step: Step) -> None:
        """Move the step's outputs aside, and make the directories that it will write to."""
        shutil.rmtree(self._directory / "kept", ignore_errors=True)
        self._directory.mkdir(parents=True, exist_ok=True)
        there = [path for path in step.writes if os.path.lexists(_plain(self._root / path))]
        temporary = self._journal.with_suffix(".tmp")
        record = {"step": step.id, "paths": step.writes, "there": there}
        temporary.write_text(json.dumps(record), "ascii")
        temporary.replace(self._journal)
        for declared in there:
            _move(self._root / declared, self._directory / "kept" / declared)
        for declared in step.writes:
            (self._root / declared).parent.mkdir(parents=True, exist_ok=True)

    def drop(self) -> None:
        """The step has succeeded: its old outputs are not needed any more."""
        self._journal.unlink(missing_ok=True)
        shutil.rmtree(self._directory / "kept", ignore_errors=True)

    def put_back(self) -> tuple[str, tuple[str, ...]] | None:
        """Put back what was moved, if anything. Returns the step's id and the paths put back."""
        try:
            record = json.loads(self._journal.read_text("ascii"))
            step, paths, there = str(record["step"]), list(record["paths"]), set(record["there"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        failed = self._directory / "failed" / step
        shutil.rmtree(failed, ignore_errors=True)
        for declared in paths:
            kept = self._directory / "kept" / declared
            if declared in there and not os.path.lexists(_plain(kept)):
                continue  # killed before it was moved, or after it was put back
            _move(self._root / declared, failed / declared)
            _move(kept, self._root / declared)
        self.drop()
        return step, tuple(path for path in paths if path in there)


def _plain(path: Path) -> Path:
    return Path(str(path).rstrip("/"))


def _move(source: Path, destination: Path) -> None:
    """Rename, or between file systems copy to a temporary name, rename, remove."""
    source, destination = _plain(source), _plain(destination)
    if not os.path.lexists(source):
        return
    destination.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(destination)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        temporary = destination.with_name(destination.name + ".moving")
        _remove(temporary)
        if source.is_dir() and not source.is_symlink():
            shutil.copytree(source, temporary, symlinks=True)
        else:
            shutil.copy2(source, temporary, follow_symlinks=False)
        temporary.rename(destination)
        _remove(source)
