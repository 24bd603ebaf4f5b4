"""Parses the command line, calls one command, turns errors into exit codes."""

import errno
import gc
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from mlpipe_ci import __version__
from mlpipe_ci.cli.commands import COMMANDS
from mlpipe_ci.cli.parser import load, parser, read_options
from mlpipe_ci.core.errors import InterruptedRunError, MlpipeError, WorkflowError

BUG = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Exit code: 0, 1, 2 (user's error), 3 (bug), 130 (interrupted)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments == ["--version"]:
        print(f"mlpipe {__version__}")
        return 0
    signals: list[int] = []
    _prepare(signals)
    try:
        code = _command(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _complain(InterruptedRunError("interrupted"))
    except MlpipeError as error:
        return _complain(error)
    except Exception as error:  # noqa: BLE001 - the last resort: a bug keeps its traceback
        if signals:  # Code that is interrupted between two lines may end in another exception.
            return _complain(InterruptedRunError("interrupted"))
        return _output_gone(error) if isinstance(error, OSError) else _bug()


def _prepare(signals: list[int]) -> None:
    """Streams that take any text, and signals that end a command in order: `signals` is told."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        signals.append(number)
        raise KeyboardInterrupt

    # Most objects that a command makes stay to its end: fewer searches for garbage save it 5 ms.
    gc.set_threshold(50_000)
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115, PTH123 - closed by `>&-`
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signal_number) is not signal.SIG_IGN:  # as nohup sets it
            signal.signal(signal_number, interrupt)


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


def _command(arguments: list[str]) -> int:
    # `--version` does without it.
    from mlpipe_ci.core.settings import TOKEN  # noqa: PLC0415

    # Before anything is started: no git, and so no filter or hook of it, inherits the token.
    secret = {name: os.environ.pop(name) for name in (TOKEN,) if name in os.environ}
    # Only the module of this command is imported, and none for `mlpipe --help`.
    name = next((word for word in arguments if word in COMMANDS), "")
    given = vars(parser(name, alone=arguments[:1] == [name]).parse_args(arguments))
    from mlpipe_ci.repo.git import clear_local_environment  # noqa: PLC0415 - not for `--help`

    clear_local_environment(os.environ)
    command, env = load(given["command"]), dict(os.environ) | secret
    options = read_options(command.Options, given)
    code: int = command.main(options, env, sys.stdout, sys.stderr)
    return code


def _complain(error: MlpipeError) -> int:
    from mlpipe_ci.ci.github import workflow_commands  # noqa: PLC0415 - only here, not at each start
    from mlpipe_ci.ci.github.runner import reads_commands  # noqa: PLC0415 - only here, not at each start
    from mlpipe_ci.report import diagnostics  # noqa: PLC0415 - only here, not at each start

    found = error.diagnostics if isinstance(error, WorkflowError) else ()
    for line in (line for diagnostic in found for line in diagnostics.diagnostic_lines(diagnostic)):
        print(line, file=sys.stderr)
    if not found:
        print(f"mlpipe: {error}", file=sys.stderr)
    if reads_commands(os.environ):
        for text in [workflow_commands.diagnostic(fault) for fault in found] or [
            workflow_commands.error(str(error))
        ]:
            print(text)
    return error.exit_code
