"""Parses the command line, calls one command, turns errors into exit codes."""

import argparse
import errno
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import NoReturn

from mlpipe_ci import __version__
from mlpipe_ci.commands import COMMANDS
from mlpipe_ci.errors import InterruptedRunError, MlpipeError, UsageError, WorkflowError

BUG = 3
HELP = {
    "run": (
        "run the steps that are needed, in order",
        "mlpipe run\n  mlpipe run evaluate\n  mlpipe run --set train.rate=0.1",
    ),
    "plan": ("say what a run would do, and why", "mlpipe plan\n  mlpipe plan --base origin/main"),
    "explain": (
        "show what decides a step, and what differs from its last success",
        "mlpipe explain train",
    ),
    "validate": (
        "check workflow files",
        "mlpipe validate\n  mlpipe validate a.yml b.yml\n  mlpipe validate --format sarif",
    ),
    "cache": (
        "look after the local cache",
        "mlpipe cache status\n  mlpipe cache verify\n  mlpipe cache gc --max-size 5G",
    ),
    "graph": ("show which step needs which", "mlpipe graph\n  mlpipe graph --format mermaid"),
    "trace": (
        "show what steps were seen to read and write and do not declare",
        "mlpipe trace\n  mlpipe trace train --write",
    ),
    "doctor": ("say what works on this machine: git, cache, tracers", "mlpipe doctor"),
}


FORMATS = {"validate": ("text", "json", "sarif"), "graph": ("text", "mermaid", "dot", "json")}
"""What --format takes. The commands themselves are not imported for it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Exit code: 0, 1, 2 (user's error), 3 (bug), 130 (interrupted)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments == ["--version"]:
        print(f"mlpipe {__version__}")
        return 0
    _prepare()
    try:
        code = _command(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _complain(InterruptedRunError("interrupted"))
    except MlpipeError as error:
        return _complain(error)
    except OSError as error:
        return _output_gone(error)
    except Exception:  # noqa: BLE001 - the last resort: a bug keeps its traceback
        return _bug()


def _prepare() -> None:
    """Streams that take any text, and signals that end a run in order."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115, PTH123 - closed by `>&-`
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets it
            signal.signal(number, _interrupt)


def _output_gone(error: OSError) -> int:
    """The reader of our output has gone, as in `mlpipe plan | head`, or its disk is full."""
    if error.errno not in {errno.EPIPE, errno.ENOSPC}:
        return _bug()
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error.errno == errno.EPIPE:
        return 0
    return _complain(MlpipeError("the output cannot be written: the disk is full"))


def _bug() -> int:
    import traceback  # noqa: PLC0415 - 2 ms, which no run should need

    traceback.print_exc()
    print("mlpipe: this is a fault of mlpipe; please report it", file=sys.stderr)
    return BUG


def parser(wanted: str = "") -> argparse.ArgumentParser:
    """The whole command line; the reference in docs/ is generated from it.

    `wanted`: the only command whose options are needed, if it is one.
    """
    top = _Parser(
        prog="mlpipe", description="Runs a machine-learning workflow, and only what changed."
    )
    top.add_argument("--version", action="version", version=f"mlpipe {__version__}")
    # With `prog` argparse need not format its usage, which takes 2 ms.
    commands = top.add_subparsers(prog="mlpipe", dest="command", metavar="COMMAND", required=True)
    for name, (text, example) in HELP.items():
        command = commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if wanted in {name, ""} or wanted not in HELP:
            _options(command, name)
    return top


def _options(command: argparse.ArgumentParser, name: str) -> None:
    add = command.add_argument
    add("-C", dest="directory", metavar="DIR", default=".", help="work in this directory")
    add("-q", "--quiet", action="store_true", help="print only what is needed")
    add("--json", action="store_true", help="print JSON on standard output, all else on error")
    if name in FORMATS:
        help_ = f"how to print it: {', '.join(FORMATS[name])} (default: text)"
        add("--format", metavar="FORMAT", choices=FORMATS[name], default="text", help=help_)
    if name == "cache":
        help_ = "what is in it; what is damaged; remove what was used longest ago"
        add("action", choices=("status", "verify", "gc"), help=help_)
        help_ = "gc: keep so much, as in 500M (default: MLPIPE_CACHE_MAX_SIZE, else 20G)"
        add("--max-size", metavar="SIZE", help=help_)
        help_ = "gc: keep what was used in so many days (default: MLPIPE_CACHE_MAX_AGE, else 90)"
        add("--max-age", metavar="DAYS", type=float, help=help_)
        return
    if name == "doctor":
        return
    if name == "validate":
        help_ = "workflow files (default: mlpipe.yml at the root)"
        add("files", metavar="FILE", nargs="*", help=help_)
        return
    add("--file", metavar="FILE", help="the workflow file (default: mlpipe.yml at the root)")
    help_ = "use this value of params, as in train.rate=0.1; may be given several times"
    add("--set", dest="settings", metavar="KEY=VALUE", action="append", help=help_)
    if name == "explain":
        add("steps", metavar="STEP", nargs="+", help="ids or names of steps")
    if name == "trace":
        add("steps", metavar="STEP", nargs="*", help="ids or names of steps (default: all)")
        add("--write", action="store_true", help="add the lines to the workflow file")
        return
    if name != "graph":
        add("--base", metavar="REF", help="compare with this commit, branch or tag")
        help_ = "run this step even if its result is known; without a name: all"
        add("--force", metavar="STEP", nargs="?", const="", action="append", help=help_)
        help_ = "check this repository out first, into DIR or a new directory named as it is"
        add("--repo", metavar="URL", default="", help=help_)
        help_ = "branch, tag or commit of --repo (default: its default branch)"
        add("--ref", metavar="REF", default="", help=help_)
        add("--submodules", action="store_true", help="check out submodules as well")
    if name in {"run", "plan"}:
        help_ = "only these steps and what they need, by id or name (default: all)"
        add("targets", metavar="STEP", nargs="*", help=help_)
        add("--only", action="store_true", help="only the named steps, without what they need")
        help_ = "the named steps and all that need them, without what they need themselves"
        add("--downstream", action="store_true", help=help_)
    if name == "run":
        help_ = "bring back all outputs of reused steps, or only those that running steps need"
        add("--outputs", choices=("all", "needed"), default="all", help=help_)
        help_ = "run steps also on an event that gives a stranger's change this repository's rights"
        add("--allow-untrusted", action="store_true", help=help_)
        help_ = "post no comment on the pull request"
        add("--no-comment", dest="comment", action="store_false", help=help_)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.format_usage().strip()}\n(mlpipe --help says more)")


def _command(arguments: list[str]) -> int:
    # Before anything is started: no git, and so no filter or hook of it, inherits the token.
    secret = {name: os.environ.pop(name) for name in ("MLPIPE_TOKEN",) if name in os.environ}
    # GitPython takes 0.13 s to import: `--help` and a wrong option do not pay for it.
    from mlpipe_ci.checkout import Asked  # noqa: PLC0415
    from mlpipe_ci.git import clear_local_environment  # noqa: PLC0415
    from mlpipe_ci.options import Options  # noqa: PLC0415

    given = vars(parser(arguments[0] if arguments else "").parse_args(arguments))
    name = given.pop("command")
    for many in ("files", "settings", "force", "steps", "targets"):
        given[many] = tuple(given.get(many) or ())
    if "repo" in given:
        given["asked"] = Asked(**{key: given.pop(key) for key in ("repo", "ref", "submodules")})
    clear_local_environment(os.environ)
    command, env = import_module(COMMANDS[name]), dict(os.environ) | secret
    code: int = command.main(Options(**given), env, sys.stdout, sys.stderr)
    return code


def _complain(error: MlpipeError) -> int:
    from mlpipe_ci.report import actions, faults  # noqa: PLC0415 - only here, not at each start

    found = error.faults if isinstance(error, WorkflowError) else ()
    for line in (line for fault in found for line in faults.fault_lines(fault)):
        print(line, file=sys.stderr)
    if not found:
        print(f"mlpipe: {error}", file=sys.stderr)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for text in [actions.fault(fault) for fault in found] or [actions.error(str(error))]:
            print(text)
    return error.exit_code


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
