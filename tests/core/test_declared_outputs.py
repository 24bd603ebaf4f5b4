"""The index of declared outputs answers as a look at every step would."""

from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.core.declared_outputs import DeclaredOutput, DeclaredOutputs
from mlpipe_ci.core.paths import is_glob, is_under, normal
from mlpipe_ci.core.patterns import may_match
from tests.support.fakes import step

names = st.text(st.sampled_from("ab"), min_size=1, max_size=2)
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
outputs = st.builds(lambda path, slash: path + slash, paths, st.sampled_from(["", "/"]))
patterns = (
    outputs
    | st.lists(names | st.sampled_from(["*", "**", "a*"]), min_size=1, max_size=3).map("/".join)
    | st.just(".")
)
workflows = st.lists(st.lists(outputs, max_size=3), max_size=5)


@given(workflows, patterns)
def test_the_index_finds_what_a_scan_finds(declared: list[list[str]], pattern: str) -> None:
    steps = tuple(step(f"s{n}", outputs=tuple(found)) for n, found in enumerate(declared))
    writers = DeclaredOutputs(steps)
    every = [DeclaredOutput(n, path) for n, s in enumerate(steps) for path in s.writes]
    meant = [write for write in every if may_match(normal(pattern), write.path)]
    assert sorted(writers.matching(normal(pattern))) == sorted(meant)
    if not is_glob(pattern) and pattern != ".":
        holding = [w for w in every if is_under(pattern, w.path)]
        assert sorted(writers.containing(pattern)) == sorted(holding)
        touching = [w for w in every if is_under(pattern, w.path) or is_under(w.path, pattern)]
        assert writers.overlapping(pattern) == sorted(touching)
