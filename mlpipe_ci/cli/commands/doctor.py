"""`mlpipe doctor`: what works on this machine, and what does not, and why."""

import argparse
import fcntl
import json
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from mlpipe_ci import __version__
from mlpipe_ci.cache.objects import FICLONE
from mlpipe_ci.cli.locate import cache_directory, find_locations
from mlpipe_ci.cli.open_session import read_workflow
from mlpipe_ci.cli.options import DEFAULTS, CommonOptions, add_common
from mlpipe_ci.core.errors import MlpipeError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.tracing.base import Trace, TraceRequest
from mlpipe_ci.tracing.select import (
    AUTO,
    TRACERS,
    VARIABLE,
    TracerEntry,
    chosen_tracer,
    tracer_for,
    why_untraced,
)

EXAMPLE = "mlpipe doctor"
Row = tuple[str, bool, str]
"""What was looked at, whether it works, and a word about it."""


@frozen
class Options(CommonOptions):
    """What `mlpipe doctor` takes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Only those that each command has."""
    add_common(parser)


def main(options: Options, env: Mapping[str, str], out: TextIO, _err: TextIO) -> int:
    """Exit code 0; 1 if something is missing that a run needs."""
    rows = [_versions(), _git(), _cache(env), *_remote(options.directory, env), *_tracers(env)]
    if options.json:
        checks = [{"name": name, "works": good, "note": note} for name, good, note in rows]
        json.dump({"version": 1, "checks": checks}, out, indent=2)
        print(file=out)
    else:
        for name, good, note in rows:
            print(f"{'✔' if good else '✖'} {name:<8}  {note}", file=out)
    needed = {"git", "cache", "remote", "clock"}
    return 0 if all(good for name, good, _ in rows if name in needed) else 1


def _versions() -> Row:
    python = ".".join(map(str, sys.version_info[:3]))
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return "mlpipe", True, f"{__version__}, Python {python}, {system}"


def _git() -> Row:
    program = shutil.which("git")
    if not program:
        return "git", False, "is not on the PATH; without it all files are read each time"
    found = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    return "git", found.returncode == 0, (found.stdout or found.stderr).strip()


def _cache(env: Mapping[str, str]) -> Row:
    try:
        directory = cache_directory(env)
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            free = shutil.disk_usage(directory).free
        shares = "shares" if _can_clone(directory) else "cannot share"
    except (OSError, MlpipeError) as error:
        return "cache", False, f"cannot be written, so nothing is saved: {error}"
    note = f"{directory}, {free / 2**30:.1f} GiB free, {shares} blocks between files (reflink)"
    return "cache", True, note


def _remote(directory: str, env: Mapping[str, str]) -> list[Row]:
    """The remote cache that the workflow names, tried: credentials, bucket, clock."""
    try:
        workflow = read_workflow(find_locations(directory, env), DEFAULTS, env)
    except MlpipeError:
        return []  # no workflow here, or one that `validate` has more to say about
    if workflow.cache.remote is None:
        return []
    from mlpipe_ci.cli.commands.cache_remote import try_it  # noqa: PLC0415 - 30 ms, if there is one

    return try_it(workflow.cache.remote, env)


def _tracers(env: Mapping[str, str]) -> list[Row]:
    """Each tracer that this system may have, tried on a command that does nothing."""
    here = {name: one for name, one in TRACERS.items() if one.watches}
    rows = [_tracer(name, one, env) for name, one in here.items() if sys.platform in one.systems]
    return [*rows, _used(env, [name for name, works, _ in rows if works])]


def _tracer(name: str, entry: TracerEntry, env: Mapping[str, str]) -> Row:
    trace = _tried(name, env)
    if trace.tracer == name and trace.complete:
        return name, True, entry.title
    return name, False, f"{entry.title}: {'; '.join(trace.why) or 'not there'}"


def _used(env: Mapping[str, str], working: list[str]) -> Row:
    """Which tracer a run uses: the one that the user names, else the one that `auto` comes to."""
    chosen = chosen_tracer(env)
    used = _tried(AUTO, env).tracer if chosen == AUTO and working else chosen
    if used in working:
        return "tracing", True, f"{used} is used"
    why = why_untraced(env) or ("" if chosen == AUTO else f"{VARIABLE} is {chosen}")
    because = f" ({why})" if why else ""
    return "tracing", False, f"nothing is watched: only declared inputs count{because}"


def _tried(name: str, env: Mapping[str, str]) -> Trace:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        tracer = tracer_for(
            TraceRequest(root=path, directory=path, log=path / "log", preferred=name)
        )
        try:
            subprocess.run(  # noqa: S603
                tracer.command(("true",)),
                cwd=path,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=tracer.fds,
                check=False,
            )
        except OSError as error:
            return Trace(why=(f"it cannot be started: {error.strerror}",))
        finally:
            tracer.started()
        return tracer.trace()


def _can_clone(directory: Path) -> bool:
    """True if files in a directory can share blocks (reflink). Raises OSError."""
    with tempfile.TemporaryFile(dir=directory) as one, tempfile.TemporaryFile(dir=directory) as two:
        one.write(b"0" * 4096)
        one.flush()
        try:
            fcntl.ioctl(two.fileno(), FICLONE, one.fileno())
        except OSError:
            return False
    return True
