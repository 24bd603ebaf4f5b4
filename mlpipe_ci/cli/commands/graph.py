"""`mlpipe graph`: show which step needs which."""

import argparse
from collections.abc import Mapping
from typing import TextIO

from mlpipe_ci.cli.locate import find_locations
from mlpipe_ci.cli.open_session import read_workflow
from mlpipe_ci.cli.options import (
    DEFAULTS,
    CommonOptions,
    SessionOptions,
    add_common,
    add_format,
    add_workflow,
)
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.graph import edges
from mlpipe_ci.report.graph import FORMATS

EXAMPLE = "mlpipe graph\n  mlpipe graph --format mermaid"


@frozen
class Options(CommonOptions):
    """What `mlpipe graph` takes."""

    session: SessionOptions = DEFAULTS
    format: str = "text"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of which workflow, and how it is printed."""
    add_common(parser)
    add_format(parser, FORMATS)
    add_workflow(parser)


def main(options: Options, env: Mapping[str, str], out: TextIO, _err: TextIO) -> int:
    """Exit code 0; an error of the workflow is raised."""
    workflow = read_workflow(find_locations(options.directory, env), options.session, env)
    wanted = "json" if options.json else options.format
    print(FORMATS[wanted](workflow, edges(workflow)), file=out)
    return 0
