"""Checks a repository out into an empty directory: one commit, no history, no stored token."""

import re
import shutil
from pathlib import Path

from mlpipe_ci.core.errors import GitError, UsageError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.repo.git.command import HEX_ID, Command
from mlpipe_ci.repo.git.commits import Commits
from mlpipe_ci.repo.git.remote import NAME, VIA, Deadline, Remote, without_password
from mlpipe_ci.repo.private_directory import CHECKED_OUT, DIRECTORY

MARK = "mlpipe-unfinished"
"""In the git directory while a checkout is being made; one that was killed is started anew."""
OURS = f".git/{DIRECTORY}/{CHECKED_OUT}"
"""File in a work tree that mlpipe has checked out: the id of that commit."""
FETCH = ("fetch", "--quiet", "--no-tags", "--depth=1", "--recurse-submodules=no")
BATCH = 100
"""Patterns for one command."""
NO_LFS = {"GIT_LFS_SKIP_SMUDGE": "1"}
"""Large files stay pointers until a step that reads them runs."""


@frozen(kw_only=False)
class CheckoutTarget:
    """What to check out: a full ref (`refs/heads/main`), or a commit, or a commit known by a ref.

    Where both are given the commit is what counts, and the ref is its name. Neither: the remote's
    default branch. `submodules`: also those, at all depths.
    """

    ref: str = ""
    commit: str = ""
    submodules: bool = False


def is_unstarted(directory: Path) -> bool:
    """True if nothing was checked out here, or a checkout of ours did not come to its end."""
    git = directory / ".git"
    try:
        entries = list(directory.iterdir())
        if entries == [git] and git.is_dir():  # killed before it had put its mark there
            return not any(git.iterdir()) or (git / MARK).exists()
        return not entries or (git / MARK).exists()
    except FileNotFoundError:
        return True
    except PermissionError:
        return False
    except NotADirectoryError as error:
        raise UsageError(f"{directory} is a file, not a directory") from error


def check_out(
    directory: Path, remote: Remote, wanted: CheckoutTarget, inherited: tuple[int, ...] = ()
) -> str:
    """Make a shallow clone in an unstarted directory. Returns the commit's id. Raises GitError.

    If it fails, the directory is empty again. `inherited`: see `Command`.
    """
    empty(directory)
    directory.mkdir(parents=True, exist_ok=True)
    command = Command(directory, NO_LFS, inherited)
    try:
        ref, commit = _resolved(command, remote, remote.deadline(), wanted)
        form = "sha256" if len(commit) > 40 else "sha1"  # noqa: PLR2004 - digits of a SHA-1
        (directory / ".git").mkdir()
        (directory / ".git" / MARK).touch()
        command.run("init", "--quiet", "--template=", f"--object-format={form}")
        for name, value in (
            ("url", without_password(remote.url)),
            ("fetch", f"+refs/heads/*:refs/remotes/{NAME}/*"),
        ):
            command.run("config", f"remote.{NAME}.{name}", value)
        found = move_to(command, remote, CheckoutTarget(ref, commit, wanted.submodules))
        (directory / OURS).parent.mkdir(exist_ok=True)
        (directory / OURS).write_text(found, "ascii")
        (directory / ".git" / MARK).unlink()
    except BaseException:
        empty(directory)
        raise
    return found


def move_to(command: Command, remote: Remote, wanted: CheckoutTarget) -> str:
    """Fetch what is wanted into a clone, and check it out. Returns its id. Raises GitError.

    Nothing that lies in the work tree is overwritten: git refuses. Raises UsageError if the branch
    has commits that its remote does not have.
    """
    deadline = remote.deadline()
    wanted = CheckoutTarget(*_resolved(command, remote, deadline, wanted), wanted.submodules)
    here = _fetched(command, remote, deadline, wanted)
    branch = _branch(command, wanted.ref)
    _refuse_own_commits(command, branch)
    target = ("-B", branch, here) if branch else ("--detach", here)
    hooks = ("-c", "core.hooksPath=/dev/null")
    command.run(*hooks, "checkout", "--quiet", "--no-overwrite-ignore", "--no-guess", *target)
    if wanted.submodules and (command.directory / ".gitmodules").exists():
        words = ("submodule", "update", "--init", "--recursive", "--depth=1", "--quiet")
        remote.reach(command, deadline, *words)
    return wanted.commit


def _branch(command: Command, ref: str) -> str:
    """Name of the branch to be on; empty for a commit, and where git takes no such name."""
    name = ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else ""
    if not name or name == "HEAD" or name.startswith("-"):
        return ""
    return name if command.attempt("check-ref-format", "--branch", name) else ""


def _refuse_own_commits(command: Command, branch: str) -> None:
    ref = f"refs/heads/{branch}"
    if not branch or Commits(command).commit(ref) is None:
        return
    words = ("for-each-ref", f"--contains={ref}", "refs/remotes", "refs/tags")
    if not command.run(*words).strip():
        text = f"branch {branch} in {command.directory} has commits of its own"
        raise UsageError(f"{text}; push them, or name another directory with -C")


def resolve(remote: Remote, wanted: str) -> CheckoutTarget:
    """What a user means by a ref: a full name, a branch, a tag, or an id. Raises GitError.

    Raises UsageError where it is none, or both a branch and a tag.
    """
    if HEX_ID.fullmatch(wanted):
        return CheckoutTarget(commit=wanted)
    if not wanted or wanted.startswith("refs/"):
        return CheckoutTarget(ref=wanted)
    meant = (f"refs/heads/{wanted}", f"refs/tags/{wanted}")
    found = _listed(Command(Path("/")), remote, *meant)
    names = [name for name in meant if name in found]  # git lists what ends so as well
    shown = without_password(remote.url)
    if len(names) > 1:
        raise UsageError(f"--ref {wanted} is a branch and a tag of {shown}; say {names[0]}")
    if not names:
        raise UsageError(f"--ref {wanted}: {shown} has no such branch or tag")
    return CheckoutTarget(ref=names[0])


def give_up(directory: Path) -> None:
    """Say that a checkout is not wanted any more: `empty` removes it, with all that is in it."""
    (directory / ".git" / MARK).touch()


def empty(directory: Path) -> None:
    """Remove what an unfinished checkout left; never what is somebody else's.

    The mark goes last: whoever is killed in between, the next one may go on.
    """
    if not directory.exists() or not is_unstarted(directory):
        return
    git = directory / ".git"
    for entry in [path for path in directory.iterdir() if path != git]:
        _remove(entry)
    if git.exists():
        for entry in [path for path in git.iterdir() if path.name != MARK]:
            _remove(entry)
        _remove(git)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def fetch_large_files(command: Command, remote: Remote, paths: tuple[str, ...]) -> None:
    """Put the content of Git LFS files in the place of their pointers. Raises GitError.

    Where git does not know Git LFS yet it is configured, so that a content counts as its pointer:
    for this clone alone, and so that a checkout goes on leaving pointers.
    """
    deadline = remote.deadline()
    if command.attempt("config", "--get", "filter.lfs.clean") is None:
        command.run("lfs", "install", "--local", "--skip-smudge", "--skip-repo")
    # A comma parts two patterns, and cannot be escaped.
    patterns = ["/" + re.sub(r"([\\*?\[\]{}!])", r"\\\1", path).replace(",", "?") for path in paths]
    for start in range(0, len(patterns), BATCH):
        include = ",".join(patterns[start : start + BATCH])
        remote.reach(command, deadline, "lfs", "pull", f"--include={include}", "--exclude=", VIA)


def _fetched(command: Command, remote: Remote, deadline: Deadline, wanted: CheckoutTarget) -> str:
    """Fetch the wanted commit. A tag is fetched as what it is. Returns the ref of the clone."""
    here = _local_name(wanted.ref)
    if wanted.ref.startswith("refs/tags/"):
        _fetch(command, remote, deadline, f"+{wanted.ref}:{here}")
        if Commits(command).commit(here) == wanted.commit:
            return here
        here = _local_name("")  # the tag was moved since
    try:
        _fetch(command, remote, deadline, f"+{wanted.commit}:{here}")
    except GitError as error:
        if not wanted.ref or "unadvertised" not in str(error):
            raise
        _fetch(command, remote, deadline, f"+{wanted.ref}:{here}")  # an old server gives refs only
    found = Commits(command).commit(here)
    if found is None or found != wanted.commit:
        raise GitError(f"{wanted.ref} is now at {found}, no longer at {wanted.commit}")
    return here


def _resolved(
    command: Command, remote: Remote, deadline: Deadline, wanted: CheckoutTarget
) -> tuple[str, str]:
    if wanted.commit:
        return wanted.ref, wanted.commit
    words = ("--symref", VIA, wanted.ref or "HEAD", *([f"{wanted.ref}^{{}}"] if wanted.ref else []))
    raw = remote.reach(command, deadline, "ls-remote", *words).decode("utf-8", "surrogateescape")
    names = {name: oid for oid, _, name in (line.partition("\t") for line in raw.splitlines())}
    symbolic = re.search(r"^ref: (\S+)\tHEAD$", raw, re.MULTILINE)
    ref = wanted.ref or (symbolic[1] if symbolic else "")
    commit = names.get(f"{ref}^{{}}") or names.get(wanted.ref or "HEAD", "")
    if not HEX_ID.fullmatch(commit):
        raise GitError(f"{without_password(remote.url)} has no {wanted.ref or 'branch yet'}")
    return ref, commit


def _listed(command: Command, remote: Remote, *patterns: str) -> dict[str, str]:
    raw = remote.reach(command, remote.deadline(), "ls-remote", VIA, *patterns)
    lines = raw.decode("utf-8", "surrogateescape").splitlines()
    return {name: oid for oid, _, name in (line.partition("\t") for line in lines)}


def _fetch(command: Command, remote: Remote, deadline: Deadline, refspec: str) -> None:
    remote.reach(command, deadline, *FETCH, VIA, refspec)


def _local_name(ref: str) -> str:
    """Where a ref of the remote lies in the clone, as `actions/checkout` has it."""
    if ref.startswith("refs/heads/"):
        return f"refs/remotes/{NAME}/{ref.removeprefix('refs/heads/')}"
    if ref.startswith("refs/pull/"):
        return f"refs/remotes/pull/{ref.removeprefix('refs/pull/')}"
    return ref if ref.startswith("refs/tags/") else "refs/remotes/mlpipe/head"
