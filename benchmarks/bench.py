"""Measures mlpipe beside other tools on the same work, and writes benchmarks/results.md.

python benchmarks/bench.py --works noop-10,leaf-1000 --runs 7 --tools mlpipe,doit,make: a part; the
report has the other parts as they were measured last.
"""

import argparse
import contextlib
import itertools
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import parts
import report
import store
from catalog import WORKS
from growth import GROWTHS, measure_growth
from measure import MeasureError
from places import Place, Tool
from rivals import TOOLS
from session import Work, places, take_turns, warm_up

OURS = "mlpipe"
QUICK_RUNS = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Install the tools, measure each work, write the report."""
    asked = _arguments(arguments)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the data is deleted
    chosen = [work for work in WORKS if not asked.works or work.name in asked.works]
    if asked.tools:
        chosen = [parts.reduced(work, {OURS, *asked.tools}) for work in chosen]
    if asked.quick:
        chosen = [parts.quick(work) for work in chosen if not work.tree.size]
    missing, versions = install({tool.name: tool for work in chosen for tool in work.tools})
    for _, same in itertools.groupby(chosen, lambda work: work.tree.name):
        with _workdir(asked.workdir) as base:
            measure_tree(list(same), base, asked.runs, missing, versions)
    for growth in GROWTHS:
        if growth.name in asked.works or not (asked.works or asked.quick):
            with _workdir(asked.workdir) as base:
                session = measure_growth(growth, TOOLS[OURS], base, asked.runs, say)
            store.keep(growth.name, store.dressed(session, versions, {}))
    report.write()
    say(f"written: {report.RESULTS}")


def install(tools: dict[str, Tool]) -> tuple[dict[str, str], dict[str, str]]:
    """Install what is not there yet: why tools are missing, and the versions of the others."""
    missing, versions = {}, {}
    for name, tool in tools.items():
        if why := tool.install():
            missing[name] = why
        else:
            versions[name] = tool.version()
        say(f"{name}: {missing.get(name) or versions[name] or 'here'}")
    return missing, versions


def measure_tree(
    works: Sequence[Work],
    base: Path,
    runs: int,
    missing: dict[str, str],
    versions: dict[str, str],
) -> None:
    """Measure the works that share a tree, one after the other."""
    tools = {t.name: t for work in works for t in work.tools if t.name not in missing}
    made = places(works[0].tree, tools.values(), base)
    broken = dict(missing)
    for name, place in made.items():
        if works[0].warm and not works[0].version:
            say(f"{works[0].tree.name}: {name} runs for the first time")
            try:
                warm_up(place, twice=name not in works[0].few)
            except MeasureError as error:
                broken[name] = str(error)
                say(f"{works[0].tree.name}: {name}: {error}")
    for work in works:
        columns = dict(_columns(work, made, broken))
        session = take_turns(work, columns, runs, say)
        names = {tool.name for tool in work.tools}
        wrong = {name: why for name, why in broken.items() if name in names}
        kept = store.dressed(session, versions, wrong)
        kept.notes += parts.notes(work, made[OURS])
        store.keep(work.name, kept)


def say(text: str) -> None:
    """Tell who waits how far it is."""
    print(text, file=sys.stderr, flush=True)


def _columns(
    work: Work, made: dict[str, Place], broken: dict[str, str]
) -> Iterator[tuple[str, tuple[Tool, Place]]]:
    for tool in work.tools:
        if tool.name not in broken:
            yield tool.name, (tool, made[tool.name if tool.own and not work.version else OURS])


@contextlib.contextmanager
def _workdir(directory: str | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(
        dir=directory, prefix="bench-", ignore_cleanup_errors=True
    ) as base:
        yield Path(base)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    names = [*(work.name for work in WORKS), *(growth.name for growth in GROWTHS)]
    parser = argparse.ArgumentParser(description=__doc__, epilog=f"works: {', '.join(names)}")
    parser.add_argument("--works", type=_listed, default=[], help="these alone")
    parser.add_argument("--tools", type=_listed, default=[], help="mlpipe and these alone")
    parser.add_argument("--runs", type=int, help="rounds of each work (5)")
    parser.add_argument("--quick", action="store_true", help="2 rounds of what takes seconds")
    parser.add_argument("--workdir", help="where the data is generated; up to 30 GB are needed")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.works) - set(names):
        parser.error(f"there is no work called {', '.join(sorted(unknown))}")
    asked.runs = asked.runs or (QUICK_RUNS if asked.quick else 5)
    return asked


def _listed(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


if __name__ == "__main__":
    main()
