"""Random steps that declare nothing, and random edits, held against a run from scratch."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.random_cases import cases
from tests.support.random_repo import call

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands")
SOURCES = ("a.txt", "in/b.txt", "in/c d.txt", "in/deep/e.txt", "lib.sh", "far/f.txt")
CONTENTS = ("1\n", "2\n", "", "two\nlines\n")
READS = (
    "cat {path} || echo none",
    "cat in/*.txt",
    "ls in far || true",
    "find in -name '*.txt' | sort | xargs -d '\\n' cat",
    "test -e {path} && echo there || echo not",
    "test -d in/deep && ls in/deep",
    "(cd in && cat b.txt ../{path} || true)",
    "grep -c 1 < {path} || true",
    "if [ -e optional ]; then cat optional; fi",
    "readlink link; cat link || true",
    "ls -l {path} | cut -c1-10",
    "cat 'out/s{earlier}.txt' || echo nothing",
    "ls out/dir{earlier} && cat out/dir{earlier}/* || echo nothing",
    "cp {path} t && mv t u && cat u && rm u",
    "echo x > t; cat t; rm t",
)
WRITES = (
    "mkdir -p out/dir{me}; cp {path} out/dir{me}/copy || true",
    "mkdir -p out/dir{me}/$(head -c1 a.txt); touch out/dir{me}/$(head -c1 a.txt)/new",
    "test -e optional && echo more > out/more{me} || true",
    "ln -sf s{me}.txt out/link{me}",
)
EDITS = (
    "write",
    "write",
    "write",
    "delete",
    "new",
    "optional",
    "folder",
    "empty",
    "by hand",
    "lost",
    "mode",
    "link",
    "touch",
    "nobody",
)
SLACK = 0.12
"""Seconds: what was written just before a run might have been written in it."""
Edit = tuple[str, int, int]
Script = tuple[str, ...]


@st.composite
def scripts(draw: st.DrawFn, me: int, *, more: bool = True) -> str:
    """A shell script that writes out/sME.txt, and perhaps (with `more`) something else."""
    lines = []
    for form in draw(st.lists(st.sampled_from(READS), min_size=1, max_size=4)):
        earlier = draw(st.integers(0, me - 1)) if me else "none"  # not itself: see "by hand"
        path = f"'{draw(st.sampled_from(SOURCES))}'"
        lines.append(form.replace("{path}", path).replace("{earlier}", str(earlier)))
    whole = ["mkdir -p out", "{", *lines, f"}} > new{me}; mv new{me} out/s{me}.txt"]
    for form in draw(st.lists(st.sampled_from(WRITES), max_size=2 * more, unique=True)):
        path = f"'{draw(st.sampled_from(SOURCES))}'"
        whole.append(form.replace("{path}", path).replace("{me}", str(me)))
    return "\n".join(whole)


@st.composite
def pipelines(draw: st.DrawFn) -> Script:
    """Some steps; each may read what those before it wrote, and itself."""
    return tuple(draw(scripts(number)) for number in range(draw(st.integers(1, 3))))


@st.composite
def half_declared(draw: st.DrawFn) -> Script:
    """Steps that declare what they write, and of what they read next to nothing."""
    found = [draw(scripts(number, more=False)) for number in range(draw(st.integers(2, 4)))]
    pauses = [draw(st.sampled_from(("", "sleep 0.05\n", "sleep 0.2\n"))) for _ in found]
    return tuple(pause + script for pause, script in zip(pauses, found, strict=True))


EDIT = st.tuples(st.sampled_from(EDITS), st.integers(0, 20), st.integers(0, 20))
ROUNDS = st.lists(st.lists(EDIT, max_size=3), min_size=1, max_size=4)


def plant(root: Path, pipeline: Script, *, declared: bool = False) -> None:
    for number, path in enumerate(SOURCES):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(CONTENTS[number % len(CONTENTS)])
    (root / "link").symlink_to("a.txt")
    lines = ["steps:"]
    for number, script in enumerate(pipeline):
        lines += [f"  - name: s{number}", "    shell: sh", "    run: |"]
        lines += [f"      {line}" for line in script.split("\n")]
        lines += ["    inputs: [mlpipe.yml]", f"    outputs: [out/s{number}.txt]"] * declared
    (root / "mlpipe.yml").write_text("\n".join(lines) + "\n")


def edit(root: Path, change: Edit) -> None:  # noqa: C901, PLR0912 - a list of cases
    what, one, other = change
    path, text = root / SOURCES[one % len(SOURCES)], CONTENTS[other % len(CONTENTS)]
    outputs = sorted(p for p in root.glob("out/**/*") if p.is_file() and not p.is_symlink())
    if what == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    elif what == "delete":
        path.unlink(missing_ok=True)
    elif what == "new":
        place = root / ("in", "far", "in/deep", ".")[one % 4]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"new{other % 3}.txt").write_text(text)
    elif what == "optional" and (root / "optional").exists():
        (root / "optional").unlink()
    elif what == "optional":
        (root / "optional").write_text(text)
    elif what == "folder":
        shutil.rmtree(root / "in/deep", ignore_errors=True)
    elif what == "empty":
        (root / "in/deep/none").mkdir(parents=True, exist_ok=True)
    elif what == "by hand" and outputs:
        always = [path for path in outputs if path.parent.name == "out" and path.suffix]
        always[one % len(always)].write_text("by hand")  # of others it is not known: it stays
    elif what == "lost" and outputs:
        outputs[one % len(outputs)].unlink()
    elif what == "mode" and path.exists():
        path.chmod(0o755 if other % 2 else 0o644)
    elif what == "link":
        (root / "link").unlink()
        (root / "link").symlink_to(("a.txt", "in/b.txt", "nothing")[one % 3])
    elif what == "touch" and path.exists():
        os.utime(path)
    elif what == "nobody":
        (root / "nobody.txt").write_text(text)


def outputs(root: Path) -> dict[str, str]:
    """What the steps left: contents by path, where links lead, and directories."""
    found = {}
    for path in sorted((root / "out").rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = path.read_text()
    return found


def from_scratch(root: Path, pipeline: Script, path: Path) -> dict[str, str]:
    """The same sources, in a new directory, with all steps run by a shell."""
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(root, path, symlinks=True, ignore=shutil.ignore_patterns("out", ".git"))
    for number, script in enumerate(pipeline):
        done = subprocess.run(
            ["sh", "-e", "-c", script], cwd=path, capture_output=True, check=False
        )
        assert done.returncode == 0, (number, done)
    return outputs(path)


def play(
    top: Path,
    pipeline: Script,
    script: list[list[Edit]],
    tracer: str,
    *,
    jobs: int = 1,
    declared: bool = False,
) -> None:
    """Edit, run, compare, run again; from one state to the next."""
    root = top / "work"
    root.mkdir()
    plant(root, pipeline, declared=declared)
    os.environ["MLPIPE_CACHE_DIR"], os.environ["MLPIPE_TRACER"] = str(top / "cache"), tracer
    for changes in [[], *script]:
        for change in changes:
            edit(root, change)
        wanted = from_scratch(root, pipeline, top / "scratch")
        time.sleep(SLACK)
        code, out, err = call(root, "run", "--jobs", str(jobs))
        assert code == 0, out + err
        assert outputs(root) == wanted, out + err
        code, out, again = call(root, "run")
        assert code == 0
        # Beside others a step may list a directory in which they have a temporary file: it is
        # stored so, and runs once more.
        assert declared or '"status": "succeeded"' not in out, err + again
        assert outputs(root) == wanted, out


@given(pipelines(), ROUNDS)
@cases(10)
def test_undeclared_steps_end_as_from_scratch(pipeline: Script, script: list[list[Edit]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        play(Path(folder), pipeline, script, "notify")


@pytest.mark.slow
@pytest.mark.parametrize("tracer", ["notify", "strace"])
@given(pipelines(), ROUNDS)
@cases(60)
def test_many_undeclared_steps_end_as_from_scratch(
    tracer: str, pipeline: Script, script: list[list[Edit]]
) -> None:
    if tracer == "strace":
        if not shutil.which("strace"):
            pytest.skip("strace is not installed")
        # it does not tell whether what `touch` opens was there, and so believes the worse
        pipeline = tuple(one.replace("; touch ", "; : > ") for one in pipeline)
    with tempfile.TemporaryDirectory() as folder:
        play(Path(folder), pipeline, script, tracer)


@given(pipelines(), ROUNDS)
@cases(6)
def test_undeclared_steps_at_once_end_as_from_scratch(
    pipeline: Script, script: list[list[Edit]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        play(Path(folder), pipeline, script, "notify", jobs=3)


@given(half_declared(), ROUNDS)
@cases(8)
def test_steps_that_run_at_once_and_need_one_another_end_as_from_scratch(
    pipeline: Script, script: list[list[Edit]]
) -> None:
    """Nothing says that they need one another, so they begin at once; it is seen, and mended."""
    with tempfile.TemporaryDirectory() as folder:
        play(Path(folder), pipeline, script, "notify", jobs=4, declared=True)
