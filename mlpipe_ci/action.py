"""The GitHub action's inputs as a command line: `python -m mlpipe_ci.action`."""

import os
import sys
from collections.abc import MutableMapping

from mlpipe_ci.cli import main
from mlpipe_ci.report.actions import error

PREFIX = "MLPIPE_INPUT_"


def command_line(env: MutableMapping[str, str]) -> list[str]:
    """Take the inputs out of the environment (no step shall see them). Raises ValueError."""
    inputs = {
        name.removeprefix(PREFIX).lower(): env.pop(name).strip()
        for name in sorted(env)
        if name.startswith(PREFIX)
    }
    comment = inputs.get("comment") or "true"
    if comment not in {"true", "false"}:
        raise ValueError(f"input comment is '{comment}'; it must be true or false")
    if comment == "false":
        env.pop("MLPIPE_TOKEN", None)
    words = ["run", "-C", inputs.get("working_directory") or "."]
    return words + [f"--{name}={inputs[name]}" for name in ("file", "base") if inputs.get(name)]


def run() -> int:
    """Run mlpipe as the action's inputs say. Returns the exit code."""
    try:
        words = command_line(os.environ)
    except ValueError as problem:
        print(error(str(problem)))
        return 2
    return main(words)


if __name__ == "__main__":
    sys.exit(run())
