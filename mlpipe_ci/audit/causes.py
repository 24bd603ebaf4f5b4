"""Why a step does not give the same bytes twice: one thing is fixed, and it runs twice again."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from mlpipe_ci.audit.rerun import AS_IT_IS, Changes, Rerun
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.result import Output
from mlpipe_ci.core.workflow import Step

STEADY = "STEADY_IN"
HASH_SEED = "PYTHONHASHSEED"
DATE = "SOURCE_DATE_EPOCH"
THREADS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
    *("BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "LOKY_MAX_CPU_COUNT", "RAYON_NUM_THREADS"),
    *("POLARS_MAX_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "GOMAXPROCS"),
)
Run = Callable[[Changes], Rerun | None]
"""Runs the step once more; None where the time for that is used up."""


@frozen
class Experiment:
    """`env`: what is set; `steady`: what of Python is made steady, by words of STEADY; `words`: the
    cause, if this helps; `short`: its name.
    """

    short: str
    words: str
    env: tuple[tuple[str, str], ...] = ()
    steady: tuple[str, ...] = ()

    def changes(self, path: str) -> Changes:
        """What the step gets. `path`: the directory of our `sitecustomize`."""
        env = dict(self.env)
        if not self.steady:
            return Changes(env=env)
        return Changes(env={**env, STEADY: ",".join(self.steady)}, path=path)


CLOCK = Experiment(
    short="the clock",
    words="the time of day: with the clock fixed it is the same each time",
    env=((DATE, "1000000000"),),
    steady=("clock",),
)
HASHES = Experiment(
    short="the hash seed",
    words=f"the order of sets or hashes: with {HASH_SEED}=0 it is the same each time",
    env=((HASH_SEED, "0"),),
)
ONE_THREAD = Experiment(
    short="the number of threads",
    words="the number of threads: with one (OMP_NUM_THREADS=1 and such) it is the same each time",
    env=tuple((name, "1") for name in THREADS),
)
SEED = Experiment(
    short="the random seed",
    words="numbers drawn without a seed: with random and NumPy seeded it is the same each time",
    steady=("seed",),
)
EXPERIMENTS = (CLOCK, HASHES, ONE_THREAD, SEED)
NOT_FOUND = (
    "none of clock, hash seed, threads and random seed: with all of them fixed it differs each "
    "time; a process id, a temporary name, the network, a device or the order of parallel work may "
    "be in it"
)


@frozen
class Findings:
    """`unstable`: paths that differ from one run to the next; `causes`: by path, why; `again`: the
    second run as it is; `notes`: what could not be tried.
    """

    again: Rerun | None = None
    unstable: frozenset[str] = frozenset()
    causes: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def find_causes(
    step: Step, env: Mapping[str, str], first: Rerun, paths: Iterable[str], run: Run, steady: str
) -> Findings:
    """Try it. `env`: of all steps; `first`: a run as it is; `paths`: what differs from the stored
    result; `steady`: the directory of our `sitecustomize`.
    """
    wanted = set(paths)
    again = run(replace(AS_IT_IS, traced=True))
    if again is None:
        return Findings(notes=("the time for it was used up before a cause could be looked for",))
    if not again.succeeded:
        return Findings(again=again, notes=("the second time its command failed",))
    unstable = frozenset(wanted - _equal(first, again, wanted))
    left, causes, notes = set(unstable), list[tuple[str, str]](), list[str]()
    for experiment in EXPERIMENTS:
        if not left:
            break
        if not _changes_anything(experiment, step, env):
            continue
        solved = _twice(run, experiment.changes(steady), left)
        if solved is None:
            notes.append(f"not tried: {experiment.short} (the time for it was used up)")
            continue
        causes += [(path, experiment.words) for path in sorted(solved)]
        left -= solved
    if left and not notes:
        solved = _twice(run, _all_at_once(steady), left) or set()
        several = ", ".join(one.short for one in EXPERIMENTS)
        causes += [(p, f"more than one of: {several}") for p in sorted(solved)]
        causes += [(path, NOT_FOUND) for path in sorted(left - solved)]
    return Findings(again=again, unstable=unstable, causes=tuple(causes), notes=tuple(notes))


def _twice(run: Run, changes: Changes, wanted: set[str]) -> set[str] | None:
    """Paths that two runs with these changes leave the same; None if there was no time for it."""
    one = run(changes)
    if one is not None and not one.succeeded:
        return set()
    other = run(changes) if one is not None else None
    return None if one is None or other is None else _equal(one, other, wanted)


def _equal(one: Rerun, other: Rerun, wanted: set[str]) -> set[str]:
    a, b = _by_path(one.outputs), _by_path(other.outputs)
    return {path for path in wanted if same(a.get(path), b.get(path))}


def _by_path(outputs: Iterable[Output]) -> dict[str, Output]:
    return {output.path: output for output in outputs}


def same(one: Output | None, other: Output | None) -> bool:
    """True if both are the same in what comes back: kind, content, permission bits."""
    if one is None or other is None:
        return one is other
    return (one.kind, one.digest, one.mode) == (other.kind, other.digest, other.mode)


def _changes_anything(experiment: Experiment, step: Step, env: Mapping[str, str]) -> bool:
    """False for the hash seed where it is a number anyway, as mlpipe sets it."""
    if experiment is not HASHES:
        return True
    value = dict(step.env).get(HASH_SEED) or env.get(HASH_SEED) or "0"
    return not value.isdecimal()


def _all_at_once(steady: str) -> Changes:
    env = tuple(pair for one in EXPERIMENTS for pair in one.env)
    words = tuple(word for one in EXPERIMENTS for word in one.steady)
    return Experiment(short="", words="", env=env, steady=words).changes(steady)
