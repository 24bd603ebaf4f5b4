"""`mlpipe explain STEP`: show what decides a step, and what differs from an earlier run."""

import argparse
import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import TextIO

from mlpipe_ci.ci.screen import open_screen
from mlpipe_ci.cli.locate import check_out_and_locate
from mlpipe_ci.cli.open_session import Messages, open_session
from mlpipe_ci.cli.options import (
    DEFAULTS,
    CommonOptions,
    SessionOptions,
    add_common,
    add_decision,
    add_workflow,
)
from mlpipe_ci.cli.step_selection import named_steps
from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.plan import Decision
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.plan.decide import make_plan
from mlpipe_ci.plan.evidence import EvidenceCollector
from mlpipe_ci.plan.file_effect import Effect, FileEffect
from mlpipe_ci.plan.seen_words import seen_in_words
from mlpipe_ci.plan.session import Session
from mlpipe_ci.repo.location import Locations
from mlpipe_ci.report.explain import Explained, explain_json, explain_lines
from mlpipe_ci.report.wording import escape_controls

EXAMPLE = "mlpipe explain train"


@frozen
class Options(CommonOptions):
    """What `mlpipe explain` takes."""

    session: SessionOptions = DEFAULTS
    steps: tuple[str, ...] = ()
    why_not: str | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which steps, and what bears on their decisions."""
    add_common(parser)
    add_workflow(parser)
    parser.add_argument("steps", metavar="STEP", nargs="+", help="ids or names of steps")
    parser.add_argument(
        "--why-not", metavar="FILE", help="say whether a change of this file would run the step"
    )
    add_decision(parser)


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0; an error of the workflow, of a path or of a name is raised."""
    screen = open_screen(err, env, progress="plain", quiet=options.quiet)
    locations = check_out_and_locate(
        options.directory, options.session.checkout, env, screen.message
    )
    session = open_session(
        locations, options.session, env, Messages(line=screen.message), readonly=True
    )
    wanted = named_steps(session.workflow, options.steps, "explain")
    collector = session.collector(time.time(), foresees=True)
    plan = make_plan(session.workflow, collector)
    asked = [_explained(d, collector) for d in plan.decisions if d.step.id in wanted]
    chosen = session.mask.value(asked)
    session.cache.state.close()
    if options.why_not is not None:
        path = _relative(options.why_not, locations)
        effects = [(one.decision.step, _effect(one, session, path)) for one in chosen]
        _print_effects(effects, path, out, as_json=options.json)
        return 0
    if options.json:
        records = [explain_json(one) for one in chosen]
        json.dump({"version": 1, "workflow": plan.workflow.name, "steps": records}, out, indent=2)
        print(file=out)
        return 0
    for one in chosen:
        print(*explain_lines(one, collector.now), sep="\n", file=out)
    return 0


def _relative(file: str, locations: Locations) -> str:
    """A file as the workflow file names it. Raises UsageError."""
    path = os.path.relpath(locations.start / file, os.path.realpath(locations.root))
    if path.startswith("../"):
        root = locations.root
        raise UsageError(f"--why-not {file}: it lies outside of the repository ({root})")
    return path


def _effect(one: Explained, session: Session, path: str) -> Effect:
    asked = FileEffect(
        workflow=session.workflow,
        step=one.decision.step,
        result=one.decision.result or one.newest,
        later_writes=session.discovery.later_writes,
    )
    return asked.of(path)


def _print_effects(
    effects: Sequence[tuple[Step, Effect]], path: str, out: TextIO, *, as_json: bool
) -> None:
    if as_json:
        records = [{"id": step.id, "runs": one.runs, "why": one.why} for step, one in effects]
        json.dump({"version": 1, "file": path, "steps": records}, out, indent=2)
        print(file=out)
        return
    words = {True: "yes", False: "no", None: "maybe"}
    for step, effect in effects:
        name = escape_controls(step.name)
        print(f"{name}: {words[effect.runs]}, {escape_controls(effect.why)}", file=out)


def _explained(decision: Decision, collector: EvidenceCollector) -> Explained:
    """Compared with the same run as in its reason."""
    newest, parts = collector.newest(decision.key), decision.parts
    known = (newest,) if newest else ()
    compared = collector.compared(decision.step, parts, {}, known) if parts else None
    result = decision.result or newest

    def named_in(name: str) -> str:
        return collector.named_in(name, decision.parts, result) if result else ""

    seen = tuple(seen_in_words(one, named_in) for one in (result.discovered if result else ()))
    return Explained(
        decision=decision,
        previous=compared.previous if compared else None,
        found=compared.declared if compared else None,
        since=compared.since if compared else "",
        newest=newest,
        seen=seen,
    )
