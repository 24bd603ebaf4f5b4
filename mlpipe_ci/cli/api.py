"""The Python API: what `import mlpipe_ci` offers. The command line without its printing."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlpipe_ci.ci.event import refuse_untrusted
from mlpipe_ci.cli.locate import find_locations, refuse_nested
from mlpipe_ci.cli.open_session import Messages, open_session, read_workflow
from mlpipe_ci.cli.options import SessionOptions
from mlpipe_ci.core.plan import Plan
from mlpipe_ci.core.run import Run
from mlpipe_ci.core.workflow import Workflow
from mlpipe_ci.metrics.plots.build import LARGE
from mlpipe_ci.plan.decide import make_plan
from mlpipe_ci.repo.lock import hold
from mlpipe_ci.repo.private_directory import LOCK
from mlpipe_ci.run import run_workflow as carry_out
from mlpipe_ci.run.listener import Listener, SilentListener
from mlpipe_ci.run.machine import capacity
from mlpipe_ci.run.settings import RunSettings, jobs_of

SILENT = SilentListener()


def load_workflow(
    directory: str | Path = ".",
    file: str | None = None,
    *,
    settings: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> Workflow:
    """Read a workflow file: `mlpipe.yml` at the root of the repository around `directory`.

    `file`: another one, seen from `directory`. `settings`: params that are set, as in `--set`
    (`"train.rate=0.1"`). `env`: the environment, None: that of this process. Raises WorkflowError
    with all that is wrong with the file; UsageError, GitError.
    """
    options = SessionOptions(file=file, settings=tuple(settings))
    env = _environment(env)
    return read_workflow(find_locations(str(directory), env), options, env)


def plan_workflow(
    directory: str | Path = ".",
    file: str | None = None,
    *,
    steps: Sequence[str] = (),
    settings: Sequence[str] = (),
    base: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Plan:
    """Decide each step, and run nothing: `plan.decisions` has for each its action and reasons.

    `steps`: names of those that count, with what they need; none: all. `base`: the commit that
    reasons compare with; None: as the event says. The rest is as for `load_workflow`. Writes
    nothing. Raises MlpipeError.
    """
    options = SessionOptions(
        file=file,
        targets=tuple(steps),
        settings=tuple(settings),
        base=base,
    )
    env = _environment(env)
    session = open_session(find_locations(str(directory), env), options, env, readonly=True)
    try:
        return make_plan(session.workflow, session.collector(time.time(), foresees=True))
    finally:
        session.cache.state.close()


def run_workflow(  # noqa: PLR0913 - each is an option of `mlpipe run`, given by name
    directory: str | Path = ".",
    file: str | None = None,
    *,
    steps: Sequence[str] = (),
    force: Sequence[str] = (),
    settings: Sequence[str] = (),
    jobs: int = 1,
    keep_going: bool = False,
    listener: Listener = SILENT,
    env: Mapping[str, str] | None = None,
) -> Run:
    """Run what is needed. A step that fails is part of the answer: see `run.result`.

    `force`: steps that run whatever is known. `jobs`: commands at once. `keep_going`: a failure
    stops only what needs the step that failed. `listener`: follows the run. The rest is as for
    `plan_workflow`. Waits for another run in the same work tree. Nothing is posted, and no report
    is written. Raises MlpipeError where the run cannot start.
    """
    options = SessionOptions(
        file=file,
        targets=tuple(steps),
        force=tuple(force),
        settings=tuple(settings),
    )
    env = _environment(env)
    locations = find_locations(str(directory), env)
    refuse_nested(locations, env)
    with hold(locations.private / LOCK, listener.message) as lock:
        messages = Messages(line=listener.message)
        session = open_session(locations, options, env, messages, readonly=False)
        refuse_untrusted(session.event, allowed=False)
        run_settings = RunSettings(
            jobs=jobs_of(str(jobs)),
            keep_going=keep_going,
            capacity=capacity(env),
            largest_plot=LARGE,
            locks=() if lock is None else (lock,),
        )
        return carry_out.run_workflow(session, run_settings, listener)


def _environment(env: Mapping[str, str] | None) -> Mapping[str, str]:
    return dict(os.environ if env is None else env)
