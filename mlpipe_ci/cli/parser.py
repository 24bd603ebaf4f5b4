"""The command line: commands, options, help. The reference in docs/ is generated from it."""

import argparse
from collections.abc import Callable
from typing import NoReturn

from mlpipe_ci import __version__
from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.run.executors import DEFAULT_EXECUTOR, EXECUTORS

HELP = {
    "run": (
        "run the steps that are needed, in order",
        "mlpipe run\n  mlpipe run evaluate --jobs 4\n  mlpipe run --set train.rate=0.1",
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
        "look after the local cache, and the remote one",
        "mlpipe cache status\n  mlpipe cache push\n  mlpipe cache gc --remote --dry-run",
    ),
    "graph": ("show which step needs which", "mlpipe graph\n  mlpipe graph --format mermaid"),
    "show": (
        "say which result made a file, and from what",
        "mlpipe show models/model.pkl\n  mlpipe show models/model.pkl --json",
    ),
    "trace": (
        "show what steps were seen to read and write and do not declare",
        "mlpipe trace\n  mlpipe trace train --write",
    ),
    "logs": (
        "print what steps printed, in the last run or an earlier one",
        "mlpipe logs\n  mlpipe logs train --run 12\n  mlpipe logs train --follow",
    ),
    "metrics": (
        "show the metrics beside those of the base, and the params that differ",
        "mlpipe metrics\n  mlpipe metrics origin/main\n  mlpipe metrics v1.2 --csv",
    ),
    "report": (
        "show a run's report as Markdown or HTML, or post it on its pull request",
        "mlpipe report --open\n  mlpipe report report.json\n  mlpipe report report.json --post",
    ),
    "runs": ("list the last runs in this work tree", "mlpipe runs"),
    "watch": (
        "run, and run again whenever something changes that a step reads",
        "mlpipe watch\n  mlpipe watch train --jobs 4",
    ),
    "doctor": ("say what works on this machine: git, caches, tracers", "mlpipe doctor"),
}


FORMATS = {"validate": ("text", "json", "sarif"), "graph": ("text", "mermaid", "dot", "json")}
"""What --format takes. The commands themselves are not imported for it."""


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
    """The options of one command, in the order in which its help shows them."""
    add = command.add_argument
    add("-C", dest="directory", metavar="DIR", default=".", help="work in this directory")
    add("-q", "--quiet", action="store_true", help="print only what is needed")
    add("--json", action="store_true", help="print JSON on standard output, all else on error")
    if name in FORMATS:
        help_ = f"how to print it: {', '.join(FORMATS[name])} (default: text)"
        add("--format", metavar="FORMAT", choices=FORMATS[name], default="text", help=help_)
    for group in OPTIONS[name]:
        group(command)


def _cache(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    help_ = (
        "what is in it; what is damaged; remove what was used longest ago; list results; send to "
        "the remote cache what a run would reuse here; get from it what a run would reuse"
    )
    add("action", choices=("status", "verify", "gc", "ls", "push", "pull"), help=help_)
    help_ = "status, ls, gc: of the remote cache that the workflow file names"
    add("--remote", dest="there", action="store_true", help=help_)
    add("-n", "--dry-run", action="store_true", help="gc: only say what would be removed")
    add("--file", metavar="FILE", help="the workflow file (default: mlpipe.yml at the root)")
    help_ = "gc: keep so much, as in 500M (default: MLPIPE_CACHE_MAX_SIZE, else 20G)"
    add("--max-size", metavar="SIZE", help=help_)
    help_ = "gc: keep what was used in so many days (default: MLPIPE_CACHE_MAX_AGE, else 90)"
    add("--max-age", metavar="DAYS", type=float, help=help_)


def _validate(command: argparse.ArgumentParser) -> None:
    help_ = "workflow files (default: mlpipe.yml at the root)"
    command.add_argument("files", metavar="FILE", nargs="*", help=help_)


def _logs(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("steps", metavar="STEP", nargs="*", help="ids of steps (default: all that ran)")
    add("--run", metavar="N", type=int, help="of this run (default: the last; see mlpipe runs)")
    add("-f", "--follow", action="store_true", help="go on printing while the run goes on")


def _workflow(command: argparse.ArgumentParser) -> None:
    """Which file is read, and with which params."""
    add = command.add_argument
    add("--file", metavar="FILE", help="the workflow file (default: mlpipe.yml at the root)")
    help_ = "use this value of params, as in train.rate=0.1; may be given several times"
    add("--set", dest="settings", metavar="KEY=VALUE", action="append", help=help_)


def _explain(command: argparse.ArgumentParser) -> None:
    command.add_argument("steps", metavar="STEP", nargs="+", help="ids or names of steps")


def _trace(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("steps", metavar="STEP", nargs="*", help="ids or names of steps (default: all)")
    add("--write", action="store_true", help="add the lines to the workflow file")


def _decision(command: argparse.ArgumentParser) -> None:
    """What bears on a decision, and where the repository comes from."""
    add = command.add_argument
    add("--base", metavar="REF", help="compare with this commit, branch or tag")
    help_ = "use the local cache alone"
    add("--no-remote", dest="remote", action="store_false", help=help_)
    help_ = "run this step even if its result is known; without a name: all"
    add("--force", metavar="STEP", nargs="?", const="", action="append", help=help_)
    help_ = "check this repository out first, into DIR or a new directory named as it is"
    add("--repo", metavar="URL", default="", help=help_)
    help_ = "branch, tag or commit of --repo (default: its default branch)"
    add("--ref", metavar="REF", default="", help=help_)
    add("--submodules", action="store_true", help="check out submodules as well")


def _targets(command: argparse.ArgumentParser) -> None:
    """Which steps are meant."""
    add = command.add_argument
    help_ = "only these steps and what they need, by id or name (default: all)"
    add("targets", metavar="STEP", nargs="*", help=help_)
    add("--only", action="store_true", help="only the named steps, without what they need")
    help_ = "the named steps and all that need them, without what they need themselves"
    add("--downstream", action="store_true", help=help_)


def _metrics(command: argparse.ArgumentParser) -> None:
    """What they are compared with, and how the table is printed."""
    add = command.add_argument
    help_ = "commit, branch or tag to compare with (default: the last commit)"
    add("base", metavar="BASE", nargs="?", help=help_)
    for name in ("markdown", "csv"):
        help_ = f"print the table as {'Markdown' if name == 'markdown' else 'CSV'}"
        add(f"--{name}", dest="format", action="store_const", const=name, help=help_)
    help_ = "use the local cache alone"
    add("--no-remote", dest="remote", action="store_false", help=help_)


def _show(command: argparse.ArgumentParser) -> None:
    help_ = "files that steps have written, or directories of such"
    command.add_argument("files", metavar="FILE", nargs="+", help=help_)
    help_ = "use the local cache alone"
    command.add_argument("--no-remote", dest="remote", action="store_false", help=help_)


def _html(command: argparse.ArgumentParser) -> None:
    help_ = "write the report as one HTML file"
    command.add_argument("--html", metavar="FILE", default="", help=help_)


def _report_file(command: argparse.ArgumentParser) -> None:
    help_ = "write what --json prints to this file too"
    command.add_argument("--report", metavar="FILE", default="", help=help_)


def _report(command: argparse.ArgumentParser) -> None:
    """Which report, and where to."""
    help_ = "what `mlpipe run --report FILE` or `--json` wrote (default: of the last run here)"
    command.add_argument("files", metavar="FILE", nargs="?", action="append", help=help_)
    _html(command)
    help_ = "make it one HTML file, and open that in a browser"
    command.add_argument("--open", action="store_true", help=help_)
    help_ = "in GitHub Actions: comment on the pull request of the run that this event is about"
    command.add_argument("--post", action="store_true", help=help_)


def _pace(command: argparse.ArgumentParser) -> None:
    """How many steps at once, and how far after a failure."""
    add = command.add_argument
    help_ = "run up to N steps at once that do not need one another; auto: as many as cores"
    add("-j", "--jobs", metavar="N", default="1", help=help_)
    help_ = "after a failure, run what does not need the step that failed"
    add("-k", "--keep-going", action="store_true", help=help_)


def _carry_out(command: argparse.ArgumentParser) -> None:
    """How a run goes on."""
    add = command.add_argument
    help_ = f"where commands run: {', '.join(EXECUTORS)} (default: {DEFAULT_EXECUTOR})"
    choices = tuple(EXECUTORS)
    add("--executor", metavar="NAME", choices=choices, default=DEFAULT_EXECUTOR, help=help_)
    help_ = "end at once if another run has this work tree, instead of waiting for it"
    add("--no-wait", dest="wait", action="store_false", help=help_)
    help_ = "a live view, plain lines, or what the terminal can do (default)"
    add("--progress", choices=("auto", "live", "plain"), default="auto", help=help_)
    help_ = (
        "bring back all outputs of reused steps, or only those that running steps need (default: "
        "all; in GitHub Actions with results from elsewhere: needed)"
    )
    add("--outputs", choices=("auto", "all", "needed"), default="auto", help=help_)
    help_ = "at a desk: send new results to the remote cache, for all to reuse"
    add("--push", action="store_true", help=help_)
    help_ = "run steps also on an event that gives a stranger's change this repository's rights"
    add("--allow-untrusted", action="store_true", help=help_)
    help_ = (
        "in GitHub Actions, comment on the pull request: always, if something ran, if something "
        "failed, or never; a comment that is there is always brought up to date"
    )
    choices = ("always", "changes", "failure", "never")
    add("--comment", choices=choices, default="always", help=help_)
    help_ = (
        "in GitHub Actions, set the commit status mlpipe/<workflow>: where the token may (default),"
        " also one for each step, or never"
    )
    add("--status", choices=("auto", "steps", "never"), default="auto", help=help_)


def _watch(command: argparse.ArgumentParser) -> None:
    help_ = "ask sources outside of git so often for news (default: 60)"
    command.add_argument("--every", metavar="SECONDS", type=float, default=60.0, help=help_)


OPTIONS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], ...]] = {
    "run": (_workflow, _decision, _targets, _pace, _carry_out, _report_file, _html),
    "plan": (_workflow, _decision, _targets, _report_file),
    "report": (_report,),
    "metrics": (_workflow, _metrics),
    "show": (_workflow, _show),
    "explain": (_workflow, _explain, _decision),
    "validate": (_validate,),
    "cache": (_cache,),
    "graph": (_workflow,),
    "trace": (_workflow, _trace),
    "logs": (_logs,),
    "runs": (),
    "watch": (_workflow, _targets, _pace, _watch),
    "doctor": (),
}
"""What each command takes, beside what all take."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.format_usage().strip()}\n(mlpipe --help says more)")
