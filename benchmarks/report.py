"""Writes benchmarks/results.md from what was measured and kept."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from catalog import WORKS
from growth import GROWTHS, Growth
from measure import Sample
from session import Work
from store import KEPT, ROOT, Kept, load

RESULTS = ROOT / "benchmarks" / "results.md"
HEAD = """# Results

Written by `make bench`. Each figure is of whole processes: the same work, generated from a seed, is
done by each tool in turn, in rotating order, and after each run it is checked which steps ran and
what lies there. **wall** and **CPU** (user and system, with children) are medians in seconds.
**× mlpipe** is the median of the ratios of CPU seconds in the same round: above 1, mlpipe needs
less. **peak** is the memory of the largest process in MB, with the files that it maps; below 10 it
is that of the interpreter that starts the processes. The page cache is warm. Rows without a version
are no rivals: they say what Python, git or a copy need alone.
"""
OURS = "mlpipe"
LONGEST = 200


def write(kept: Path = KEPT, results: Path = RESULTS) -> str:
    """Write the report, and give its text."""
    measured = {work.name: load(work.name, kept) for work in WORKS}
    grown = {growth.name: load(growth.name, kept) for growth in GROWTHS}
    text = HEAD + _origin([session for s in (measured | grown).values() for session in s])
    text += "".join(table(work, measured[work.name]) for work in WORKS if measured[work.name])
    for growth in GROWTHS:
        if grown[growth.name]:
            text += growth_table(growth, grown[growth.name][-1])
    results.write_text(text, "utf-8")
    return text


def table(work: Work, sessions: Sequence[Kept]) -> str:
    """The table of one work, least CPU first."""
    last, found = sessions[-1], _newest(sessions)
    lines = ["", f"## {work.title}", ""]
    lines += [f"Limit for mlpipe (CPU): {work.target}.", ""] if work.target else []
    lines += ["| tool | version | wall s | CPU s | CPU min–max | peak MB | × mlpipe | n |"]
    lines += ["|---|---|--:|--:|--:|--:|--:|--:|"]
    rows = {name: _samples(found[name], name) for name in found}
    for name in sorted((name for name in rows if rows[name]), key=lambda n: _cpu(rows[n])):
        lines.append(_row(name, rows[name], found[name]))
    wrong = {name: found[name].wrong[name] for name in found if name in found[name].wrong}
    lines += [f"| {name} | | missing | | | | | 0 |" for name in wrong if not rows[name]]
    lines.append("")
    lines += [f"Not measured: {name}. {_short(why)}\n" for name, why in wrong.items()]
    lines += [f"{note}\n" for note in (work.note, *last.notes) if note]
    lines += _older(found, last)
    return "\n".join([*lines, _busy(last)]) + "\n"


def growth_table(growth: Growth, kept: Kept) -> str:
    """How the time grows, with what each further step or file costs."""
    unit, sizes = growth.unit, [str(size) for size in growth.sizes if str(size) in kept.names]
    lines = ["", f"## Nothing to do, by number of {unit}s (mlpipe alone)", ""]
    lines += [f"| {unit}s | wall s | CPU s | CPU min–max | peak MB | µs CPU a {unit} | n |"]
    lines += ["|--:|--:|--:|--:|--:|--:|--:|"]
    start = sizes[0]
    for size in sizes:
        samples = _samples(kept, size)
        more = [done[size].cpu - done[start].cpu for done in kept.rounds if size in done]
        each = statistics.median(more) / max(1, int(size) - int(start)) * 1e6
        cost = f"{each:.0f}" if size != start else ""
        lines.append(f"| {int(size):,} | {_figures(samples)} | {cost} | {len(samples)} |")
    lines += ["", f"What a {unit} costs is over the first row, in the same round.", ""]
    return "\n".join([*lines, _busy(kept)]) + "\n"


def _newest(sessions: Sequence[Kept]) -> dict[str, Kept]:
    """For each column the newest session that has it."""
    found: dict[str, Kept] = {}
    for session in sessions:
        found |= dict.fromkeys([*session.names, *session.wrong], session)
    return found


def _samples(kept: Kept, name: str) -> list[Sample]:
    return [done[name] for done in kept.rounds if name in done]


def _cpu(samples: Sequence[Sample]) -> float:
    return statistics.median(sample.cpu for sample in samples)


def _row(name: str, samples: Sequence[Sample], kept: Kept) -> str:
    pairs = [d[name].cpu / d[OURS].cpu for d in kept.rounds if name in d and OURS in d]
    ratio = f"{statistics.median(pairs):.2f}" if pairs else ""
    shown = f"**{name}**" if name == OURS else name
    version = kept.versions.get(name, "")
    return f"| {shown} | {version} | {_figures(samples)} | {ratio} | {len(samples)} |"


def _figures(samples: Sequence[Sample]) -> str:
    cpu = [sample.cpu for sample in samples]
    wall = statistics.median(sample.wall for sample in samples)
    peak = statistics.median(sample.peak for sample in samples)
    spread = f"{min(cpu):.3f}–{max(cpu):.3f}"
    return f"{wall:.3f} | {_cpu(samples):.3f} | {spread} | {peak:.0f}"


def _origin(sessions: Sequence[Kept]) -> str:
    """Where and of which commit all this is; several, if parts were measured at different times."""
    machines = sorted({session.machine for session in sessions})
    commits = list(dict.fromkeys(session.commit for session in sessions))
    text = f"\n{'; '.join(machines)}. mlpipe at {', '.join(commits)}"
    return text + ("; not all tables are of one run.\n" if len(commits) > 1 else ".\n")


def _older(found: Mapping[str, Kept], last: Kept) -> list[str]:
    """Say which rows are of an earlier run, and what mlpipe needed in it."""
    lines = []
    for name, session in found.items():
        if session is not last:
            ours = _samples(session, OURS)
            needed = f", which needed {_cpu(ours):.3f} s CPU then" if ours else ""
            lines.append(f"{name} is of an earlier run, beside mlpipe {session.commit}{needed}.\n")
    return lines


def _busy(kept: Kept) -> str:
    samples = [sample for done in kept.rounds for sample in done.values()]
    cores = sum(s.others for s in samples) / max(sum(s.wall for s in samples), 1e-9)
    return f"mlpipe at {kept.commit}; the rest of the machine used {cores:.1f} cores meanwhile."


def _short(text: str) -> str:
    """A reason in one line, without what would end a table."""
    words = " ".join(text.split()).replace("|", "/")
    return words if len(words) <= LONGEST else f"{words[:LONGEST]}…"
