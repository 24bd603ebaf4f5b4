"""`mlpipe trace [STEP]`: say what steps were seen to read and write; `--write` declares it."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from mlpipe_ci.ci.screen import open_screen
from mlpipe_ci.cli.locate import check_out_and_locate
from mlpipe_ci.cli.open_session import open_session
from mlpipe_ci.cli.options import (
    DEFAULTS,
    CommonOptions,
    SessionOptions,
    add_common,
    add_workflow,
)
from mlpipe_ci.cli.step_selection import named_steps
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.proposal import Proposal, input_patterns, output_paths
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.plan.session import Session
from mlpipe_ci.report.proposals import proposal_json, proposal_lines
from mlpipe_ci.workflow import edit as yaml_edit

EXAMPLE = "mlpipe trace\n  mlpipe trace train --write"


@frozen
class Options(CommonOptions):
    """What `mlpipe trace` takes."""

    session: SessionOptions = DEFAULTS
    steps: tuple[str, ...] = ()
    write: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which steps, and whether the file is edited."""
    add_common(parser)
    add_workflow(parser)
    help_ = "ids or names of steps (default: all)"
    parser.add_argument("steps", metavar="STEP", nargs="*", help=help_)
    help_ = "add the lines to the workflow file"
    parser.add_argument("--write", action="store_true", help=help_)


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0; an error of the workflow, of a path or of a name is raised."""
    screen = open_screen(err, env, progress="plain", quiet=options.quiet)
    locations = check_out_and_locate(
        options.directory, options.session.checkout, env, screen.message
    )
    session = open_session(locations, options.session, env, readonly=True)
    workflow = session.workflow
    wanted = named_steps(workflow, options.steps or ("",), "trace")
    found = {s: propose(session, s) for s in workflow.steps if s.id in wanted}
    unseen = [s for s in found if not session.cache.state.last_trace(workflow.file, s.id).is_known]
    session.cache.state.close()
    if options.json:
        steps = [proposal_json(step, one) for step, one in found.items()]
        json.dump({"version": 1, "workflow": workflow.name, "steps": steps}, out, indent=2)
        print(file=out)
    else:
        names = [step.name for step in unseen]
        lines = proposal_lines(workflow.file, list(found.items()), names)
        print(*lines, sep="\n", file=out)
    if options.write:
        file = session.load_request.file
        count = _write(file.path, found)
        left = {step.group or step.name for step, one in found.items() if step.strategy and one}
        if left:
            screen.message(
                f"{', '.join(sorted(left))}: combinations and items share one entry: add by hand"
            )
        screen.message(
            f"{file.shown}: {count} line(s) added" if count else f"{file.shown}: nothing to add"
        )
    return 0


def propose(session: Session, step: Step) -> Proposal:
    """What would declare all that was seen of a step and is not declared."""
    last = session.cache.state.last_trace(session.workflow.file, step.id)
    declared = [pattern for pattern in step.reads if not pattern.startswith("!")]
    reads = [p for p in last.reads if not any(matches(one, p) for one in declared)]
    others = [*session.repo.tree.paths(".", step.name), *last.reads]
    # A directory that git brings stays where it is: of an output directory the step makes all.
    tracked = [path for path in last.writes if session.repo.tree.tracked(path)]
    made = [path for path in last.writes if path not in tracked]
    return Proposal(
        inputs=input_patterns(reads),
        outputs=tuple(sorted({*tracked, *output_paths(made, [*others, *tracked])})),
        variables=last.variables,
    )


def _write(path: Path, found: Mapping[Step, Proposal]) -> int:
    """Add the lines. Returns how many."""
    additions: dict[int, dict[str, tuple[str, ...]]] = {}
    for step, proposal in found.items():
        if step.strategy is not None:
            continue  # its combinations share one entry
        additions[step.position] = {"inputs": proposal.inputs, "outputs": proposal.outputs}
    count = sum(len(one) for lists in additions.values() for one in lists.values())
    if count:
        text = path.read_bytes().decode("utf-8")
        yaml_edit.add_lines(path, yaml_edit.edited(text, additions))
    return count
