"""The outputs of a step in the work tree: are they right, and save them in the store.

How they come back: `restore`.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mlpipe_ci.cache.file_ops import contents
from mlpipe_ci.cache.objects import ALL_BITS, WRITE_BITS
from mlpipe_ci.cache.store import Store
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.paths import above
from mlpipe_ci.core.place import LEAST, pattern_of
from mlpipe_ci.core.result import Output
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.repo.file_digest import CHUNK, file_digest

Digest = Callable[[str, os.stat_result], str]
"""Reads a file: its absolute path, and what `lstat` says of it."""
SMALL, MANY, PACK = 64 << 10, 100, 16 << 20
"""Files of less than `SMALL` bytes are kept in packs if a step has more than `MANY` of them: so a
directory of thousands is one object, or a few. A pack ends once it has `PACK` bytes."""
KINDS = ("file", "link", "directory")
"""What can be kept. A socket or a pipe that a step left behind is neither input nor output."""
MOST_SEARCHED = 4 << 20
"""Bytes of an output in which the path of the work tree is looked for."""
LEAST_SECRET = 8
"""Bytes of a secret that is looked for in outputs."""


def read(path: str, _status: os.stat_result) -> str:
    """The digest of a file, read as a whole. Raises PathError."""
    return file_digest(path)


class MissingOutputError(Exception):
    """The command ended well, but a declared output is not there, or is of the wrong kind."""


def save(root: Path, step: Step, store: Store | None) -> tuple[Output, ...]:
    """Describe what a step wrote where it declares it and, where there is a store, save it.

    Raises MissingOutputError, and OSError of the store.
    """
    return keep(root, describe(root, step), store)


def describe(root: Path, step: Step, more: tuple[str, ...] = ()) -> tuple[Output, ...]:
    """What a step left, files without their digests. Raises MissingOutputError.

    `more`: files that it wrote and did not declare.
    """
    found: list[Output] = []
    for declared in step.writes:
        _check_kind(f"{root}/{declared}".rstrip("/"), declared)
        found += [_described(root, path) for path in contents(root, declared.rstrip("/"))]
    found += [_described(root, path) for path in more]
    found = [output for output in found if output.kind in KINDS]
    return _in_order(root, found)


def _in_order(root: Path, found: list[Output]) -> tuple[Output, ...]:
    """The same outputs, each with its place by the time at which it was written."""
    times = [os.lstat(f"{root}/{output.path}").st_mtime_ns for output in found]
    order = {moment: number for number, moment in enumerate(sorted(set(times)))}
    return tuple(replace(o, order=order[t]) for o, t in zip(found, times, strict=True))


def keep(root: Path, found: tuple[Output, ...], store: Store | None) -> tuple[Output, ...]:
    """The same outputs with their digests; their contents are in the store then, if there is one.

    An OSError of the store passes through: the outputs are there, they are just not saved.
    """
    small = [o for o in found if o.kind == "file" and o.size < SMALL]
    packed = _packed(root, small, store) if store and len(small) > MANY else {}
    return tuple(packed.get(o.path) or _saved(root, o, store) for o in found)


def _saved(root: Path, output: Output, store: Store | None) -> Output:
    if output.kind != "file":
        return output
    path = f"{root}/{output.path}"
    digest, size = store.save(path) if store else (file_digest(path), output.size)
    return replace(output, digest=digest, size=size)


def _packed(root: Path, small: list[Output], store: Store) -> dict[str, Output]:
    """Keep small files in packs, those of one directory together."""
    found: dict[str, Output] = {}
    while small:
        size, count = 0, 0
        while count < len(small) and size < PACK:
            size, count = size + small[count].size, count + 1
        members, small = small[:count], small[count:]
        pack, contents = store.save_pack(f"{root}/{output.path}" for output in members)
        offset = 0
        for output, (digest, length) in zip(members, contents, strict=True):
            found[output.path] = replace(
                output, digest=digest, size=length, pack=pack, offset=offset
            )
            offset += length
    return found


def leak(root: Path, outputs: tuple[Output, ...], secrets: tuple[str, ...]) -> str:
    """The first output that holds the value of a secret, as it is; empty if none does.

    Short values are not looked for: they would be found by chance.
    """
    wanted = [value.encode("utf-8", "surrogateescape") for value in secrets]
    wanted = [value for value in wanted if len(value) >= LEAST_SECRET]
    files = (output.path for output in outputs if output.kind == "file")
    return next((path for path in files if wanted and _holds(f"{root}/{path}", wanted)), "")


def _holds(path: str, wanted: list[bytes]) -> bool:
    overlap, rest = max(len(value) for value in wanted) - 1, b""
    with open(path, "rb", buffering=0) as file:
        while data := file.read(CHUNK):
            data = rest + data
            if any(value in data for value in wanted):
                return True
            rest = data[-overlap:]
    return False


def naming(root: Path, outputs: tuple[Output, ...]) -> tuple[str, ...]:
    """The outputs that hold the path of the work tree, as the system spells it.

    Of a large file the beginning is looked at: a path that stands there at all mostly stands there.
    """
    place = os.fsencode(os.path.realpath(root))
    if len(place) < LEAST:
        return ()
    pattern = pattern_of(place)
    files = (output.path for output in outputs if output.kind == "file")
    return tuple(path for path in files if pattern.search(_beginning(f"{root}/{path}")))


def _beginning(path: str) -> bytes:
    """Empty if it cannot be read: then it is not stored, and that is said elsewhere."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(MOST_SEARCHED)
    except OSError:
        return b""


def leaving(root: Path, found: tuple[Output, ...]) -> tuple[tuple[str, str], ...]:
    """Links that do not lead to the same place in another clone, each with where it leads.

    They lead out of the repository, there or not, or say an absolute path.
    """
    links = (o for o in found if o.kind == "link")
    pairs = ((o.path, o.digest.removeprefix("link:")) for o in links)
    top = os.path.realpath(root)
    return tuple(
        (path, text)
        for path, text in pairs
        if os.path.isabs(text) or not Path(os.path.realpath(f"{root}/{path}")).is_relative_to(top)
    )


def has_links(outputs: tuple[Output, ...] | None) -> bool:
    """True if a step wrote links: what they lead to is known once they are there."""
    return any(output.kind == "link" for output in outputs or ())


def refuse_links(root: Path, step: Step, paths: tuple[str, ...]) -> None:
    """Raise PathError if an output of the step would be written through a symbolic link."""
    for declared in paths:
        plain = declared.rstrip("/")
        full_paths = [plain] if declared.endswith("/") else []
        links = [p for p in (*full_paths, *above(plain)) if os.path.islink(f"{root}/{p}")]
        if links:
            link = links[-1]
            raise PathError(
                f"step '{step.name}': output '{declared}' leads through the link '{link}'; outputs "
                "are not written through links: declare the real path, or make it a directory"
            )


def is_right(root: Path, output: Output, digest: Digest = read) -> bool:
    """True if the work tree holds exactly this output. `digest`: how a file is read."""
    path = f"{root}/{output.path}"
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            return output.kind == "link" and f"link:{os.readlink(path)}" == output.digest
        if stat.S_ISDIR(status.st_mode):
            return output.kind == "directory" and has_mode(status, output.mode)
        same = status.st_size == output.size and output.kind == "file"
        return same and has_mode(status, output.mode) and digest(path, status) == output.digest
    except (OSError, PathError):
        return False


def digest_at(root: Path, path: str, digest: Digest = read) -> str | None:
    """The digest of what is at a path, as an output has it; None where there is nothing like it."""
    full_path = f"{root}/{path}"
    try:
        status = os.lstat(full_path)
        if stat.S_ISLNK(status.st_mode):
            return f"link:{os.readlink(full_path)}"
        if stat.S_ISDIR(status.st_mode):
            return None if any(os.scandir(full_path)) else ""
        return digest(full_path, status) if stat.S_ISREG(status.st_mode) else None
    except (OSError, PathError):
        return None


def may_be_kept(path: str) -> bool:
    """False for a socket or a pipe that a step left behind: it is neither input nor output."""
    mode = os.lstat(path).st_mode
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)


def has_mode(status: os.stat_result, mode: int) -> bool:
    """True if a path has these permission bits. What is an object of the cache as well, by a hard
    link, lacks those to write.
    """
    now = stat.S_IMODE(status.st_mode) & ALL_BITS
    shared = stat.S_ISREG(status.st_mode) and status.st_nlink > 1
    return now == mode or (shared and now == mode & ~WRITE_BITS)


def _check_kind(path: str, declared: str) -> None:
    if not os.path.lexists(path):
        raise MissingOutputError(f"the command ended well, but did not write '{declared}'")
    directory = os.path.isdir(path)
    if directory and not os.path.islink(path) and not declared.endswith("/"):
        raise MissingOutputError(f"'{declared}' is a directory; declare it as '{declared}/'")
    if not (directory or os.path.islink(path) or os.path.isfile(path)):
        raise MissingOutputError(f"'{declared}' is neither a file, a directory nor a link")
    if not directory and declared.endswith("/"):
        raise MissingOutputError(f"'{declared}' is not a directory; declare it without the '/'")


def _described(root: Path, relative: str) -> Output:
    """An output without its digest, if it is a file; no `kind` for what cannot be kept."""
    path = f"{root}/{relative}"
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        text = f"link:{os.readlink(path)}"
        return Output(path=relative, kind="link", digest=text, size=0, mode=0)
    mode = status.st_mode & ALL_BITS
    if stat.S_ISDIR(status.st_mode):
        return Output(path=relative, kind="directory", digest="", size=0, mode=mode)
    if not stat.S_ISREG(status.st_mode):
        return Output(path=relative, kind="", digest="", size=0, mode=mode)
    return Output(path=relative, kind="file", digest="", size=status.st_size, mode=mode)
