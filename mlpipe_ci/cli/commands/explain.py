"""`mlpipe explain STEP`: show what decides a step, and what differs from its last success here."""

import json
import time
from collections.abc import Mapping
from typing import TextIO

from mlpipe_ci.ci.screen import open_screen
from mlpipe_ci.cli.locate import provide
from mlpipe_ci.cli.open_session import Telling, open_workspace
from mlpipe_ci.cli.options import Options
from mlpipe_ci.cli.step_selection import named_steps
from mlpipe_ci.core.plan import Decision
from mlpipe_ci.plan.decide import make_plan
from mlpipe_ci.plan.evidence import Gatherer
from mlpipe_ci.report.explain import Explained, explain_json, explain_lines, explained


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0; an error of the workflow, of a path or of a name is raised."""
    screen = open_screen(err, env, progress="plain", quiet=options.quiet)
    place = provide(options, env, screen.say)
    workspace = open_workspace(place, options, env, Telling(say=screen.say), readonly=True)
    wanted = named_steps(workspace.workflow, options.steps, "explain")
    gatherer = workspace.gatherer(time.time())
    plan = make_plan(workspace.workflow, gatherer)
    chosen = [_explained(d, gatherer) for d in plan.decisions if d.step.id in wanted]
    workspace.state.close()
    if options.json:
        told = [explain_json(one) for one in chosen]
        json.dump({"version": 1, "workflow": plan.workflow.name, "steps": told}, out, indent=2)
        print(file=out)
        return 0
    for one in chosen:
        print(*explain_lines(one, gatherer.now), sep="\n", file=out)
    return 0


def _explained(decision: Decision, gatherer: Gatherer) -> Explained:
    """Held against the last success here; where there is none, against the nearest result."""
    previous, now = gatherer.compared(decision.step, decision.parts)
    nearest = None if previous else gatherer.nearest(decision.step, decision.parts)
    if nearest:
        previous, now = nearest.parts, decision.parts
    return explained(decision, previous, now, nearest, gatherer.newest(decision.key))
