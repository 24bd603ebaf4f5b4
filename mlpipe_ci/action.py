"""The GitHub action's inputs as a command line: `python -m mlpipe_ci.action`."""

import os
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from mlpipe_ci.cli import main
from mlpipe_ci.report.actions import error

PREFIX = "MLPIPE_INPUT_"
FLAGS = {"cache": "true", "comment": "true", "submodules": "false", "allow_untrusted": "false"}
"""Inputs that are true or false, and what they are if they are not given."""
OPTIONS = ("submodules", "allow_untrusted")
"""Those that are options of `mlpipe run`."""
PACK = "MLPIPE_PACK"
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
    flags = {name: _flag(inputs, name, default) for name, default in FLAGS.items()}
    words = ["run", "-C", inputs.get("working_directory") or "."]
    words += [f"--{name.replace('_', '-')}" for name in OPTIONS if flags[name]]
    words += [] if flags["comment"] else ["--no-comment"]
    if flags["cache"]:
        env[PACK] = str(_pack(env))
    values = ("file", "base", "force", "outputs")
    return words + [f"--{name}={inputs[name]}" for name in values if inputs.get(name)]


def _pack(env: Mapping[str, str]) -> Path:
    """Where the steps of action.yml that restore and save it have the pack."""
    return Path(env.get("HOME", "")) / ".cache/mlpipe-packs" / env.get("GITHUB_REPOSITORY", "")


def _tell(env: Mapping[str, str]) -> None:
    """Give the steps of action.yml that follow what they ask for."""
    output = env.get("GITHUB_OUTPUT")
    pack = _pack(env)
    if output and pack.with_name(f"{pack.name}.changed").exists():
        with Path(output).open("a", encoding="utf-8") as file:
            file.write("pack=changed\n")


def _flag(inputs: Mapping[str, str], name: str, default: str) -> bool:
    value = inputs.get(name) or default
    if value not in {"true", "false"}:
        raise ValueError(f"input {name.replace('_', '-')} is '{value}'; it must be true or false")
    return value == "true"


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
    code = main(words)
    _tell(os.environ)
    return code


if __name__ == "__main__":
    sys.exit(run())
