"""Measures finding the changed paths of a push in a large repository, beside git alone.

python benchmarks/changed_paths.py [RUNS]: 100,000 files, 5,000 commits, a push that changes 3
files; a clone with all of history and one of depth 1. Whole processes, in turn; writes
benchmarks/changed-paths.md.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "changed-paths.md"
FILES, COMMITS, PUSHED = 100_000, 5_000, 3
FIND = """
import os
from pathlib import Path
from mlpipe_ci.ci.checkout import CheckoutOptions, remote_for
from mlpipe_ci.repo.changes import compare
from mlpipe_ci.ci.event import read_event, with_checkout
from mlpipe_ci.repo.git import History, open_git
git = open_git(Path("."))
event = with_checkout(read_event(os.environ), git)
found = compare(event, git, History(git, remote_for(os.environ, git, CheckoutOptions())), None)
assert found.changed is not None and len(found.changed) == 3, found
"""
IMPORTS = (
    "import mlpipe_ci.ci.checkout, mlpipe_ci.repo.changes, mlpipe_ci.ci.event, mlpipe_ci.repo.git"
)
LAUNCH = """
import os, resource, sys, time
started = time.perf_counter()
code = os.spawnvp(os.P_WAIT, sys.argv[1], sys.argv[1:])
wall, used = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
print(end="\\0", flush=True)
print(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
sys.exit(code)
"""
NOBODY = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
Measured = tuple[float, float, float]
"""Wall and CPU seconds, and megabytes at the peak of the largest process."""


def main() -> None:
    """Build the repository, measure, write the table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    os.environ |= NOBODY
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        server = _server(path)
        after = _git(server, "rev-parse", "main")
        before = _git(server, "rev-parse", f"main~{PUSHED}")
        full, shallow = _clones(path, server)
        os.environ |= _event(path, before, after)
        copy = path / "copy"
        plain = ["git", "diff", "--name-status", "-z", "--no-renames", before, after]
        fetch = f"git fetch -q --depth=1 origin {before} && {' '.join(plain)}"
        ours = [sys.executable, "-c", FIND]
        commands = {
            "bare interpreter": ([sys.executable, "-c", "pass"], full),
            "imports alone": ([sys.executable, "-c", IMPORTS], full),
            "full clone: git diff": (plain, full),
            "full clone: mlpipe": (ours, full),
            "depth 1: git fetch of the one commit, git diff": (["sh", "-c", fetch], copy),
            "depth 1: mlpipe": (ours, shallow),
        }
        rounds = []
        for _ in range(runs + 1):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(shallow / ".git", copy / ".git")
            rounds.append({name: _measure(*command) for name, command in commands.items()})
    text = _table(rounds[1:])  # the first round warms up
    RESULTS.write_text(text, "utf-8")
    print(text)


def _server(path: Path) -> Path:
    """A bare repository: all files in the first commit, then two files changed in each."""
    server = path / "server"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(server)], check=True)
    for name in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        _git(server, "config", name, "true")
    command = ["git", "fast-import", "--quiet"]
    with subprocess.Popen(command, cwd=server, stdin=subprocess.PIPE) as importer:
        assert importer.stdin is not None  # noqa: S101 - for the type checker
        for number in range(COMMITS):
            names = range(FILES) if number == 0 else [number * 7 % FILES, number * 13 % FILES]
            if number >= COMMITS - PUSHED:
                names = [number]
            lines = [
                f"M 100644 inline {n % 1000:03}/{n}.csv\ndata {len(str(number)) + 1}\n{number}\n\n"
                for n in names
            ]
            head = "commit refs/heads/main\ncommitter A <a@example.invalid> "
            importer.stdin.write(f"{head}{10**9 + number} +0000\ndata 1\nc\n".encode())
            importer.stdin.write("".join(lines).encode())
    _git(server, "gc", "-q")
    return server


def _clones(path: Path, server: Path) -> tuple[Path, Path]:
    full, shallow = path / "full", path / "shallow"
    for target, options in ((full, ()), (shallow, ("--depth=1",))):
        command = ["git", "clone", "-q", *options, server.as_uri(), str(target)]
        subprocess.run(command, check=True)
    return full, shallow


def _event(path: Path, before: str, after: str) -> dict[str, str]:
    payload = {"before": before, "after": after, "repository": {"default_branch": "main"}}
    (path / "event.json").write_text(json.dumps(payload))
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_EVENT_PATH": str(path / "event.json"),
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_SHA": after,
    }


def _git(path: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=path, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _measure(command: list[str], directory: Path) -> Measured:
    """One process with all that it starts.

    A small process starts it, as the memory of who forks counts for the child as well.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LAUNCH, *command],
        cwd=directory,
        check=True,
        capture_output=True,
        text=True,
    )
    wall, cpu, memory = (float(word) for word in done.stdout.split("\0")[-1].split())
    return wall, cpu, memory


def _table(rounds: list[dict[str, Measured]]) -> str:
    machine = (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {len(rounds)} rounds"
    )
    version = subprocess.run(
        ["git", "--version"], check=True, capture_output=True, text=True
    ).stdout
    lines = [
        "# Finding the changed paths of a push",
        "",
        "Written by `make bench`. Medians of whole processes, measured in turn.",
        f"{FILES:,} files, {COMMITS:,} commits, {PUSHED} files changed. {machine},",
        f"{version.strip()}.",
        "",
        "| what | wall s | CPU s | CPU min | CPU max | peak MB |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name in rounds[0]:
        wall, cpu, memory = zip(*(one[name] for one in rounds), strict=True)
        figures = f"{statistics.median(wall):.3f} | {statistics.median(cpu):.3f} | {min(cpu):.3f}"
        lines.append(f"| {name} | {figures} | {max(cpu):.3f} | {max(memory):.0f} |")
    for kind, ours, theirs in (
        ("full clone", "full clone: mlpipe", "full clone: git diff"),
        ("depth 1", "depth 1: mlpipe", "depth 1: git fetch of the one commit, git diff"),
    ):
        extra = statistics.median(one[ours][1] - one[theirs][1] for one in rounds)
        imports = statistics.median(one["imports alone"][1] for one in rounds)
        lines.append(
            f"\nOver git's own, {kind}: {extra:.3f} s of CPU, {imports:.3f} of it Python's start "
            "and imports."
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
