"""The outputs of a step in the work tree: save them to the store, restore them from it."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from mlpipe_ci.cache.aside import Aside
from mlpipe_ci.cache.paths import contents, move, remove
from mlpipe_ci.cache.store import DamagedError, Store
from mlpipe_ci.contents import file_digest
from mlpipe_ci.errors import PathError
from mlpipe_ci.paths import above, is_under
from mlpipe_ci.result import Output
from mlpipe_ci.workflow import Step

Digest = Callable[[str, os.stat_result], str]
"""Reads a file: its absolute path, and what `lstat` says of it."""


def read(path: str, _status: os.stat_result) -> str:
    """The digest of a file, read as a whole. Raises PathError."""
    return file_digest(path)


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
        for file in contents(path):
            relative = file.relative_to(root).as_posix()
            found.append(_describe(file, relative, store))
    return tuple(found)


def restore(
    root: Path,
    step: Step,
    outputs: tuple[Output, ...],
    store: Store,
    aside: Aside,
    digest: Digest = read,
) -> tuple[int, tuple[str, ...]]:
    """Make the work tree hold exactly these outputs; what is right already is not touched.

    All contents are fetched and verified before anything in the work tree is changed. Files in the
    way that the result does not have are moved aside. Returns the number of files written, and the
    paths that were moved aside. Raises DamagedError if the store does not have the contents; then
    the step has to run. Raises PathError where the work tree cannot be written.
    """
    for output in outputs:
        if not any(is_under(output.path, declared) for declared in step.writes):
            raise DamagedError(f"the stored result writes '{output.path}', which is not declared")
    refuse_links(root, step)
    wrong = [output for output in outputs if not is_right(root, output, digest)]
    try:
        staged = _stage(root, wrong, store, aside.fresh_staging() if wrong else root)
        moved = _move_others(root, step, {output.path for output in outputs}, aside)
        for output in wrong:
            _place(root, output, staged.get(output.path))
    except OSError as error:
        raise PathError(f"'{error.filename}' cannot be written: {error.strerror}") from error
    return len(wrong), moved


def refuse_links(root: Path, step: Step) -> None:
    """Raise PathError if an output of the step would be written through a symbolic link."""
    for declared in step.writes:
        plain = declared.rstrip("/")
        places = [plain] if declared.endswith("/") else []
        links = [p for p in (*places, *above(plain)) if os.path.islink(f"{root}/{p}")]
        if links:
            link = links[-1]
            raise PathError(
                f"step '{step.name}': output '{declared}' leads through the link '{link}'; outputs "
                "are not written through links: declare the real path, or make it a directory"
            )


def _stage(root: Path, wrong: list[Output], store: Store, directory: Path) -> dict[str, Path]:
    """Fetch contents into a directory of mlpipe's own. Raises DamagedError."""
    staged: dict[str, Path] = {}
    for number, output in enumerate(wrong):
        if output.kind == "file":
            staged[output.path] = directory / str(number)
            store.restore(output.digest, staged[output.path], executable=output.executable)
        elif output.kind == "link":
            target = (root / output.path).parent / output.digest.removeprefix("link:")
            if not target.resolve().is_relative_to(root.resolve()):
                raise DamagedError(f"the stored link '{output.path}' leaves the repository")
    return staged


def is_right(root: Path, output: Output, digest: Digest = read) -> bool:
    """True if the work tree holds exactly this output. `digest`: how a file is read."""
    path = f"{root}/{output.path}"
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            return output.kind == "link" and f"link:{os.readlink(path)}" == output.digest
        if stat.S_ISDIR(status.st_mode):
            return output.kind == "directory"
        same = status.st_size == output.size and output.kind == "file"
        executable = bool(status.st_mode & stat.S_IXUSR)
        return same and executable == output.executable and digest(path, status) == output.digest
    except (OSError, PathError):
        return False


def _check_kind(path: Path, declared: str) -> None:
    if not os.path.lexists(path):
        raise MissingOutputError(f"the command ended well, but did not write '{declared}'")
    if path.is_dir() and not path.is_symlink() and not declared.endswith("/"):
        raise MissingOutputError(f"'{declared}' is a directory; declare it as '{declared}/'")
    if not path.is_dir() and declared.endswith("/"):
        raise MissingOutputError(f"'{declared}' is not a directory; declare it without the '/'")


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


def _move_others(root: Path, step: Step, wanted: set[str], aside: Aside) -> tuple[str, ...]:
    """Move away what lies in the declared outputs and is not part of the result."""
    others = []
    for declared in step.writes:
        path = root / declared
        for found in contents(path) if os.path.lexists(path) else ():
            relative = found.relative_to(root).as_posix()
            if relative not in wanted and not any(w.startswith(relative + "/") for w in wanted):
                others.append(relative)
    return aside.replace(step, tuple(others))


def _place(root: Path, output: Output, staged: Path | None) -> None:
    path = root / output.path
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(path) and (output.kind != "file" or path.is_dir()):
        remove(path)
    if staged is not None:
        move(staged, path)
    elif output.kind == "directory":
        path.mkdir(exist_ok=True)
    else:
        path.symlink_to(output.digest.removeprefix("link:"))
