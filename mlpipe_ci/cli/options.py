"""Options that several commands have: the values, and the arguments that fill them."""

import argparse
from collections.abc import Iterable

from mlpipe_ci.ci.checkout import CheckoutOptions
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.run.executors import DEFAULT_EXECUTOR, EXECUTORS

HERE = "."


@frozen
class CommonOptions:
    """What each command has."""

    directory: str = HERE
    quiet: bool = False
    json: bool = False


@frozen
class SessionOptions:
    """What a session is opened with, as it is where nothing was said."""

    file: str | None = None
    settings: tuple[str, ...] = ()
    base: str | None = None
    fetch: bool = False  # a base that a shallow clone lacks
    remote: bool = True
    push: bool = False
    outputs: str = "auto"
    force: tuple[str, ...] = ()
    checkout: CheckoutOptions = CheckoutOptions()
    targets: tuple[str, ...] = ()
    only: bool = False
    downstream: bool = False


DEFAULTS = SessionOptions()


@frozen
class PaceOptions:
    """How the steps of a run are carried out."""

    jobs: str = "1"
    keep_going: bool = False
    executor: str = DEFAULT_EXECUTOR


USUAL_PACE = PaceOptions()


def add_common(parser: argparse.ArgumentParser) -> None:
    """What each command has: where it works, and how it prints."""
    add = parser.add_argument
    add("-C", dest="directory", metavar="DIR", default=HERE, help="work in this directory")
    add("-q", "--quiet", action="store_true", help="print only what is needed")
    add("--json", action="store_true", help="print JSON on standard output, all else on error")


def add_format(parser: argparse.ArgumentParser, formats: Iterable[str]) -> None:
    """How the command prints what it was asked for."""
    names = tuple(formats)
    help_ = f"how to print it: {', '.join(names)} (default: text)"
    parser.add_argument("--format", metavar="FORMAT", choices=names, default="text", help=help_)


def add_file(parser: argparse.ArgumentParser) -> None:
    """Which file is read."""
    help_ = "the workflow file (default: mlpipe.yml at the root)"
    parser.add_argument("--file", metavar="FILE", help=help_)


def add_workflow(parser: argparse.ArgumentParser) -> None:
    """Which file is read, and with which params."""
    add_file(parser)
    help_ = "use this value of params, as in train.rate=0.1; may be given several times"
    parser.add_argument("--set", dest="settings", metavar="KEY=VALUE", action="append", help=help_)


def add_no_remote(parser: argparse.ArgumentParser) -> None:
    """Whether the remote cache is used."""
    help_ = "use the local cache alone"
    parser.add_argument("--no-remote", dest="remote", action="store_false", help=help_)


def add_decision(parser: argparse.ArgumentParser) -> None:
    """What bears on a decision, and where the repository comes from."""
    add = parser.add_argument
    add("--base", metavar="REF", help="compare with this commit, branch or tag")
    add_no_remote(parser)
    help_ = "run this step even if its result is known; without a name: all"
    add("--force", metavar="STEP", nargs="?", const="", action="append", help=help_)
    help_ = "check this repository out first, into DIR or a new directory named as it is"
    add("--repo", metavar="URL", default="", help=help_)
    help_ = "branch, tag or commit of --repo (default: its default branch)"
    add("--ref", metavar="REF", default="", help=help_)
    add("--submodules", action="store_true", help="check out submodules as well")


def add_targets(parser: argparse.ArgumentParser) -> None:
    """Which steps are meant."""
    add = parser.add_argument
    help_ = "only these steps and what they need, by id or name (default: all)"
    add("targets", metavar="STEP", nargs="*", help=help_)
    add("--only", action="store_true", help="only the named steps, without what they need")
    help_ = "the named steps and all that need them, without what they need themselves"
    add("--downstream", action="store_true", help=help_)


def add_pace(parser: argparse.ArgumentParser) -> None:
    """How many steps at once, how far after a failure, and where."""
    add = parser.add_argument
    help_ = "run up to N steps at once that do not need one another; auto: as many as cores"
    add("-j", "--jobs", metavar="N", default="1", help=help_)
    help_ = "after a failure, run what does not need the step that failed"
    add("-k", "--keep-going", action="store_true", help=help_)
    help_ = f"where commands run: {', '.join(EXECUTORS)} (default: {DEFAULT_EXECUTOR})"
    choices = tuple(EXECUTORS)
    add("--executor", metavar="NAME", choices=choices, default=DEFAULT_EXECUTOR, help=help_)
