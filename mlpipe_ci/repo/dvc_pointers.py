"""Files that stand for data which git does not have: DVC's. Pure, but for reading YAML."""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from mlpipe_ci.core.yaml.parse import YamlError, parse

LOCK = "dvc.lock"


def is_pointer(path: str) -> bool:
    """True for a path that DVC writes hashes of data to."""
    return path.endswith(".dvc") or posixpath.basename(path) == LOCK


def moved_data(path: str, before: str | None, after: str | None) -> tuple[str, ...]:
    """Paths of data whose hash differs between two texts of a pointer; None: it was not there.

    The shapes are those of DVC 3 (dvc.org/doc/user-guide/project-structure): `outs` at the top of a
    `.dvc` file; in `dvc.lock`, `outs` of each stage.
    """
    old, new = dict(_hashes(path, before)), dict(_hashes(path, after))
    return tuple(sorted(p for p in old.keys() | new.keys() if old.get(p) != new.get(p)))


def entries(path: str, text: str | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Path of each piece of data that a pointer stands for, and what the pointer says of it."""
    directory = posixpath.dirname(path)
    for out in _outs(text):
        name = out.get("path")
        if isinstance(name, str):
            yield posixpath.normpath(posixpath.join(directory, str(out["wdir"]), name)), out


def _hashes(path: str, text: str | None) -> Iterator[tuple[str, str]]:
    for name, out in entries(path, text):
        yield name, str(_hash(out))


def _hash(out: Mapping[str, Any]) -> Any:
    kinds = ("md5", "etag", "checksum", "version_id")
    return next((out[kind] for kind in kinds if kind in out), None)


def _outs(text: str | None) -> Iterator[Mapping[str, Any]]:
    try:
        value = parse(text).value if text else None
    except YamlError:
        return
    if not isinstance(value, Mapping):
        return
    stages = value.get("stages")
    holders = stages.values() if isinstance(stages, Mapping) else ()
    for holder in (value, *holders):
        outs = holder.get("outs") if isinstance(holder, Mapping) else None
        if isinstance(outs, list):
            inner = value.get("wdir", "")
            yield from ({**out, "wdir": inner} for out in outs if isinstance(out, Mapping))
