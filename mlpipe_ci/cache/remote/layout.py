"""Where what lies in a remote store: `v1/<scope>/…`, so that a policy can tell scopes apart.

v1/<scope>/objects/ab/cdef…          a content, in one zstd frame, named by its BLAKE3
v1/<scope>/results/ab/cdef…/<inputs> one result of a key, as in the local store, in a frame
v1/<scope>/recent/<workflow>         all results that the last run of a workflow used
v1/<scope>/runs/<time>-<run>         which results a run used: what garbage collection keeps
"""

from blake3 import blake3

from mlpipe_ci.cache.layout import OBJECTS, RESULTS, fan_out

TOP = "v1"
"""The version of this layout. That of the local cache is another matter."""
RECENT, RUNS = "recent", "runs"
NAMED = ("pr", "branch", "tag")
"""Scopes of two words, as in `pr/7`; all others have one."""
KINDS = (OBJECTS, RESULTS, RECENT, RUNS)


def all_of(scope: str, kind: str) -> str:
    """Prefix of all of a kind in a scope."""
    return f"{TOP}/{scope}/{kind}"


def object_path(scope: str, digest: str) -> str:
    """Of a content; `digest` is `blake3:…`."""
    return f"{all_of(scope, OBJECTS)}/{fan_out(digest.removeprefix('blake3:'))}"


def result_path(scope: str, key: str, name: str) -> str:
    """Of a result. `name` says which inputs were discovered: see `cache.store`."""
    return f"{results_of(scope, key)}/{name}"


def results_of(scope: str, key: str) -> str:
    """Prefix of all results of a key."""
    return f"{all_of(scope, RESULTS)}/{fan_out(key)}"


def recent_path(scope: str, workflow: str) -> str:
    """Of the results of a workflow's last run. `workflow`: path of its file."""
    name = blake3(workflow.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return f"{all_of(scope, RECENT)}/{name}"


def run_path(scope: str, moment: float, run: str) -> str:
    """Of the record of a run; they sort by time. `moment` in seconds since 1970."""
    return f"{all_of(scope, RUNS)}/{int(moment):011d}-{run}"


def scope_of(path: str) -> str:
    """The scope that a path belongs to; empty if it is none of ours."""
    top, *words = path.split("/")
    length = 2 if words and words[0] in NAMED else 1
    if top != TOP or len(words) < length + 2 or words[length] not in KINDS:
        return ""
    return "/".join(words[:length])


def key_of(path: str) -> tuple[str, str]:
    """Key and name of a result's path."""
    *_, start, rest, name = path.split("/")
    return start + rest, name


def digest_of(path: str) -> str:
    """The digest of an object's path."""
    *_, start, rest = path.split("/")
    return f"blake3:{start}{rest}"
