"""Data that DVC tracks: git has a pointer with its hash, its content may be here or not.

The hash of the pointer is the digest; of content that is here, the same hash of that. So nothing is
downloaded to decide, and an edited file counts. Shapes and hashes are those of DVC 3
(dvc.org/doc/user-guide/project-structure): MD5 of a file; of a directory, MD5 of the JSON list of
its files, followed by `.dir`.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from mlpipe_ci.cache.state import LocalState
from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.errors import SourceError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import is_glob, is_under, literal_prefix, path_fault
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.regex import regex
from mlpipe_ci.repo.digest_cache import DigestCache
from mlpipe_ci.repo.location import Locations

MARK = "dvc:"
SHOWN = 300
LAST_LINES = 3
"""Characters of what DVC says when it fails."""


@frozen
class DvcOutput:
    """Data that a pointer stands for: its path, and its MD5 (of a directory with `.dir`)."""

    path: str
    md5: str

    @property
    def is_directory(self) -> bool:
        """True for a directory."""
        return self.md5.endswith(".dir")

    @property
    def input_path(self) -> str:
        """Its path as an output has it: a directory ends in `/`."""
        return f"{self.path}/" if self.is_directory else self.path


class Dvc:
    """What DVC tracks in a repository. `paths`: all paths that git knows; `text`: of a pointer.

    `md5`: remembers digests; None: what is on the disk does not count, as it is of another commit.
    """

    def __init__(
        self,
        root: Path,
        paths: Callable[[], Iterable[str]],
        text: Callable[[str], str | None],
        md5: DigestCache | None,
    ) -> None:
        self._root, self._paths, self._text, self._md5 = root, paths, text, md5
        self._outs: dict[str, DvcOutput] | None = None
        self._parsed: dict[tuple[str, str | None], tuple[DvcOutput, ...]] = {}

    def forget(self) -> None:
        """A command has run: pointers may be others."""
        self._outs = None

    def inputs(self, pattern: str) -> tuple[Input, ...]:
        """Data that a pattern may mean, whether its content is here or not."""
        return tuple(self.input(out) for out in self.meant(pattern))

    def meant(self, pattern: str) -> tuple[DvcOutput, ...]:
        """Data that a pattern may mean: it, what it lies in, or what lies in it."""
        prefix = literal_prefix(pattern)
        return tuple(
            out
            for out in self._all().values()
            if matches(pattern, out.path)
            or (out.is_directory and is_under(prefix, out.path))
            or (out.is_directory and is_glob(pattern) and is_under(out.path, prefix or "."))
        )

    def missing(self, text: str) -> str:
        """The path of data whose content is not here, if a text names it; else empty."""
        named = (out for out in self._all().values() if out.path in text)
        return next((out.path for out in named if self.lacks(out)), "")

    def holds(self, path: str) -> bool:
        """True for such data, and for what lies in it."""
        outs = self._all()
        while path:
            if path in outs:
                return True
            path = path.rpartition("/")[0]
        return False

    def input(self, out: DvcOutput) -> Input:
        """Data as an input, whether its content is here or not."""
        return Input(path=out.input_path, digest=f"{MARK}{self._now(out) or out.md5}")

    def out(self, path: str) -> DvcOutput | None:
        """The data of an input."""
        return self._all().get(path.rstrip("/"))

    def lacks(self, out: DvcOutput) -> bool:
        """True if its content is not here: nothing is, or that of another pointer."""
        return not self._now(out)

    def _all(self) -> dict[str, DvcOutput]:
        if self._outs is None:
            self._outs = {out.path: out for out in self._read()}
        return self._outs

    def _read(self) -> Iterator[DvcOutput]:
        # The parser of YAML takes 0.1 s to import: who asks for no such data does not pay for it.
        from mlpipe_ci.repo.dvc_pointers import is_pointer  # noqa: PLC0415

        for pointer in filter(is_pointer, self._paths()):
            known = pointer, self._text(pointer)
            if known not in self._parsed:
                self._parsed[known] = tuple(_outs(*known))
            yield from self._parsed[known]

    def _now(self, out: DvcOutput) -> str:
        """The hash of the content that is here; empty if there is none, or if nobody wrote it: what
        DVC has in its cache came with another pointer, and goes when that does.
        """
        if self._md5 is None or not os.path.lexists(self._root / out.path):
            return ""
        found = self._content(str(self._root / out.path), out)
        return found if found == out.md5 or not self._is_kept(found) else ""

    def _is_kept(self, md5: str) -> bool:
        """True if DVC has it in its cache, in the usual place (that of DVC 3, or of DVC 2)."""
        name = f"{md5[:2]}/{md5[2:]}"
        cache = self._root / ".dvc" / "cache"
        return (cache / "files" / "md5" / name).exists() or (cache / name).exists()

    def _content(self, full_path: str, out: DvcOutput) -> str:
        """The hash of what is at a place."""
        if not os.path.isdir(full_path):
            return self._same_text(full_path, out) or self._hash(full_path)
        files = [
            {
                "md5": self._hash(path),
                "relpath": os.path.relpath(path, full_path).replace(os.sep, "/"),
            }
            for path in _files(full_path)
        ]
        files.sort(key=lambda one: one["relpath"])
        return f"{_md5(json.dumps(files, sort_keys=True).encode())}.dir"

    def _same_text(self, path: str, out: DvcOutput) -> str:
        """DVC before 3.0 hashed texts as if each line ended as on Linux."""
        if self._hash(path) == out.md5:
            return out.md5
        with open(path, "rb") as file:
            start = file.read(1 << 16)
            if b"\r\n" not in start or b"\0" in start:
                return ""
            file.seek(0)
            text = file.read().replace(b"\r\n", b"\n")
        return out.md5 if _md5(text) == out.md5 else ""

    def _hash(self, path: str) -> str:
        return self._md5.digest(path).removeprefix("md5:") if self._md5 else ""


def _outs(pointer: str, text: str | None) -> Iterator[DvcOutput]:
    from mlpipe_ci.repo.dvc_pointers import entries  # noqa: PLC0415 - see above

    for path, hashes in entries(pointer, text):
        md5 = hashes.get("md5")
        if isinstance(md5, str) and not path_fault(path):
            yield DvcOutput(path=path, md5=md5)


def is_of_dvc(item: Input) -> bool:
    """True for data that DVC tracks."""
    return item.digest.startswith(MARK)


def _md5(data: bytes) -> str:
    import hashlib  # noqa: PLC0415 - 5 ms

    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def pull(root: Path, outs: Iterable[DvcOutput], env: Mapping[str, str]) -> None:
    """Have DVC bring contents, from its cache or its remote. Raises SourceError."""
    paths = [out.path for out in outs]
    some = ", ".join(paths[:3]) + (", …" if len(paths) > 3 else "")  # noqa: PLR2004 - a line's worth
    program = shutil.which("dvc", path=env.get("PATH"))
    if program is None:
        raise SourceError(
            f"'{some}' is tracked by DVC, its content is not here, and there is no dvc on PATH; "
            "install it (pip install dvc), or fetch the content in an earlier step of the job"
        )
    done = subprocess.run(  # noqa: S603 - the user's own
        [program, "pull", *(f"./{path}" for path in paths)],
        cwd=root,
        env={**env, "DVC_NO_ANALYTICS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = _complaint(done.stderr, done.stdout) or f"exit code {done.returncode}"
        raise SourceError(f"'{some}' cannot be fetched (dvc pull): {said}")


def _complaint(*streams: bytes) -> str:
    """DVC's own words on why it failed, of the first stream that has any: from its last `ERROR:`
    on, else the last lines; of a line that was drawn over, what was left of it.
    """
    for stream in streams:
        text = regex(r"\x1b\[[0-9;]*[A-Za-z]").sub("", stream.decode("utf-8", "replace"))
        drawn = (line.rstrip("\r").rpartition("\r")[2].strip() for line in text.split("\n"))
        lines = [line for line in drawn if line and not line.startswith("<https://error.dvc.org")]
        errors = [number for number, line in enumerate(lines) if line.startswith("ERROR:")]
        lines = lines[errors[-1] :] if errors else lines[-LAST_LINES:]
        if lines:
            said = " ".join(lines)
            return said if len(said) <= SHOWN else said[:SHOWN] + "…"
    return ""


def _files(top: str) -> Iterator[str]:
    for path, _, names in os.walk(top, followlinks=True):
        for name in names:
            yield os.path.join(path, name)


def dvc_of(locations: Locations, state: LocalState) -> Dvc | None:
    """What DVC tracks, if it is used."""
    git = locations.git
    if git is None or not (locations.root / ".dvc").is_dir():
        return None

    def text(path: str) -> str | None:
        try:
            return (locations.root / path).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    return Dvc(locations.root, lambda: (*git.index(), *git.snapshot().untracked), text, state.md5)
