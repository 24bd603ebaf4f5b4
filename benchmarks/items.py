"""Measures a step for each of many files, beside make and Snakemake, and writes items.md.

python benchmarks/items.py [--sizes 10,100,1000,10000] [--rounds 3]
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORKS = ("plan of a new tree", "nothing new", "one new file")
LARGEST_OF_RIVALS = 1000
"""Files; with more, Snakemake takes minutes."""
WORKFLOW = {
    "steps": [
        {
            "name": "clean",
            "each": "data/*.csv",
            "run": "cp ${{ each.path }} build/${{ each.name }}",
            "outputs": ["build/${{ each.name }}"],
        },
        {"name": "sum", "run": "cat build/* > sum", "inputs": ["build/*"], "outputs": ["sum"]},
    ]
}
MAKEFILE = """
FILES := $(patsubst data/%,build/%,$(wildcard data/*.csv))
sum: $(FILES)
\tcat build/* > sum
build/%: data/%
\tcp $< $@
"""
SNAKEFILE = """
NAMES = glob_wildcards("data/{name}.csv").name
rule sum:
    input: expand("build/{name}.csv", name=NAMES)
    output: "sum"
    shell: "cat build/* > sum"
rule clean:
    input: "data/{name}.csv"
    output: "build/{name}.csv"
    shell: "cp {input} {output}"
"""
Command = Callable[[bool], list[str]]


def main() -> None:
    """Measure all sizes in turn, each work of each tool one after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="10,100,1000,10000")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.sizes.split(",")]
    rows: dict[tuple[str, int], dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory(prefix="mlpipe-items-") as path:
        tools = _tools(Path(path))
        for size in sizes:
            for name, command in tools.items():
                if name != "mlpipe" and size > LARGEST_OF_RIVALS:
                    continue
                for _ in range(asked.rounds if size <= LARGEST_OF_RIVALS else 1):
                    found = _round(Path(path) / "tree", size, command)
                    for work, seconds in found.items():
                        rows.setdefault((name, size), {}).setdefault(work, []).append(seconds)
                print(name, size, rows[name, size], flush=True)
    (ROOT / "benchmarks" / "items.md").write_text(_page(rows, sizes, list(tools)), "utf-8")


def _tools(path: Path) -> dict[str, Command]:
    """Each tool's command; `dry`: only say what would be done."""
    ours = [sys.executable, "-m", "mlpipe_ci"]
    found: dict[str, Command] = {
        "mlpipe": lambda dry: [*ours, *(["plan"] if dry else ["run", "-q"])]
    }
    if shutil.which("make"):
        found["make"] = lambda dry: ["make", "-s", *(["-n"] if dry else [])]
    home = path / "snakemake"
    uv = str(Path(sys.executable).parent / "uv")
    done = [
        subprocess.run([uv, *words], check=False).returncode
        for words in (
            ["venv", "-q", str(home)],
            ["pip", "install", "-q", "--python", str(home), "snakemake"],
        )
    ]
    if not any(done):
        program = str(home / "bin" / "snakemake")
        found["snakemake"] = lambda dry: [program, "-q", "all", "-c1", *(["-n"] if dry else [])]
    return found


def _round(tree: Path, size: int, command: Command) -> dict[str, float]:
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "data").mkdir(parents=True)
    (tree / "build").mkdir()
    for number in range(size):
        (tree / "data" / f"{number:06}.csv").write_text(f"{number}\n")
    (tree / "mlpipe.yml").write_text(json.dumps(WORKFLOW))
    (tree / "Makefile").write_text(MAKEFILE)
    (tree / "Snakefile").write_text(SNAKEFILE)
    (tree / ".gitignore").write_text("build/\nsum\n.snakemake/\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.invalid"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *words], cwd=tree, check=True)
    env = os.environ | {"MLPIPE_CACHE_DIR": str(tree.parent / "cache"), "MLPIPE_TRACER": "off"}
    shutil.rmtree(tree.parent / "cache", ignore_errors=True)
    plan = _timed(command(True), tree, env)
    _timed(command(False), tree, env)
    nothing = _timed(command(False), tree, env)
    (tree / "data" / "new.csv").write_text("new\n")
    return dict(zip(WORKS, (plan, nothing, _timed(command(False), tree, env)), strict=True))


def _timed(words: list[str], tree: Path, env: dict[str, str]) -> float:
    """CPU seconds of a process and its children: others on the machine count less."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        words, cwd=tree, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _page(
    rows: dict[tuple[str, int], dict[str, list[float]]], sizes: list[int], tools: list[str]
) -> str:
    lines = [
        "# A step for each of many files",
        "",
        f"Measured on {time.strftime('%Y-%m-%d')} by `benchmarks/items.py`: CPU seconds of the",
        "whole process and its children, medians; in brackets the ratio to mlpipe. Each file is",
        "copied by a command of its own, one step reads all copies. make and Snakemake look at",
        "times alone, and keep no results.",
        "",
    ]
    for work in WORKS:
        lines += [f"## {work[0].upper()}{work[1:]}", ""]
        lines += ["| files | " + " | ".join(tools) + " | mlpipe, ms a file |"]
        lines += ["|--:|" + "--:|" * (len(tools) + 1)]
        first = statistics.median(rows["mlpipe", sizes[0]][work])
        for size in sizes:
            ours = statistics.median(rows["mlpipe", size][work])
            cells = []
            for tool in tools:
                found = rows.get((tool, size))
                value = statistics.median(found[work]) if found else None
                ratio = "" if tool == "mlpipe" or value is None else f" ({value / ours:.1f})"
                cells.append("" if value is None else f"{value:.2f}{ratio}")
            each = f"{(ours - first) / (size - sizes[0]) * 1000:.2f}" if size > sizes[0] else ""
            lines.append(f"| {size:,} | {' | '.join(cells)} | {each} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
