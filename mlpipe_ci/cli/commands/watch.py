"""`mlpipe watch`: run again whenever something changes that a step reads. For a desk."""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TextIO

from mlpipe_ci.ci.event import in_ci
from mlpipe_ci.cli.commands import run
from mlpipe_ci.cli.locate import find_locations
from mlpipe_ci.cli.open_session import open_session, read_workflow
from mlpipe_ci.cli.options import (
    DEFAULTS,
    USUAL_PACE,
    CommonOptions,
    PaceOptions,
    SessionOptions,
    add_common,
    add_pace,
    add_targets,
    add_workflow,
)
from mlpipe_ci.cli.step_selection import named_steps
from mlpipe_ci.core.errors import InterruptedRunError, MlpipeError, UsageError, WorkflowError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import is_under
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.plan import EACH_TIME, Action, Decision, Plan
from mlpipe_ci.plan.decide import make_plan
from mlpipe_ci.plan.session import Session
from mlpipe_ci.repo.location import Locations
from mlpipe_ci.report import diagnostics
from mlpipe_ci.report.wording import escape_controls

EXAMPLE = "mlpipe watch\n  mlpipe watch train --jobs 4"
QUIET, LONGEST = 200, 2000
"""Milliseconds that nothing may change before what has changed is looked at, and the most that is
waited for that."""
SHOWN = 3
BUSY = 10.0
"""Seconds that git may take for a checkout or a rebase."""
AWAKE = 0.25
"""Seconds after which the watch looks at the clock."""
Changes = frozenset[str]


@frozen
class Options(CommonOptions):
    """What `mlpipe watch` takes."""

    session: SessionOptions = DEFAULTS
    pace: PaceOptions = USUAL_PACE
    every: float = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of its runs, and how often sources are asked."""
    add_common(parser)
    add_workflow(parser)
    add_targets(parser)
    add_pace(parser)
    help_ = "ask sources outside of git so often for news (default: 60)"
    parser.add_argument("--every", metavar="SECONDS", type=float, default=60.0, help=help_)


@frozen
class WatchedPaths:
    """What a run would execute: id, key and reasons of each step. `fault`: why it is not known.

    `reused`: id and key of each result whose outputs it would bring back.
    `inputs`: what is read by steps that are reused.
    `always`: what is read by steps that run each time, and are no reason for a run by themselves.
    `outside`: a step reads data that git does not have.
    """

    steps: frozenset[tuple[str, str | None, tuple[str, ...]]] = frozenset()
    reused: frozenset[tuple[str, str | None]] = frozenset()
    always: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    outside: bool = False
    fault: str = ""


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0 once the user ends it; 130 if a run was interrupted."""
    if in_ci(env):
        raise UsageError("mlpipe watch is for a desk; in GitHub Actions events start a run")
    locations = find_locations(options.directory, env)

    def say(text: str) -> None:
        print(text, file=err, flush=True)

    if options.every <= 0:
        raise UsageError(f"--every {options.every:g}: name a number of seconds above 0")
    if targets := options.session.targets:  # a step that there is not is said at once
        named_steps(read_workflow(locations, options.session, env), targets, "step")
    changes = _changes(locations.root, options.every)
    try:
        next(changes)  # from now on nothing is missed
        while True:
            if _run(options, env, out, err) == InterruptedRunError.exit_code:
                return InterruptedRunError.exit_code
            say("watching for changes; Ctrl-C ends it")
            _wait(changes, partial(_wanted, options, env), locations, say)
    except KeyboardInterrupt:
        say("no longer watching")
        return 0


def _run(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """One run. What is wrong with the file or a path is printed, and mended by the next change."""
    try:
        return run.main(_of_run(options), env, out, err)
    except MlpipeError as error:
        found = error.diagnostics if isinstance(error, WorkflowError) else ()
        lines = [line for diagnostic in found for line in diagnostics.diagnostic_lines(diagnostic)]
        print(*(lines or [f"mlpipe: {error}"]), sep="\n", file=err, flush=True)
        return error.exit_code


def _of_run(options: Options) -> run.Options:
    return run.Options(
        directory=options.directory,
        quiet=options.quiet,
        json=options.json,
        session=options.session,
        pace=options.pace,
        comment="never",
        status="never",
    )


def _wait(
    changes: Iterator[Changes],
    ask: Callable[[], WatchedPaths],
    locations: Locations,
    say: Callable[[str], None],
) -> None:
    """Wait for a change that a run has to answer. `ask`: what a run would execute now.

    What changed before the first answer of `ask` may be in it already, and be unknown to the run
    that has just ended: so the first change of an input always has a run.
    """
    before, is_first = ask(), True
    while True:
        paths = frozenset(path for path in next(changes) if not _is_written(path, before))
        if not paths and not before.outside:
            continue
        _let_git_finish(locations)
        now = ask()
        if _is_news(before, now, paths) or (is_first and _are_read(before, paths)):
            names = sorted(paths)[:SHOWN]
            more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
            what = (
                f"{', '.join(map(escape_controls, names))}{more} changed"
                if paths
                else "a source has changed"
            )
            say(f"\n{what}")
            return
        before, is_first = now, False


def _are_read(known: WatchedPaths, paths: Changes) -> bool:
    return any(matches(pattern, path) for pattern in known.inputs for path in paths)


def _is_news(before: WatchedPaths, now: WatchedPaths, paths: Changes) -> bool:
    """True if a run would do something that it has not just tried in vain."""
    if now.fault or before.fault:
        return now.fault != before.fault or bool(paths)
    if now.steps - before.steps or now.reused - before.reused or (now.steps and paths):
        return True
    return any(matches(pattern, path) for pattern in now.always for path in paths)


def _is_written(path: str, known: WatchedPaths) -> bool:
    return any(is_under(path, output) for output in known.outputs)


def _wanted(options: Options, env: Mapping[str, str]) -> WatchedPaths:
    try:  # the place is found anew: git remembers what it has seen
        session = open_session(
            find_locations(options.directory, env), options.session, env, readonly=True
        )
        try:
            plan = make_plan(session.workflow, session.collector(time.time()))
        finally:
            session.cache.state.close()
    except MlpipeError as error:
        return WatchedPaths(fault=str(error))
    runs = [one for one in plan.decisions if one.action in {Action.RUN, Action.MAYBE}]
    always = {one.step.id for one in runs if _always(session, one)}
    return WatchedPaths(
        steps=frozenset(
            (one.step.id, one.key, one.reasons) for one in runs if one.step.id not in always
        ),
        reused=frozenset((one.step.id, one.key) for one in plan.decisions if one.result),
        always=tuple(p for one in runs if one.step.id in always for p in _reads(session, one)),
        inputs=_inputs(session, plan),
        outputs=_outputs(session),
        outside=any(step.external for step in session.workflow.steps),
    )


def _inputs(session: Session, plan: Plan) -> tuple[str, ...]:
    """Patterns of what steps read whose results are reused, but for what mlpipe fetches itself."""
    fetched = tuple(one.path for step in session.workflow.steps for one in step.external)
    read = (p for one in plan.decisions if one.result for p in _reads(session, one))
    return tuple(p for p in read if not any(is_under(p, path) for path in fetched))


def _always(session: Session, decision: Decision) -> bool:
    """True for a step that runs each time."""
    unstored = session.cache.state.last_trace(session.workflow.file, decision.step.id).unstored
    return decision.step.cache is False or any(
        reason == unstored or reason.endswith(EACH_TIME) for reason in decision.reasons
    )


def _reads(session: Session, decision: Decision) -> tuple[str, ...]:
    """Patterns of what a step reads, as it says and as it was seen."""
    last = session.cache.state.last_trace(session.workflow.file, decision.step.id)
    declared = (pattern for pattern in decision.step.reads if not pattern.startswith("!"))
    return (*declared, *last.reads)


def _outputs(session: Session) -> tuple[str, ...]:
    """What steps write, declared or not."""
    file, state = session.workflow.file, session.cache.state
    seen = (path for s in session.workflow.steps for path, _ in state.last_trace(file, s.id).wrote)
    return (*session.workflow.writes, *seen)


def _let_git_finish(locations: Locations) -> None:
    """While git changes branches, the work tree is neither the one nor the other."""
    until = time.monotonic() + BUSY
    while locations.git and time.monotonic() < until:
        if not (locations.git.directory / "index.lock").exists():
            return
        time.sleep(QUIET / 1000)


def _relative(root: Path, changed: Iterable[tuple[object, str]]) -> Changes:
    return frozenset(Path(path).relative_to(root).as_posix() for _, path in changed)


def _changes(root: Path, every: float) -> Iterator[Changes]:
    """Paths that have changed, relative to the root; nothing every so many seconds."""
    try:
        import watchfiles  # noqa: PLC0415 - an extra
    except ImportError as error:
        text = "watching needs one more package: pip install 'mlpipe-ci[watch]'"
        raise UsageError(text) from error
    found = watchfiles.watch(
        root,
        debounce=LONGEST,
        step=QUIET,
        rust_timeout=int(AWAKE * 1000),
        yield_on_timeout=True,
        raise_interrupt=True,
        ignore_permission_denied=True,
    )
    asked = time.monotonic()
    try:
        yield _relative(root, next(found))  # it watches from here on, also while steps run
        for changed in found:
            if changed or time.monotonic() - asked > every:
                asked = time.monotonic()
                yield _relative(root, changed)
    except OSError as error:
        raise UsageError(
            f"the files cannot be watched ({error}); for more of them: sysctl "
            "fs.inotify.max_user_watches=524288, or set WATCHFILES_FORCE_POLLING=1"
        ) from error
