"""Random programs that log themselves what they do are the truth that a trace is held against."""

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.tracing import access_log as flags
from tests.support.random_cases import cases
from tests.support.traced_command import BOTH, watch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands")
PLACES = ("a", "b", "d/a", "d/b", "d/e/a", "absent")
PROGRAM = """
import json, os, subprocess, sys
root, log = os.getcwd(), os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND)
def note(kind, *paths):
    told = [os.path.relpath(os.path.realpath(os.path.dirname(p) or "."), root) for p in paths]
    full = [os.path.normpath(os.path.join(t, os.path.basename(p))) for t, p in zip(told, paths)]
    os.write(log, (json.dumps([kind, *full]) + "\\n").encode())
def do(kind, path, other):
    if kind == "read":
        if os.path.isfile(path): note("read", path); open(path).read()
    elif kind == "write": note("write", path); open(path, "w").write("x")
    elif kind == "list":
        place = os.path.dirname(path) or "."
        note("list", os.path.join(place, "")[:-1] if place != "." else "."); os.listdir(place)
    elif kind == "rename":
        if os.path.isfile(path): note("rename", path, other); os.rename(path, other)
    elif kind == "cat":
        if os.path.isfile(path): note("read", path); subprocess.run(["cat", path], stdout=-3)
    elif kind == "remove":
        if os.path.isfile(path): note("remove", path); os.remove(path)
    elif kind == "link":
        if os.path.isfile(path) and not os.path.exists(other):
            note("link", path, other); os.link(path, other)
for kind, path, other, way in json.loads(sys.argv[1]):
    if way == "chdir":
        os.chdir("d")
        path, other = (os.path.relpath(os.path.join(root, p)) for p in (path, other))
    if way == "fork":
        if os.fork() == 0:
            try: do(kind, path, other)
            finally: os._exit(0)
        os.wait()
    else: do(kind, path, other)
    os.chdir(root)
"""
DEED = st.tuples(
    st.sampled_from(["read", "write", "list", "rename", "cat", "remove", "link"]),
    st.sampled_from(PLACES),
    st.sampled_from(PLACES),
    st.sampled_from(["plain", "fork", "chdir"]),
)


@BOTH
@cases(25)
@given(deeds=st.lists(DEED, max_size=8))
def test_a_trace_is_the_truth(
    tmp_path_factory: pytest.TempPathFactory, tracer: str, deeds: list[tuple[str, ...]]
) -> None:
    root = tmp_path_factory.mktemp("truth") / "work"
    for place in PLACES[:-1]:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(place)
    log = root.parent / "log"
    log.write_text("")
    seen = watch(root, "python", "-c", PROGRAM, json.dumps(deeds), str(log), tracer=tracer)
    assert seen.outcome.exit_code == 0, seen.output
    assert seen.trace.complete, seen.trace.why
    read, own, listed, changed = expected(log)
    assert read <= seen.read
    assert {path for path in own if (root / path).exists()} == seen.written
    assert listed <= seen.listed | {str(seen.root)}
    assert not (seen.read - read) & set(PLACES), "something was read that the program did not read"
    there = {path for path in changed if (root / path).exists()}
    assert there == {p for p in seen.having(flags.CHANGED) if (root / p).exists()}


def expected(log: Path) -> tuple[set[str], set[str], set[str], set[str]]:
    """Read before it was written; the step's own; listed; read and then written, be it anew."""
    read, own, listed, changed, gone = set[str](), set[str](), set[str](), set[str](), set[str]()
    for line in log.read_text().splitlines():
        kind, path, *other = json.loads(line)
        if path in other:
            continue  # nothing happens
        if kind in {"read", "rename", "link"} and path not in own | gone:
            read.add(path)
        if kind == "list" and path != ".":
            listed.add(path)
        written = [path] if kind == "write" else other
        changed |= {one for one in written if one in read and one not in own}
        own |= {one for one in written if one not in changed}
        if kind in {"remove", "rename"}:
            changed.discard(path)
            own.discard(path)
            gone.add(path)
    return read, own, listed, changed
