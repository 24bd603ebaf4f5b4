"""`mlpipe explain STEP`: show what decides a step, and what differs from its last success here."""

import argparse
import json
import time
from collections.abc import Mapping
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
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.plan import Decision
from mlpipe_ci.plan.decide import make_plan
from mlpipe_ci.plan.evidence import EvidenceCollector
from mlpipe_ci.report.explain import Explained, explain_json, explain_lines, explained

EXAMPLE = "mlpipe explain train"


@frozen
class Options(CommonOptions):
    """What `mlpipe explain` takes."""

    session: SessionOptions = DEFAULTS
    steps: tuple[str, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which steps, and what bears on their decisions."""
    add_common(parser)
    add_workflow(parser)
    parser.add_argument("steps", metavar="STEP", nargs="+", help="ids or names of steps")
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
    collector = session.collector(time.time())
    plan = make_plan(session.workflow, collector)
    chosen = [_explained(d, collector) for d in plan.decisions if d.step.id in wanted]
    session.cache.state.close()
    if options.json:
        records = [explain_json(one) for one in chosen]
        json.dump({"version": 1, "workflow": plan.workflow.name, "steps": records}, out, indent=2)
        print(file=out)
        return 0
    for one in chosen:
        print(*explain_lines(one, collector.now), sep="\n", file=out)
    return 0


def _explained(decision: Decision, collector: EvidenceCollector) -> Explained:
    """Compared with the last success here; where there is none, with the nearest result."""
    previous, now = collector.compared(decision.step, decision.parts)
    nearest = None if previous else collector.nearest(decision.step, decision.parts)
    if nearest:
        previous, now = nearest.parts, decision.parts
    return explained(decision, previous, now, nearest, collector.newest(decision.key))
