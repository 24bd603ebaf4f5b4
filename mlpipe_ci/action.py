"""The GitHub action's inputs as a command line: `python -m mlpipe_ci.action`."""

import os
import sys
from collections.abc import MutableMapping

from mlpipe_ci.cli import main
from mlpipe_ci.report.actions import error

PREFIX = "MLPIPE_INPUT_"
TOKEN_DESCRIPTOR = 3
"""The token comes through a descriptor: what mlpipe's environment holds when it is started, each
step could read from /proc."""


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


def read_token(descriptor: int) -> str:
    """Read and close the descriptor; an empty text if it is not open."""
    try:
        with open(descriptor, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def run() -> int:
    """Run mlpipe as the action's inputs say. Returns the exit code."""
    if token := read_token(TOKEN_DESCRIPTOR):
        os.environ["MLPIPE_TOKEN"] = token  # of this process, and kept from those of steps
    try:
        words = command_line(os.environ)
    except ValueError as problem:
        print(error(str(problem)))
        return 2
    return main(words)


if __name__ == "__main__":
    sys.exit(run())
