"""`mlpipe validate`: say all that is wrong with workflow files, and run nothing."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TextIO

from mlpipe_ci.errors import WorkflowError
from mlpipe_ci.git import open_git
from mlpipe_ci.load import load
from mlpipe_ci.report import actions
from mlpipe_ci.report.words import shown
from mlpipe_ci.workspace import Options, start_directory, workflow_file


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0 if all files are right, 2 if one is not."""
    start = start_directory(options.directory)
    git = open_git(start)
    faulty = False
    for name in options.files or (None,):
        path, where = workflow_file(
            replace(options, file=name or options.file), start, git.root if git else start
        )
        try:
            workflow = load(path, where, path.parent.name)
        except WorkflowError as error:
            faulty = True
            for fault in error.faults:
                print(shown(str(fault)), file=err)
                if env.get("GITHUB_ACTIONS") == "true":
                    print(actions.error(fault.message, fault), file=out)
        else:
            if not options.quiet:
                print(f"{shown(where)}: {len(workflow.steps)} step(s), no fault", file=out)
    return WorkflowError.exit_code if faulty else 0
