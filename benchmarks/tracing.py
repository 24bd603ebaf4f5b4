"""Measures what watching a command costs, and the run afterwards that reuses its result.

python benchmarks/tracing.py [ROUNDS]: each command bare, below `notify` and below `strace`, in
turn; then a run with nothing to do, of steps that declare all and of the same steps that declare
nothing. Writes benchmarks/tracing.md.
"""

import dataclasses
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from measure import measure

from mlpipe_ci.run.executors.base import Job
from mlpipe_ci.run.executors.local import LocalExecutor
from mlpipe_ci.tracing.base import TraceRequest

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "tracing.md"
TRACERS = ("notify", "strace")
SMALL, STEPS = 20_000, 20
READ_ALL = """
import os
total = 0
for place in range(100):
    for name in sorted(os.listdir(f'many/{place}')):
        with open(f'many/{place}/{name}', 'rb') as file:
            total += len(file.read())
print(total)
"""
TRAIN = """
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
x, y = make_classification(12_000, 40, random_state=1)
RandomForestClassifier(150, random_state=1).fit(x, y)
"""
BOTH = """
import time
from joblib import Parallel, delayed
def work(n):
    end = time.process_time() + 1.5
    while time.process_time() < end:
        n = (n * 31 + 7) % 1_000_003
    return n
if __name__ == '__main__':
    print(Parallel(n_jobs=2)(delayed(work)(n) for n in range(4)))
"""
WORKS = {
    "python, nothing else": ("pass", 0.0),
    "import scikit-learn and pandas": ("import sklearn.ensemble, pandas", 1.35),
    "a training (random forest)": (TRAIN, 1.2),
    "joblib, 2 processes": (BOTH, 1.2),
    f"read {SMALL:,} small files": (READ_ALL, 4.0),
}
STEP = "import sys, lib; print(lib.text, open(sys.argv[1]).read(), file=open(sys.argv[2], 'w'))"


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds by the clock, and of processors."""

    wall: float
    cpu: float


def main() -> None:
    """Measure, and write the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        watched = _watched(path, rounds)
        nothing = _nothing(path, rounds * 2)
    text = "\n".join([*_head(rounds), *_watched_table(watched), *_nothing_table(nothing)])
    RESULTS.write_text(text + "\n", "utf-8")
    print(text)


def _watched(path: Path, rounds: int) -> dict[str, dict[str, list[Cost]]]:
    repo = path / "work"
    repo.mkdir()
    _many(repo / "many")
    found: dict[str, dict[str, list[Cost]]] = {}
    for number, (name, (code, _)) in enumerate(WORKS.items()):
        script = repo / f"work{number}.py"
        script.write_text(code, "utf-8")
        command = (sys.executable, str(script))
        ways: dict[str, Callable[[], None]] = {"bare": partial(_bare, command, repo)}
        for tracer in _tracers():
            ways[tracer] = partial(_below, command, repo, path, tracer)
        found[name] = {way: [] for way in ways}
        for round_ in range(rounds + 1):
            for way, run in ways.items():
                cost = _cost(run)
                if round_:  # the first one warms up
                    found[name][way].append(cost)
        print(name, flush=True)
    return found


def _tracers() -> list[str]:
    return [tracer for tracer in TRACERS if tracer == "notify" or shutil.which(tracer)]


def _many(path: Path) -> None:
    for folder in range(100):
        (path / str(folder)).mkdir(parents=True)
        for number in range(SMALL // 100):
            (path / str(folder) / f"{number}.txt").write_text(f"{folder} {number}\n")


def _bare(command: tuple[str, ...], repo: Path) -> None:
    subprocess.run(command, cwd=repo, check=True, stdout=subprocess.DEVNULL)


def _below(command: tuple[str, ...], repo: Path, path: Path, tracer: str) -> None:
    """As the runner does it, until the trace is read."""
    request = TraceRequest(root=repo, directory=repo, log=path / "strace.log", preferred=tracer)
    env = tuple(os.environ.items())
    job = Job(id="s", argv=command, directory=repo, env=env, log=path / "log", watch=request)
    executor = LocalExecutor(lambda *_: None)
    executor.start(job)
    outcome = executor.run_to_end()
    if outcome.exit_code or outcome.trace.tracer != tracer or not outcome.trace.complete:
        raise SystemExit(f"{tracer}: {outcome}")


def _cost(run: Callable[[], None]) -> Cost:
    before, start = _processors(), time.perf_counter()
    run()
    return Cost(time.perf_counter() - start, _processors() - before)


def _processors() -> float:
    own, below = (
        resource.getrusage(resource.RUSAGE_SELF),
        resource.getrusage(resource.RUSAGE_CHILDREN),
    )
    return own.ru_utime + own.ru_stime + below.ru_utime + below.ru_stime


def _nothing(path: Path, rounds: int) -> dict[str, list[Cost]]:
    """A run with nothing to do, in three repositories."""
    programs = {
        "all declared, not watched": (True, "off"),
        "all declared, watched": (True, "auto"),
        "nothing declared": (False, "auto"),
    }
    for name, (declared, tracer) in programs.items():
        _plant(path / name, declared=declared)
        for _ in range(2):
            _mlpipe(path, name, tracer)
    found: dict[str, list[Cost]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, (_, tracer) in programs.items():
            found[name].append(_mlpipe(path, name, tracer))
    return found


def _plant(repo: Path, *, declared: bool) -> None:
    (repo / "data").mkdir(parents=True)
    (repo / "lib.py").write_text("text = 'x'\n")
    (repo / "step.py").write_text(STEP)
    lines = ["steps:"]
    for number in range(STEPS):
        read, write = f"data/{number}.csv", f"out/{number}.txt"
        (repo / read).write_text(f"{number}\n" * 100)
        lines += [f"  - name: s{number}", f"    run: mkdir -p out && python step.py {read} {write}"]
        if declared:
            lines += [f"    inputs: [step.py, lib.py, {read}]", f"    outputs: [{write}]"]
    (repo / "mlpipe.yml").write_text("\n".join(lines) + "\n")
    (repo / ".gitignore").write_text("out/\n__pycache__/\n")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        nobody = ["-c", "user.name=A", "-c", "user.email=a@example.invalid"]
        subprocess.run(["git", *nobody, *words], cwd=repo, check=True)


def _mlpipe(path: Path, name: str, tracer: str) -> Cost:
    program = Path(sys.executable).parent
    env: Mapping[str, str] = {
        "PATH": f"{program}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(path),
        "MLPIPE_CACHE_DIR": str(path / "cache" / name),
        "MLPIPE_TRACER": tracer,
    }
    said = path / "said"
    sample = measure([str(program / "mlpipe"), "run"], path / name, env, said)
    return Cost(sample.wall, sample.cpu)


def _head(rounds: int) -> list[str]:
    machine = f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}"
    return [
        "# What watching costs",
        "",
        "Written by `make bench`. Each command bare, then watched, in turn; medians, and ratios of",
        f"medians to the bare command. {rounds} rounds, {machine}, {os.cpu_count()} cores, Python",
        f"{platform.python_version()}.",
        "",
    ]


def _watched_table(found: dict[str, dict[str, list[Cost]]]) -> list[str]:
    lines = [
        "| command | watched by | wall s | CPU s | wall, ratio | CPU, ratio | limit |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for name, ways in found.items():
        bare = _median(ways["bare"])
        for way, costs in ways.items():
            cost, limit = _median(costs), WORKS[name][1]
            figures = f"{cost.wall:.3f} | {cost.cpu:.3f}"
            ratios = f"{cost.wall / bare.wall:.2f} | {cost.cpu / bare.cpu:.2f}"
            shown = f"{limit:.2f}" if limit and way != "bare" else ""
            lines.append(f"| {name} | {way} | {figures} | {ratios} | {shown} |")
    return [*lines, ""]


def _nothing_table(found: dict[str, list[Cost]]) -> list[str]:
    lines = [
        f"A run with nothing to do afterwards, {STEPS} steps that read a data file and import a",
        "module:",
        "",
        "| steps | wall s | CPU s |",
        "|---|--:|--:|",
    ]
    for name, costs in found.items():
        cost = _median(costs)
        lines.append(f"| {name} | {cost.wall:.3f} | {cost.cpu:.3f} |")
    return lines


def _median(costs: list[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.wall for cost in costs),
        statistics.median(cost.cpu for cost in costs),
    )


if __name__ == "__main__":
    main()
