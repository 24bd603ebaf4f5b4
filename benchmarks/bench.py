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
STEPS = 1000
PARTS = """
import sys, time
from mlpipe_ci import yaml_text
from mlpipe_ci.load import load
from mlpipe_ci.source import Source
from mlpipe_ci.schema_faults import schema_spots
from pathlib import Path
path = Path("mlpipe.yml")
text = path.read_text()
marks = [time.process_time()]
document = yaml_text.parse(text)
marks.append(time.process_time())
assert not list(schema_spots(document))
marks.append(time.process_time())
load(Source(path=path, shown="mlpipe.yml", root=Path("."), name="thousand"))
marks.append(time.process_time())
yaml, schema, whole = (b - a for a, b in zip(marks, marks[1:]))
print(yaml, schema, whole - yaml - schema)
"""
"""Seconds of CPU of the parts of reading a file: YAML, schema, and all the rest."""
NOBODY = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.invalid",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.invalid",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def main() -> None:
    """Set the work up, measure, write the tables."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    mlpipe = [sys.executable, "-m", "mlpipe_ci"]
    with tempfile.TemporaryDirectory() as folder:
        example, thousand = _example(Path(folder)), _thousand(Path(folder))
        commands = {
            FLOOR: ([sys.executable, "-c", "pass"], example),
            "`git status` in the example": (["git", "status", "--porcelain"], example),
            "`mlpipe --version`": ([*mlpipe, "--version"], example),
            "`mlpipe validate`, the example": ([*mlpipe, "validate"], example),
            "`mlpipe plan`, the example, up to date": ([*mlpipe, "plan"], example),
            "`mlpipe run`, the example, up to date": ([*mlpipe, "run"], example),
            f"`mlpipe validate`, {STEPS:,} steps": ([*mlpipe, "validate"], thousand),
            f"`mlpipe plan`, {STEPS:,} steps": ([*mlpipe, "plan"], thousand),
        }
        rounds = [{n: _measure(*c) for n, c in commands.items()} for _ in range(runs + 1)]
        parts = _parts(thousand, runs)
    text = _table(rounds[1:]) + parts  # the first round warms up
    RESULTS.write_text(text, "utf-8")
    print(text)


def _thousand(folder: Path) -> Path:
    """A repository with a workflow of many steps, in chains of ten."""
    place = folder / "thousand"
    (place / "src").mkdir(parents=True)
    lines = ["name: thousand", "steps:"]
    for number in range(STEPS):
        (place / "src" / f"s{number}.py").write_text(f"print({number})\n")
        before = f", out/{number}.txt" if number % 10 else ""
        lines += [
            f"  - name: step {number}",
            f"    run: python src/s{number}.py --in out/{number}.txt --out out/{number + 1}.txt",
            f"    inputs: [src/s{number}.py{before}]",
            f"    outputs: [out/{number + 1}.txt]",
        ]
    (place / "mlpipe.yml").write_text("\n".join(lines) + "\n")
    _commit_all(place)
    return place


def _parts(thousand: Path, runs: int) -> str:
    """The CPU seconds of the parts of reading the file, as medians."""
    command = [sys.executable, "-c", PARTS]
    printed = [
        subprocess.run(command, cwd=thousand, check=True, capture_output=True, text=True).stdout
        for _ in range(runs)
    ]
    values = [[float(word) for word in line.split()] for line in printed]
    yaml, schema, rest = (statistics.median(column) for column in zip(*values, strict=True))
    return (
        f"\nOf reading the file of {STEPS:,} steps (CPU seconds): YAML {yaml:.3f}, "
        f"JSON Schema {schema:.3f}, expressions, paths and order {rest:.3f}.\n"
    )


def _example(folder: Path) -> Path:
    example = folder / "fraud-detection"
    shutil.copytree(ROOT / "examples" / "fraud-detection", example)
    os.environ |= {"MLPIPE_CACHE_DIR": str(folder / "cache"), **NOBODY}
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    _commit_all(example)
    subprocess.run([sys.executable, "-m", "mlpipe_ci", "run", "-q"], cwd=example, check=True)
    return example


def _commit_all(place: Path) -> None:
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run(["git", *words], cwd=place, check=True)


def _measure(command: list[str], directory: Path) -> tuple[float, float]:
    """Wall and CPU (user + system, with children) seconds of one process."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        command, cwd=directory, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
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
