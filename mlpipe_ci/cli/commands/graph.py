"""`mlpipe graph`: show which step needs which."""

from collections.abc import Mapping
from typing import TextIO

from mlpipe_ci.cli.locate import find_locations
from mlpipe_ci.cli.open_session import read_workflow
from mlpipe_ci.cli.options import Options
from mlpipe_ci.core.graph import edges
from mlpipe_ci.report.graph import FORMATS


def main(options: Options, env: Mapping[str, str], out: TextIO, _err: TextIO) -> int:
    """Exit code 0; an error of the workflow is raised."""
    workflow = read_workflow(find_locations(options, env), options, env)
    wanted = "json" if options.json else options.format
    print(FORMATS[wanted](workflow, edges(workflow)), file=out)
    return 0
