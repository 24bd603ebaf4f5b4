"""The file that `--report` names."""

from collections.abc import Callable
from pathlib import Path

from mlpipe_ci.options import Options


def write_report(text: str, options: Options, say: Callable[[str], None]) -> None:
    """Write it, if one is asked for. One that cannot be written is a warning."""
    if not options.report:
        return
    path = Path(options.directory, options.report)
    try:
        path.write_text(f"{text}\n", "utf-8")
    except OSError as error:
        say(f"warning: {path} was not written: {error.strerror}")
