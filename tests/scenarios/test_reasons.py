"""Which edits run a step, and what is said about it."""

import json
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.logged_steps import Lab, step
from tests.support.repository import Repo


@pytest.fixture
def lab(repo: Repo) -> Lab:
    return Lab(repo)


def test_a_command_counts_letter_by_letter(lab: Lab) -> None:
    lab.start(step("s", "cp raw x", "raw", "x"))
    lab.ran()
    lab.file(step("s", "cp  raw x", "raw", "x"))
    assert lab.mlpipe("explain", "s").stdout.count("cp  raw x") >= 1
    assert lab.ran() == ["s"]
    assert "▶ s  command changed since the last run here" in lab.said
    assert lab.ran() == []


@pytest.mark.parametrize(
    ("changed", "reasons"),
    [
        ({"inputs": ["raw", "more"]}, ["more declared now"]),
        ({"inputs": ["more"]}, ["more declared now", "raw no longer declared"]),
        ({"outputs": ["x", "y"]}, ["declared outputs changed since the last run here"]),
        ({"outputs": ["./x"]}, None),
        (
            {"inputs": ["raw", "more"], "outputs": ["y"]},
            ["more declared now", "declared outputs changed since the last run here"],
        ),
        ({"inputs": ["r*w", "raw"]}, None),
        ({"env": {"MODE": ""}}, ["env MODE unset → '' since the last run here"]),
        ({"shell": "sh"}, ["shell 'bash' → 'sh' since the last run here"]),
        ({"working-directory": "sub"}, ["working-directory . → sub since the last run here"]),
        ({"description": "Makes x."}, None),
        ({"name": "renamed"}, None),
        ({"timeout-minutes": 5, "retries": 2, "continue-on-error": True}, None),
        ({"resources": {"cpus": 2}}, None),
        ({"outputs": [], "metrics": ["x"]}, None),
        ({"outputs": [], "plots": ["x"]}, None),
        ({"outputs": [], "plots": [{"path": "x", "title": "X"}]}, None),
        ({"needs": ["first"]}, None),
        ({"if": "always()"}, None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_edit_of_the_file_runs_the_step_or_not(
    lab: Lab, changed: dict[str, Any], reasons: list[str] | None
) -> None:
    first = step("first", "true", "raw")
    usual = step("s", "echo '{}' | tee x y", "raw", "x")
    lab.start(first, usual, files="raw more sub/a")
    lab.ran()
    lab.file(first, {**usual, **changed})
    told = lab.steps()[1]
    assert told["action"] == ("run" if reasons else "reuse")
    assert reasons is None or told["reasons"] == reasons


def test_all_that_changed_is_told_at_once(lab: Lab) -> None:
    lab.start(step("s", "cat * > x", "a b c", "x", env={"M": "1"}), files="a b c d")
    lab.ran()
    lab.repo.write({"a": "2"})
    lab.file(step("s", "cat ? > x", "a b d", "x", env={"M": "2"}))
    assert lab.steps()[0]["reasons"] == [
        *("a changed since the last run here", "c no longer declared", "d declared now"),
        *("command changed", "env M '1' → '2'"),
    ]


def test_a_file_that_is_moved_or_swapped_below_a_pattern(lab: Lab) -> None:
    lab.start(step("s", "cat src/* > x", "src/*.py", "x"), files="src/a.py src/c.py")
    lab.ran()
    lab.repo.git("mv", "src/a.py", "src/b.py")
    assert lab.ran() == ["s"]
    assert "▶ s  src/a.py removed since the last run here, src/b.py added" in lab.said
    (lab.repo.root / "src/b.py").rename(lab.repo.root / "between")
    (lab.repo.root / "src/c.py").rename(lab.repo.root / "src/b.py")
    (lab.repo.root / "between").rename(lab.repo.root / "src/c.py")
    assert lab.ran() == ["s"]
    assert "▶ s  src/b.py changed since the last run here, src/c.py changed" in lab.said


def test_an_input_that_becomes_executable(lab: Lab) -> None:
    lab.start(step("s", "ls -l raw > x", "raw", "x"))
    lab.ran()
    (lab.repo.root / "raw").chmod(0o755)
    assert lab.ran() == ["s"]
    assert "▶ s  raw is executable since the last run here" in lab.said


def test_every_run_and_every_reuse_has_a_reason(lab: Lab) -> None:
    lab.start(
        step("a", "sort raw > x", "raw", "x"),
        step("b", "cp x y", "x", "y"),
        step("c", "cp y z", "y", "z", **{"if": "github.ref == 'refs/heads/other'"}),
    )
    lab.ran()
    lab.repo.write({"raw": "raw\n\n"})
    for command in ("plan", "run"):
        assert all(s["reasons"] for s in lab.steps(command))
    assert "a" not in lab.ran()


def test_steps_are_named_by_their_names_and_not_by_their_outputs(lab: Lab) -> None:
    lab.start(step("train a", "cp raw x", "raw", "x"))
    assert [s["id"] for s in lab.steps("plan", "train a")] == ["train-a"]
    assert [s["id"] for s in lab.steps("plan", "train-a")] == ["train-a"]
    for name in ("x", "train*"):
        told = lab.mlpipe("plan", name, code=2)
        assert f"step {name}: there is no such step" in told.stderr


def test_a_matrix_is_named_as_a_whole_or_by_one_combination(lab: Lab) -> None:
    lab.start()
    lab.file(
        step(
            "t",
            "cp raw ${{ matrix.m }}",
            "raw",
            "${{matrix.m}}",
            strategy={"matrix": {"m": ["one", "two"]}},
        )
    )
    assert len(lab.steps("plan", "t")) == 2
    assert len([s for s in lab.steps("plan", "t (m=one)") if s["action"] == "run"]) == 1


def notebook(source: str, output: str) -> str:
    cell = {"cell_type": "code", "metadata": {}, "source": [source], "outputs": [output]}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.mark.parametrize("inputs", ["", ", inputs: [a.ipynb], outputs: [out.txt]"])
def test_a_notebook_of_which_only_the_outputs_changed(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, inputs: str
) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    repo.commit(
        {
            "mlpipe.yml": f"steps:\n  - {{name: s, run: cp a.ipynb out.txt{inputs}}}\n",
            ".gitignore": "out.txt\n",
            "a.ipynb": notebook("1", "one"),
        }
    )
    repo.mlpipe("run", code=0)
    repo.write({"a.ipynb": notebook("1", "two")})
    assert "a.ipynb changed" in repo.mlpipe("plan").stdout
    assert "(only its outputs)" in repo.mlpipe("plan").stdout
    repo.write({"a.ipynb": notebook("2", "two")})
    assert "a.ipynb changed" in repo.mlpipe("plan").stdout
    assert "(only its outputs)" not in repo.mlpipe("plan").stdout


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands")
def test_a_reason_names_what_differs_from_the_last_run_here(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    files: dict[str, str | bytes] = {"a": "1", "b": "1", ".gitignore": "out\n"}
    repo.commit({"mlpipe.yml": "steps: [{name: s, run: cat a b > out}]", **files})
    repo.mlpipe("run")
    repo.write({"a": "2"})
    assert "▶ s  a changed (discovered) since the last run here\n" in repo.mlpipe("run").stdout
    repo.write({"a": "1", "b": "2"})
    told = repo.mlpipe("run").stdout
    both = "a changed (discovered) since the last run here, b changed (discovered)"
    assert f"▶ s  {both}\n" in told, "whatever older results there are"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands")
def test_results_of_another_repository_are_no_reason(
    make_repo: Callable[[str], Repo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    for name in ("one", "other"):
        repo = make_repo(name)
        repo.commit({"mlpipe.yml": "steps: [{name: s, run: cat a > out}]", "a": name})
        assert "▶ s  no result yet\n" in repo.mlpipe("run").stdout
    clone = repo.root.parent / "clone"
    repo.git("clone", "-q", str(repo.root), str(clone))
    head = Repo(clone).commit({"a": "another"}, "In the clone")
    base = repo.git("rev-parse", "HEAD")
    told = Repo(clone).mlpipe("run").stdout
    assert f'a changed ({head[:7]} "In the clone") (discovered)' not in told
    assert f'▶ s  a changed (discovered) ({head[:7]} "In the clone") since the run of ' in told
    assert f"at {base[:7]}\n" in told
    repo.git("worktree", "add", "-q", str(repo.root.parent / "tree"), "-b", "tree")
    linked = Repo(repo.root.parent / "tree")
    linked.write({"a": "in the tree"})
    assert f"▶ s  a changed (discovered) since {base[:7]}\n" in linked.mlpipe("run").stdout


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands")
def test_an_input_that_is_only_declared_now(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    files: dict[str, str | bytes] = {"a": "1", "b": "1", "c/d": "1", ".gitignore": "out\n"}
    line = "steps: [{{name: s, run: cat a b > out{}}}]"
    repo.commit({"mlpipe.yml": line.format(""), **files})
    repo.mlpipe("run")
    repo.write({"mlpipe.yml": line.format(", inputs: [a, b, c], outputs: [out]"), "b": "2"})
    told = json.loads(repo.mlpipe("plan", "--json").stdout)["steps"][0]["reasons"]
    assert told == [
        *("a declared now", "b changed since the last run here", "c/d declared now"),
        "declared outputs changed",
    ]
    repo.mlpipe("run")
    repo.write({"c/e": "1"})
    repo.write({"mlpipe.yml": line.format(", inputs: [b, c], outputs: [out]")})
    told = json.loads(repo.mlpipe("plan", "--json").stdout)["steps"][0]["reasons"]
    assert told == ["a no longer declared", "c/e added since the last run here"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands")
@pytest.mark.parametrize("inputs", ["", ", inputs: [a], outputs: [out]"])
def test_after_a_failure_it_is_told_with_what_changed_since(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, inputs: str
) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")

    def planned() -> list[str]:
        told = json.loads(repo.mlpipe("plan", "--json").stdout)
        reasons: list[str] = told["steps"][0]["reasons"]
        return reasons

    file = f"steps: [{{name: s, run: cp a out && grep -q good a{inputs}}}]"
    repo.commit({"mlpipe.yml": file, "a": "good", ".gitignore": "out\n"})
    repo.mlpipe("run")
    repo.write({"a": "bad"})
    repo.mlpipe("run", code=1)
    found = "" if inputs else " (discovered)"
    assert planned() == ["failed last time", f"a changed{found} since its last success here"]
    repo.write({"a": "good again"})
    assert planned() == ["failed last time", f"a changed{found} since it failed"]
    repo.mlpipe("run")
    repo.write({"a": "good and new"})
    assert planned() == [f"a changed{found} since the last run here"]


def test_a_commit_is_named_only_if_the_file_has_its_content_from_it(repo: Repo) -> None:
    steps = (
        "{name: a, run: cp in x, inputs: [in], outputs: [x]}",
        "{name: b, run: cp x y, inputs: [x], outputs: [y]}",
    )
    repo.commit({"mlpipe.yml": "steps:\n" + "".join(f"  - {one}\n" for one in steps)})
    repo.commit({"in": "1", "x": "1"}, "An output is committed")
    repo.git("rm", "-q", "--cached", "x")
    repo.commit({".gitignore": "x\ny\n"}, "And is no more")
    repo.mlpipe("run")
    repo.commit({"in": "2"}, "Week 2")
    told = repo.mlpipe("run").stdout
    assert re.search(r'in changed \(\w{7} "Week 2"\)', told)
    assert "x changed" in told
    assert "And is no more" not in told, "step a has written it since"


CHAIN = """
steps:
  - {name: clean, run: cp raw clean.csv}
  - {name: train, run: cat clean.csv train.py > model}
  - {name: notes, run: cp notes.md notes.html}
  - {name: named, run: cp clean.csv copy, inputs: [clean.csv], outputs: [copy]}
  - {name: other, run: cp notes.md other, inputs: [notes.md], outputs: [other]}
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands")
def test_a_plan_takes_steps_to_write_what_they_wrote_last_time(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")

    def planned() -> dict[str, str]:
        told = json.loads(repo.mlpipe("plan", "--json").stdout)
        return {s["id"]: f"{s['action']}: {s['reasons'][0]}" for s in told["steps"]}

    outputs = "clean.csv\nmodel\nnotes.html\ncopy\nother\n"
    files: dict[str, str | bytes] = {"raw": "1", "train.py": "1", "notes.md": "1"}
    repo.commit({"mlpipe.yml": CHAIN, ".gitignore": outputs, **files})
    repo.mlpipe("run")
    repo.write({"raw": "2"})
    told = planned()
    assert told["clean"] == "run: raw changed (discovered) since the last run here"
    assert told["train"] == told["named"] == "maybe: reads clean.csv, which clean wrote last time"
    assert told["notes"].startswith("reuse: ")
    assert told["other"].startswith("reuse: ")
    repo.write({"train.py": "2"})
    assert planned()["train"] == "run: train.py changed (discovered) since the last run here"
    ran = json.loads(repo.mlpipe("run", "--json").stdout)["steps"]
    assert [s["status"] for s in ran] == [*["succeeded"] * 2, "reused", "succeeded", "reused"]
    repo.write({"raw": "3", "mlpipe.yml": CHAIN.replace("cp raw clean.csv", "cp raw clean.csv; :")})
    assert planned()["notes"].startswith("reuse: "), "also where its own command is another"
    repo.write({"mlpipe.yml": CHAIN.replace("inputs: [notes.md]", "inputs: [notes.md, new.csv]")})
    assert planned()["other"] == "maybe: runs after clean, which does not say what it writes"
