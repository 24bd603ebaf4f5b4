"""Runs git: bytes out, nothing inherited, nothing in a prompt.

What each run asks of the work tree goes to git directly: GitPython takes 0.06 s to import, which is
more than all that a run with nothing to do may take. What compares commits and what reaches the
network goes through GitPython's command wrapper. Its diff and index objects are not used: one file
name that is not UTF-8 makes `Commit.diff` answer "nothing changed".
"""

import os
import re
import shutil
import signal
import subprocess
import weakref
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlpipe_ci.core.errors import GitError, NoGitError
from mlpipe_ci.core.regex import regex

HEX_ID = regex(r"[0-9a-f]{40}([0-9a-f]{24})?")
LOCAL_VARIABLES = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"),
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_PREFIX", "GIT_NAMESPACE", "GIT_GRAFT_FILE"),
    *("GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_IMPLICIT_WORK_TREE"),
    *("GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE"),
    *("GIT_INTERNAL_SUPER_PREFIX", "GIT_EXTERNAL_DIFF", "GIT_LITERAL_PATHSPECS"),
)
"""What `git rev-parse --local-env-vars` prints, and more: a git hook sets these for its own use.

But not GIT_CONFIG_COUNT: that is how a job sets its proxy, say, and git itself never does.
"""
PLAIN = {"LC_ALL": "C", "LANGUAGE": "C", "GIT_TERMINAL_PROMPT": "0"}
OFFLINE = {"GIT_ALLOW_PROTOCOL": ""}
"""Reading commands never reach the network: no object that a partial clone lacks is fetched."""
NOISE = ("hint:", "warning:", "remote:", "error: failed to", "fatal: the remote end")
Settings = tuple[tuple[str, str], ...]
"""Git configuration for one command: names and values."""


def clear_local_environment(env: MutableMapping[str, str]) -> None:
    """Remove what a git hook or an outer git command left in the environment."""
    for name in LOCAL_VARIABLES:
        env.pop(name, None)


class Command:
    """git, called in one directory. `env` is added to the environment of each call.

    `inherited`: file descriptors that each git keeps open. With a lock among them nobody else gets
    it before a git has ended whose mlpipe was killed.
    """

    def __init__(
        self,
        directory: Path,
        env: Mapping[str, str] | None = None,
        inherited: tuple[int, ...] = (),
    ) -> None:
        self.directory, self.inherited = directory, inherited
        self.env = dict(env or {})
        self._trust: Path | None = None
        self._keeper: Command | None = None

    def run(self, *arguments: str) -> bytes:
        """What git prints. Raises GitError, and NoGitError if there is no git."""
        return self.both(*arguments)[0]

    def both(self, *arguments: str) -> tuple[bytes, str]:
        """What git prints, and what it complains about although it succeeds. Raises as `run`."""
        try:
            done = subprocess.run(  # noqa: S603
                ["git", *arguments],  # noqa: S607 - the user's own
                cwd=self.directory,
                env=os.environ | PLAIN | OFFLINE | self.env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                pass_fds=self.inherited,
                check=False,
            )
        except FileNotFoundError as error:
            raise _not_found(self.directory, error) from error
        except ValueError as error:  # a null byte, or what no file name can hold
            raise GitError(f"git {_name(arguments)}: {error}") from error
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip() or f"exit {done.returncode}"
            raise GitError(f"git {_name(arguments)} failed: {without_user(said)}")
        return done.stdout, os.fsdecode(done.stderr)

    def by_library(self, *arguments: str) -> bytes:
        """The same through GitPython."""
        library = _library()
        try:
            output = library.Git(str(self.directory)).execute(
                ["git", *arguments],
                stdout_as_string=False,
                strip_newline_in_stdout=False,
                env=PLAIN | OFFLINE | self.env,
            )
        except library.GitCommandNotFound as error:
            raise _not_found(self.directory, error) from error
        except library.GitCommandError as error:
            text = str(error.stderr or "").strip().removeprefix("stderr:").strip(" '\n")
            said = without_user(text) or f"exit {error.status}"
            raise GitError(f"git {_name(arguments)} failed: {said}") from error
        return bytes(output)

    def attempt(self, *arguments: str) -> bytes | None:
        """What git prints, or None if it refuses."""
        try:
            return self.run(*arguments)
        except NoGitError:
            raise
        except GitError:
            return None

    def transfer(self, *arguments: str, settings: Settings, seconds: float, **env: str) -> bytes:
        """Run a command that reaches the network, for so many seconds. Raises GitError.

        `settings` go through the environment of this one command: they are in no file, and not
        among the arguments that others see in a list of processes.
        """
        library = _library()
        try:
            wrapped = library.Git(str(self.directory)).execute(
                ["git", *arguments],
                as_process=True,
                env=PLAIN | self.env | _in_environment(settings) | env,
                start_new_session=True,
                pass_fds=self.inherited,
            )
        except library.GitCommandNotFound as error:
            raise _not_found(self.directory, error) from error
        except ValueError as error:
            raise GitError(f"git {_name(arguments)}: {error}") from error
        process: Any = wrapped.proc
        try:
            output, complaint = process.communicate(timeout=max(seconds, 1.0))
        except subprocess.TimeoutExpired as error:
            raise GitError(f"git {_name(arguments)}: no end after {seconds:.0f} s") from error
        finally:
            _end(process)
        if process.returncode:
            raise GitError(_complaint(_name(arguments), complaint, process.returncode))
        return bytes(output)

    def trust(self, directory: str) -> None:
        """Take one directory as safe although somebody else owns it, for this process alone.

        A command-line `-c safe.directory` counts since git 2.38 only; a file that stands for the
        user's own configuration, and includes it, always does.
        """
        self._trust = scratch(self, "mlpipe-git-")
        home = os.environ.get("HOME") or "/"
        xdg = os.environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
        own = os.environ.get("GIT_CONFIG_GLOBAL")
        included = [own] if own is not None else [f"{xdg}/git/config", f"{home}/.gitconfig"]
        lines = [f"[include]\n\tpath = {_quoted(path)}\n" for path in included if path]
        full_path = self._trust / ".gitconfig"
        text = "".join(lines) + f"[safe]\n\tdirectory = {_quoted(directory)}\n"
        full_path.write_bytes(os.fsencode(text))
        self.env |= {"GIT_CONFIG_GLOBAL": str(full_path)}
        if self._is_old():  # and does not know that variable
            self.env |= {"HOME": str(self._trust), "XDG_CONFIG_HOME": xdg}

    def _is_old(self) -> bool:
        """True for git before 2.32."""
        found = re.search(rb"(\d+)\.(\d+)", self.attempt("version") or b"")
        return not found or (int(found[1]), int(found[2])) < (2, 32)

    def at(self, directory: Path) -> "Command":
        """The same in another directory; it trusts what this one trusts."""
        other = Command(directory, self.env, self.inherited)
        other._keeper = self
        return other


def _library() -> Any:
    """GitPython, imported now; a missing git is our own error, not by an ImportError."""
    loud = "GIT_PYTHON_REFRESH" not in os.environ
    if loud:
        os.environ["GIT_PYTHON_REFRESH"] = "quiet"
    import git  # noqa: PLC0415

    if loud:  # no step shall inherit it
        del os.environ["GIT_PYTHON_REFRESH"]
    return git


def _not_found(directory: Path, error: Exception) -> GitError:
    """There is no git, or no such directory to call it in."""
    if not directory.is_dir():
        return GitError(f"{directory}: there is no such directory ({error})")
    return NoGitError("git is not installed, or not on PATH; install it")


def scratch(owner: object, prefix: str) -> Path:
    """A directory for as long as its owner is in use, or the program runs."""
    import tempfile  # noqa: PLC0415 - 7 ms, and few runs need one

    path = tempfile.mkdtemp(prefix=prefix)
    weakref.finalize(owner, shutil.rmtree, path, ignore_errors=True)
    return Path(path)


def _name(arguments: tuple[str, ...]) -> str:
    """The git command among arguments, which may begin with `-c name=value`."""
    options = 0
    while arguments[options] == "-c":
        options += 2
    return arguments[options]


def valid(commit: str) -> str:
    """The id itself. Raises GitError for what is none: it could be an option."""
    if not HEX_ID.fullmatch(commit):
        raise GitError(f"'{commit}' is not a commit id")
    return commit


def is_null(commit: object) -> bool:
    """True for the id of nothing: 40 or 64 zeros."""
    return isinstance(commit, str) and bool(HEX_ID.fullmatch(commit)) and not commit.strip("0")


def _in_environment(settings: Settings) -> dict[str, str]:
    """Configuration as variables (git-config, GIT_CONFIG_COUNT; since git 2.31)."""
    given = os.environ.get("GIT_CONFIG_COUNT", "")
    first = int(given) if given.isdecimal() else 0
    env = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (name, value) in enumerate(settings, first):
        env |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return env


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _end(process: Any) -> None:
    """End the process and what it started, if it still runs, and close its pipes."""
    with suppress(ProcessLookupError, PermissionError):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()


def _complaint(name: str, complaint: bytes, code: int) -> str:
    """The line of git's that says most."""
    lines = [line.strip() for line in complaint.decode("utf-8", "replace").splitlines()]
    relevant = [line for line in lines if line and not line.lower().startswith(NOISE)]
    said = next(iter(relevant), "") or next(iter(reversed(lines)), "") or f"exit {code}"
    return f"git {name}: {without_user(said.removeprefix('fatal: ').removeprefix('error: '))}"


def without_user(text: str) -> str:
    """A text in which no address has a user or a password: either may be a token."""
    return re.sub(r"(\w[\w+.-]*://)[^/@\s']*@", r"\1", text)
