"""`mlpipe run`: do what the plan says, print it as it comes, report it."""

import io
import json
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, TextIO

from mlpipe_ci import runner
from mlpipe_ci.bench import Bench
from mlpipe_ci.cache.aside import Aside
from mlpipe_ci.cache.store import sweep
from mlpipe_ci.decide import Action, Decision, Plan, make_plan
from mlpipe_ci.errors import InterruptedRunError, PathError, UsageError
from mlpipe_ci.events import Event, read_event, refuse_untrusted
from mlpipe_ci.executors import EXECUTORS
from mlpipe_ci.executors.base import Executor
from mlpipe_ci.git import fetch_large_files
from mlpipe_ci.lock import hold
from mlpipe_ci.options import Options
from mlpipe_ci.place import provide
from mlpipe_ci.publish import publish
from mlpipe_ci.report.json import run_json
from mlpipe_ci.run import Comparison, Run, Status, StepOutcome
from mlpipe_ci.screen import Screen, print_or_drop
from mlpipe_ci.tidy import tidy
from mlpipe_ci.workflow import Workflow
from mlpipe_ci.workspace import DEFAULT_FILE, Workspace, default_name, open_workspace

OWN_VARIABLES = (
    "MLPIPE_TOKEN",
    "ACTIONS_RUNTIME_TOKEN",
    "ACTIONS_CACHE_URL",
    "ACTIONS_RESULTS_URL",
)
"""Never passed to a step: they are mlpipe's or the runner's own, not the user's."""
HOUR = 3600


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0; 1 if a step failed; 2 for a wrong path; 130 if the run was interrupted."""
    stream = err if options.json else out
    screen = Screen(stream, env, quiet=options.quiet)
    event = read_event(env, None)
    if event.idle:
        return _idle(event, options, screen, out)
    place = provide(options, env, screen.say)
    if "MLPIPE_STEP" in env and env.get("MLPIPE_ROOT") == str(place.root):
        raise UsageError(
            f"step '{env['MLPIPE_STEP']}' runs mlpipe in its own work tree, which would wait for "
            "itself; put those steps into this file, or run the other file on its own"
        )
    # The lock comes first: while we wait, the branch, the workflow file and all else may change.
    with hold(place.private / "lock", screen.say) as lock:
        workspace = open_workspace(place, options, env, readonly=False)
        refuse_untrusted(workspace.event, allowed=options.allow_untrusted)
        run = _run(workspace, env, screen, _binary(stream), lock)
    screen.final(run)
    if options.json:
        print_or_drop(json.dumps(run_json(run), indent=2), out)
    token = env.get("MLPIPE_TOKEN", "") if options.comment else ""
    publish(run, workspace.event, env, token, screen.say)
    tidy(place.cache, env, screen.say)
    return exit_code(run)


def _idle(event: Event, options: Options, screen: Screen, out: TextIO) -> int:
    """A branch was deleted, or a pull request is closed: nothing to run, nothing to post."""
    screen.say(event.idle)
    if options.json:
        name = default_name(event, Path.cwd())
        workflow = Workflow(name=name, file=options.file or DEFAULT_FILE, steps=())
        comparison = Comparison(head=event.sha or None, how=event.idle)
        run = Run(workflow=workflow, comparison=comparison, outcomes=(), seconds=0.0)
        print_or_drop(json.dumps(run_json(run), indent=2), out)
    return 0


def exit_code(run: Run) -> int:
    """0; 130 if cancelled; 1 if a command failed; 2 if all that failed is a path of a step."""
    if run.result == "cancelled":
        return InterruptedRunError.exit_code
    failed = [outcome for outcome in run.outcomes if outcome.broke]
    if not failed:
        return 0
    return 1 if any(o.exit_code is not None for o in failed) else PathError.exit_code


def _run(
    workspace: Workspace,
    env: Mapping[str, str],
    screen: Screen,
    output: BinaryIO,
    lock: int | None,
) -> Run:
    """Carry the workflow out. What a killed run left aside is put back first."""
    started = time.monotonic()
    aside = Aside(workspace.root, workspace.private / "aside")
    left = aside.put_back()
    if left:
        screen.say(f"step '{left[0]}' was interrupted last time; its old outputs were put back")
    sweep(workspace.store, time.time() - HOUR)
    screen.head(workspace.workflow, workspace.comparison)
    for warning in workspace.comparison.warnings:
        screen.say(f"warning: {warning}")
    plan = make_plan(workspace.workflow, workspace.gatherer(time.time()))  # or a missing input
    executor = EXECUTORS["local"](output, () if lock is None else (lock,))
    bench = _bench(workspace, env, aside, executor)
    outcomes, cancelled = _carry_out(bench, plan, screen)
    if workspace.state.warning:
        screen.say(f"warning: {workspace.state.warning}")
    workspace.state.close()
    return Run(
        workflow=workspace.workflow,
        comparison=workspace.comparison,
        outcomes=outcomes,
        seconds=time.monotonic() - started,
        cancelled=cancelled,
    )


def _bench(workspace: Workspace, env: Mapping[str, str], aside: Aside, executor: Executor) -> Bench:
    return Bench(
        root=workspace.root,
        workflow=workspace.workflow,
        witness=workspace.gatherer(time.time()),
        tree=workspace.tree,
        store=workspace.store,
        state=workspace.state,
        aside=aside,
        executor=executor,
        env={name: value for name, value in env.items() if name not in OWN_VARIABLES},
        logs=workspace.private / "logs",
        scopes=workspace.event.scopes,
        producer=workspace.producer,
        checker=workspace.checker,
        later=workspace.later,
        fetch_large=_large_files(workspace),
        needed_only=workspace.needed_only,
    )


def _large_files(workspace: Workspace) -> Callable[[tuple[str, ...]], None] | None:
    git, remote = workspace.git, workspace.large_files
    if git is None or remote is None:
        return None
    return lambda paths: fetch_large_files(git.command, remote, paths)


def _carry_out(bench: Bench, plan: Plan, screen: Screen) -> tuple[tuple[StepOutcome, ...], bool]:
    """Outcomes of all steps, also of those that an interruption kept from running."""
    outcomes: dict[str, StepOutcome] = {}  # a step that was reused may have to run after all
    current: Decision | None = None
    try:
        for item in runner.run(bench, plan.decisions):
            if isinstance(item, Decision):
                current = item
                screen.start(item)
            else:
                outcomes[item.step.id] = item
                screen.end(item)
    except KeyboardInterrupt:
        _ignore_signals()
        screen.resume()
        screen.say("interrupted; ending what runs")
        bench.executor.close()
        back = bench.aside.put_back()
        for outcome in _cancelled(bench, current, outcomes, back[1] if back else ()):
            outcomes[outcome.step.id] = outcome
            screen.end(outcome)
        return tuple(outcomes.values()), True
    finally:
        screen.resume()
        bench.executor.close()
        bench.aside.put_back()
    return tuple(outcomes.values()), False


def _cancelled(
    bench: Bench,
    current: Decision | None,
    outcomes: Mapping[str, StepOutcome],
    back: tuple[str, ...],
) -> list[StepOutcome]:
    left = [step for step in bench.workflow.steps if step.id not in outcomes]
    running = current.step if current and current.action is Action.RUN else None
    return [
        StepOutcome(
            step=step,
            status=Status.CANCELLED if step is running else Status.BLOCKED,
            reasons=("the run was interrupted",),
            notes=(f"put back from before: {', '.join(back)}",) if back and step is running else (),
        )
        for step in left
    ]


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _binary(stream: TextIO) -> BinaryIO:
    """The byte stream below a text stream; for one that has none, a sink."""
    stream.flush()
    return getattr(stream, "buffer", None) or io.BytesIO()
