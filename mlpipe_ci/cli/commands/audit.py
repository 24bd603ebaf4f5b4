"""`mlpipe audit`: run reused steps again in a copy, and compare what they leave byte for byte."""

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TextIO

from mlpipe_ci.audit.audit import Audit, AuditSettings
from mlpipe_ci.audit.choose import Choice
from mlpipe_ci.audit.contents import environment_of
from mlpipe_ci.audit.scratch import Scratch, open_scratch
from mlpipe_ci.cache import layout
from mlpipe_ci.ci.event import refuse_untrusted
from mlpipe_ci.ci.screen import open_screen, print_or_drop
from mlpipe_ci.cli.locate import check_out_and_locate, find_locations, refuse_nested
from mlpipe_ci.cli.open_session import Messages, open_session
from mlpipe_ci.cli.options import (
    DEFAULTS,
    CommonOptions,
    SessionOptions,
    add_common,
    add_no_remote,
    add_workflow,
)
from mlpipe_ci.cli.step_selection import named_steps
from mlpipe_ci.core.audit import AuditReport
from mlpipe_ci.core.errors import InterruptedRunError, UsageError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.settings import PACK, Settings
from mlpipe_ci.core.units import duration_seconds
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.plan.decide import make_plan
from mlpipe_ci.plan.session import Session
from mlpipe_ci.repo.location import Locations
from mlpipe_ci.report.audit import audit_json, audit_lines

EXAMPLE = "mlpipe audit\n  mlpipe audit train\n  mlpipe audit --sample 3 --budget 30m"


@frozen
class Options(CommonOptions):
    """What `mlpipe audit` takes."""

    session: SessionOptions = DEFAULTS
    steps: tuple[str, ...] = ()
    sample: int | None = None
    budget: float | None = None
    tolerance: float = 0.0
    allow_untrusted: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which steps, for how long, how exactly."""
    add_common(parser)
    add_workflow(parser)
    add_no_remote(parser)
    add = parser.add_argument
    help_ = "ids or names of steps (default: all that a run would reuse)"
    add("steps", metavar="STEP", nargs="*", help=help_)
    help_ = "only N of them: those never audited, then those audited longest ago"
    add("--sample", metavar="N", type=_count, help=help_)
    help_ = "only what fits into this time, such as 30m, by what the steps took before"
    add("--budget", metavar="TIME", type=_budget, help=help_)
    help_ = "numbers in metrics may differ by this part of their value (default: 0, not at all)"
    add("--tolerance", metavar="X", type=_tolerance, default=0.0, help=help_)
    help_ = "run steps also on an event that gives a stranger's change this repository's rights"
    add("--allow-untrusted", action="store_true", help=help_)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number above 0")
    return int(text)


def _budget(text: str) -> float:
    try:
        return duration_seconds(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no time; write 90s, 30m or 2h") from None


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 0 to 1; write 1e-9")
    return value


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0 if all that was audited is identical; 1 if not, or if nothing was audited."""
    if options.steps and options.sample is not None:
        raise UsageError("--sample chooses steps by itself; name steps, or give --sample")
    screen = open_screen(err, env, progress="plain", quiet=options.quiet)
    locations = check_out_and_locate(
        options.directory, options.session.checkout, env, screen.message
    )
    refuse_nested(locations, env)
    messages = Messages(line=screen.message, progress=screen.progress)
    session = open_session(locations, options.session, env, messages, readonly=True)
    refuse_untrusted(session.event, allowed=options.allow_untrusted)
    report = session.mask.value(_audited(session, locations, options, screen.message))
    session.cache.state.close()
    if options.json:
        print_or_drop(json.dumps(audit_json(report), indent=2), out)
    else:
        print_or_drop("\n".join(audit_lines(report, time.time())), out)
    return 0 if report.passed else 1


def _audited(
    session: Session, locations: Locations, options: Options, say: Callable[[str], None]
) -> AuditReport:
    plan = make_plan(session.workflow, session.collector(time.time()))
    named = named_steps(session.workflow, options.steps, "step") if options.steps else None
    choice = Choice(named=named, sample=options.sample, budget=options.budget)
    settings = AuditSettings(choice=choice, tolerance=options.tolerance)

    def open_copy(scratch: Scratch, step: Step) -> Session:
        return _copy_of(session, locations, options, scratch, step)

    try:
        with open_scratch(layout.audits(locations.cache)) as scratch:
            return Audit(session, plan, scratch, open_copy, say).run(settings)
    except KeyboardInterrupt:
        raise InterruptedRunError("interrupted; the copy is removed") from None


def _copy_of(
    session: Session, locations: Locations, options: Options, scratch: Scratch, step: Step
) -> Session:
    """A session in the copy, with a cache of its own, in which only this step counts."""
    root, work = locations.root, scratch.work
    env = environment_of(session.env, str(root), str(work))
    env = {name: value for name, value in env.items() if name != PACK}
    env[Settings.cache_dir.name] = str(scratch.cache)
    start = work / locations.start.relative_to(root)
    start.mkdir(parents=True, exist_ok=True)
    file = session.load_request.file.path
    if file.is_relative_to(root):
        file = work / file.relative_to(root)
    changed = replace(
        options.session,
        file=os.fspath(file),
        remote=False,
        push=False,
        targets=(step.id,),
        only=True,
        force=(step.id,),
    )
    there = find_locations(os.fspath(start), env)
    return open_session(there, changed, env, readonly=False, event=session.event)
