"""The command line: commands, options, help. The reference in docs/ is generated from it."""

import argparse
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any, NoReturn, TypeVar

from mlpipe_ci import __version__
from mlpipe_ci.cli.commands import COMMANDS
from mlpipe_ci.core.errors import UsageError

T = TypeVar("T")


def parser(wanted: str | None = None, *, alone: bool = False) -> argparse.ArgumentParser:
    """The whole command line; the reference in docs/ is generated from it.

    `wanted`: the only command whose module is imported, and whose arguments are added; `alone`: the
    others are left out.
    """
    top = _Parser(
        prog="mlpipe", description="Runs a machine-learning workflow, and only what changed."
    )
    top.add_argument("--version", action="version", version=f"mlpipe {__version__}")
    # With `prog` argparse need not format its usage, which takes 2 ms.
    commands = top.add_subparsers(prog="mlpipe", dest="command", metavar="COMMAND", required=True)
    for name in (wanted,) if wanted and alone else COMMANDS:
        text = COMMANDS[name]
        command = commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if wanted in {name, None}:
            module = load(name)
            command.epilog = f"example:\n  {module.EXAMPLE}"
            module.add_arguments(command)
    return top


def load(name: str) -> Any:
    """The module of a command."""
    return import_module(f"mlpipe_ci.cli.commands.{name}")


def read_options(kind: type[T], given: Mapping[str, Any]) -> T:
    """Fill a dataclass from parsed arguments: each field by its name, a dataclass in it likewise.

    A field keeps its default where the command has no such argument, or nothing was given.
    """
    found: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        value = given.get(field.name)
        if is_dataclass(field.type):
            found[field.name] = read_options(field.type, given)  # type: ignore[arg-type]
        elif value is not None:
            found[field.name] = tuple(value) if isinstance(value, list) else value
    return kind(**found)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.format_usage().strip()}\n(mlpipe --help says more)")
