"""Where things lie in the local cache, a directory that all clones of a user share.

    CACHEDIR.TAG                              backup programs leave the directory out
    v1/objects/ab/cdef…                       contents: see `objects`
    v1/results/<scope>/ab/cdef…/<inputs>.json one result; <inputs>: digest of its discovered inputs
    v1/tmp                                    files being written, or still coming
    v1/audits                                 copies of work trees in which audits run
    v1/locks/gc                               held while garbage is collected
    v1/collected                              its time: when garbage was collected last
    v1/trees/<root>                           mlpipe's own directory of a work tree without git

Another layout gets another `VERSION`: an older mlpipe goes on with the directory that it knows.
`top` is the directory of the version.
"""

import os
from pathlib import Path

from blake3 import blake3

VERSION = "v1"
OBJECTS = "objects"
RESULTS = "results"
UNFINISHED = "tmp"
LOCKS = "locks"
AUDITS = "audits"
COLLECTED = "collected"
TREES = "trees"
TAG = "CACHEDIR.TAG"


def top_of(cache: Path) -> Path:
    """Of a cache: the directory with all of this version."""
    return cache / VERSION


def object_path(top: Path | str, digest: str) -> str:
    """Of a content. `digest` with or without its `blake3:`."""
    return f"{top}/{OBJECTS}/{fan_out(digest.removeprefix('blake3:'))}"


def results_of(top: Path | str, scope: str, key: str) -> str:
    """The directory of all results of a key."""
    return f"{top}/{RESULTS}/{scope}/{fan_out(key)}"


def result_path(top: Path | str, scope: str, key: str, name: str) -> str:
    """Of a result. `name` says which inputs were discovered: see `store`."""
    return f"{results_of(top, scope, key)}/{name}.json"


def unfinished(cache: Path) -> Path:
    """The directory of files that are being written, or have come in part."""
    return top_of(cache) / UNFINISHED


def audits(cache: Path) -> Path:
    """The directory in which audits make their copies."""
    return top_of(cache) / AUDITS


def gc_lock(top: Path) -> Path:
    """Held while garbage is collected."""
    return top / LOCKS / "gc"


def tree(cache: Path, root: Path) -> Path:
    """Mlpipe's own directory of a work tree that has no git directory."""
    return top_of(cache) / TREES / blake3(os.fsencode(root)).hexdigest()[:16]


def fan_out(name: str) -> str:
    """`abcdef` as `ab/cdef`: no directory has too many entries."""
    return f"{name[:2]}/{name[2:]}"


def fan_in(path: Path) -> str:
    """The name of a path whose last two parts are `ab/cdef`."""
    return path.parent.name + path.name
