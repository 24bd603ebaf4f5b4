"""`mlpipe validate`: say all that is wrong with workflow files, and run nothing."""

import argparse
from collections.abc import Mapping
from functools import partial
from typing import TextIO

from mlpipe_ci.ci.github import workflow_commands
from mlpipe_ci.ci.github.runner import reads_commands
from mlpipe_ci.cli.locate import find_git, start_directory
from mlpipe_ci.cli.options import CommonOptions, add_common, add_format
from mlpipe_ci.core.errors import WorkflowError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.plan.file_checks import FileChecks
from mlpipe_ci.repo.each_files import on_disk
from mlpipe_ci.repo.git import Git
from mlpipe_ci.repo.work_tree import WorkTree
from mlpipe_ci.report.diagnostics import FORMATS, CheckedFile
from mlpipe_ci.report.wording import escape_controls
from mlpipe_ci.workflow.load import load
from mlpipe_ci.workflow.workflow_file import LoadRequest, WorkflowFile, find_workflow_file

EXAMPLE = "mlpipe validate\n  mlpipe validate a.yml b.yml\n  mlpipe validate --format sarif"


@frozen
class Options(CommonOptions):
    """What `mlpipe validate` takes."""

    files: tuple[str, ...] = ()
    format: str = "text"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which files, and how faults are printed."""
    add_common(parser)
    add_format(parser, FORMATS)
    help_ = "workflow files (default: mlpipe.yml at the root)"
    parser.add_argument("files", metavar="FILE", nargs="*", help=help_)


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0 if no file has an error, 2 if one has. Warnings do not count."""
    start = start_directory(options.directory)
    git, _ = find_git(start, env)
    root = git.root if git else start
    named = options.files or (None,)
    checked = tuple(_check(find_workflow_file(start, name, root), git) for name in named)
    wanted = "json" if options.json else options.format
    if wanted == "text":
        _print(checked, options, out, err)
    else:
        print(FORMATS[wanted](checked), file=out)
    if reads_commands(env):
        for diagnostic in (fault for one in checked for fault in one.diagnostics):
            print(workflow_commands.diagnostic(diagnostic), file=out if wanted == "text" else err)
    errors = any(fault.level == "error" for one in checked for fault in one.diagnostics)
    return WorkflowError.exit_code if errors else 0


def _check(file: WorkflowFile, git: Git | None) -> CheckedFile:
    items = partial(on_disk, file.root)
    try:
        workflow = load(
            LoadRequest(file=file, name=file.path.parent.name, github=None, items=items)
        )
    except WorkflowError as error:
        return CheckedFile(file=file.shown, steps=None, diagnostics=error.diagnostics)
    lines = file.path.read_text("utf-8-sig").split("\n")
    found = FileChecks(workflow, WorkTree(file.root, git, workflow.writes), lines).faults()
    return CheckedFile(file=file.shown, steps=len(workflow.steps), diagnostics=found)


def _print(checked: tuple[CheckedFile, ...], options: Options, out: TextIO, err: TextIO) -> None:
    for one in checked:
        if one.diagnostics:
            print(FORMATS["text"]((one,)), file=err)
        valid = not any(diagnostic.level == "error" for diagnostic in one.diagnostics)
        if valid and not options.quiet:
            warned = f", {len(one.diagnostics)} warning(s)" if one.diagnostics else ""
            print(f"{escape_controls(one.file)}: {one.steps} step(s), no fault{warned}", file=out)
