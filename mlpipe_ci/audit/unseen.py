"""What a stored result may have been made from and does not say: what changed since, unrecorded."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from mlpipe_ci.audit.contents import Contents
from mlpipe_ci.audit.rerun import Rerun
from mlpipe_ci.cache.store import name_of
from mlpipe_ci.core.errors import GitError
from mlpipe_ci.core.result import Result
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.plan.session import Session
from mlpipe_ci.tracing.discovery.interpreter import library_of, prefix_of
from mlpipe_ci.tracing.discovery.kinds import ABSENT, EXISTS, KEEPS, LISTINGS, PREFIX, STATE

SHOWN = 5
UNLISTED = "an input that its result does not list"


def unseen_inputs(contents: Contents, step: Step, result: Result, again: Rerun) -> tuple[str, ...]:
    """What may be the cause, in words, the surest first. `again`: a run that was watched."""
    recorded = {path.removeprefix("./") for path in contents.inputs_of(step, result)}
    changed = set(_changed_files(contents, result)) - recorded
    read = {path for path in _read(again) if path not in recorded}
    words = []
    if sure := sorted(read & changed):
        words.append(f"{UNLISTED}: it reads {_some(sure)}, changed since")
    elif other := sorted(path for path in read if not _is_output(contents, path)):
        words.append(f"{UNLISTED}: it reads {_some(other)}")
    elif changed and not _was_watched(result):
        listed = _some(sorted(changed))
        words.append(f"an input that was not seen; of the repository these changed since: {listed}")
    if packages := sorted(_new_packages(contents.session, result)):
        words.append(f"packages that were installed since: {_some(packages)}")
    return tuple(words) or (_not_this_step(result),)


def _not_this_step(result: Result) -> str:
    by = result.producer
    made = by.run_url or (f"commit {by.commit[:7]}" if by.commit else "an unknown run")
    return (
        f"the stored result ({result.key[:12]}…/{name_of(result)}, made by {made}) is not what "
        "this step makes, though nothing that it read differs: it was damaged or planted, or "
        "something that is not watched was another; mlpipe run --force makes it anew"
    )


def _read(again: Rerun) -> Iterator[str]:
    """Paths of the repository whose content the watched run has read."""
    for item in again.discovered:
        nothing = item.digest in {ABSENT, KEEPS}
        plain = not item.digest.startswith((EXISTS, STATE, *LISTINGS)) and not nothing
        if plain and ":" not in item.path and not item.path.startswith("/"):
            yield item.path


def _was_watched(result: Result) -> bool:
    return any(":" not in item.path for item in result.discovered)


def _is_output(contents: Contents, path: str) -> bool:
    return path in contents.left


def _changed_files(contents: Contents, result: Result) -> Iterator[str]:
    """Sources that are newer than the result, by their times or by the commit that made it."""
    since = result.finished - result.seconds
    for path, entry in contents.base.items():
        with suppress(OSError):
            status = os.lstat(entry.source)
            if not entry.is_link and max(status.st_mtime, status.st_ctime) > since:
                yield path
    git, commit = contents.session.repo.git, result.producer.commit
    if git is not None and commit:
        with suppress(GitError):
            yield from (one.path for one in git.changed(commit))


def _new_packages(session: Session, result: Result) -> Iterator[str]:
    """Distributions that came since beside the step's Python, and that the result does not list."""
    known = " ".join(item.path for item in result.discovered if item.path.startswith(PREFIX))
    executable = shutil.which("python", path=session.env.get("PATH", os.defpath))
    if executable is None:
        return
    site = Path(prefix_of(executable), "lib", library_of(executable), "site-packages")
    for path in site.glob("*.dist-info"):
        name = path.name.partition("-")[0]
        with suppress(OSError):
            if path.stat().st_mtime > result.finished and name.lower() not in known.lower():
                yield name


def _some(names: Iterable[str]) -> str:
    found = list(names)
    return ", ".join(found[:SHOWN]) + (
        f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    )
