"""Measures whole processes, in turn (A B C A B C …), and writes benchmarks/results.md.

python benchmarks/bench.py [RUNS]: wall and CPU seconds of each command, with the ratio to a bare
interpreter taken round by round, so that a machine that slows down does so for all.
"""

import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results.md"
FLOOR = "bare interpreter"
NOBODY = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.invalid",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.invalid",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def main() -> None:
    """Set the example up, measure, write the table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with tempfile.TemporaryDirectory() as folder:
        example = _example(Path(folder))
        mlpipe = [sys.executable, "-m", "mlpipe_ci"]
        commands = {
            FLOOR: [sys.executable, "-c", "pass"],
            "`git status` in the example": ["git", "status", "--porcelain"],
            "`mlpipe --version`": [*mlpipe, "--version"],
            "`mlpipe validate`, the example": [*mlpipe, "validate"],
            "`mlpipe plan`, the example, up to date": [*mlpipe, "plan"],
            "`mlpipe run`, the example, up to date": [*mlpipe, "run"],
        }
        rounds = [{n: _measure(c, example) for n, c in commands.items()} for _ in range(runs + 1)]
    text = _table(rounds[1:])  # the first round warms up
    RESULTS.write_text(text, "utf-8")
    print(text)


def _example(folder: Path) -> Path:
    example = folder / "fraud-detection"
    shutil.copytree(ROOT / "examples" / "fraud-detection", example)
    os.environ |= {"MLPIPE_CACHE_DIR": str(folder / "cache"), **NOBODY}
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "example"]):
        subprocess.run(["git", *words], cwd=example, check=True)
    subprocess.run([sys.executable, "-m", "mlpipe_ci", "run", "-q"], cwd=example, check=True)
    return example


def _measure(command: list[str], directory: Path) -> tuple[float, float]:
    """Wall and CPU (user + system, with children) seconds of one process."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=directory, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _table(rounds: list[dict[str, tuple[float, float]]]) -> str:
    how = (
        "Written by `make bench`. Medians of whole processes, measured in turn; the ratio is the "
        "median of the ratios to the bare interpreter in the same round (CPU seconds)."
    )
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    machine += f", Python {platform.python_version()}, {len(rounds)} rounds."
    lines = ["# Results", "", how, "", machine, ""]
    lines += ["| command | wall s | CPU s | CPU min | CPU max | × bare |"]
    lines += ["|---|--:|--:|--:|--:|--:|"]
    for name in rounds[0]:
        wall = statistics.median(r[name][0] for r in rounds)
        cpu = [r[name][1] for r in rounds]
        ratio = statistics.median(r[name][1] / r[FLOOR][1] for r in rounds)
        figures = f"{wall:.3f} | {statistics.median(cpu):.3f} | {min(cpu):.3f} | {max(cpu):.3f}"
        lines.append(f"| {name} | {figures} | {ratio:.1f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
