"""Data that DVC tracks: its pointer decides, its content comes for a step that runs."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.repository import INHERITED, NOBODY, ROOT, Repo

TOOLS = ROOT / "build" / "tools" / "dvc"
IGNORED = "out.txt\nother.txt\n"


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def pointer(path: str, digest: str) -> str:
    return f"outs:\n- md5: {digest}\n  size: 4\n  hash: md5\n  path: {path}\n"


def step(name: str, output: str, *inputs: str, run: str = "") -> dict[str, Any]:
    command = run or f"cat {' '.join(inputs)} > {output}"
    return {"name": name, "run": command, "inputs": list(inputs), "outputs": [output]}


def planned(repo: Repo, *arguments: str) -> dict[str, str]:
    told = json.loads(repo.mlpipe("plan", "--json", *arguments).stdout)["steps"]
    return {one["name"]: one["action"] for one in told}


@pytest.fixture
def tracked(repo: Repo) -> Repo:
    """A file and a directory that DVC tracks, by their pointers; DVC itself is not needed."""
    files = [{"md5": md5("a\n"), "relpath": "a.csv"}, {"md5": md5("b\n"), "relpath": "s/b.csv"}]
    listing = md5(json.dumps(files, sort_keys=True)) + ".dir"
    steps = [
        step("one", "out.txt", "data/one.csv"),
        step("all", "other.txt", "data/raw/", run="cat data/raw/*.csv > other.txt"),
    ]
    repo.commit(
        {
            ".dvc/config": "",
            "data/.gitignore": "/one.csv\n/raw\n",
            "data/one.csv.dvc": pointer("one.csv", md5("1\n")),
            "data/raw.dvc": pointer("raw", listing),
            "mlpipe.yml": json.dumps({"steps": steps}),
            ".gitignore": IGNORED,
        }
    )
    repo.write({"data/one.csv": "1\n", "data/raw/a.csv": "a\n", "data/raw/s/b.csv": "b\n"})
    return repo


def test_what_counts_is_the_pointer_whether_its_content_is_here_or_not(tracked: Repo) -> None:
    tracked.mlpipe("run")
    shutil.rmtree(tracked.root / "data/raw")
    (tracked.root / "data/one.csv").unlink()
    assert planned(tracked) == {"one": "reuse", "all": "reuse"}
    tracked.mlpipe("run")
    assert not (tracked.root / "data/raw").exists()


def test_content_that_was_edited_counts_as_it_is(tracked: Repo) -> None:
    tracked.mlpipe("run")
    tracked.write({"data/one.csv": "2\n"})
    assert planned(tracked) == {"one": "run", "all": "reuse"}
    tracked.write({"data/one.csv": "1\n", "data/raw/s/b.csv": "B\n"})
    assert planned(tracked) == {"one": "reuse", "all": "run"}
    tracked.write({"data/raw/s/b.csv": "b\n", "data/raw/c.csv": "c\n"})
    assert planned(tracked) == {"one": "reuse", "all": "run"}


def test_another_pointer_is_other_data(tracked: Repo) -> None:
    tracked.mlpipe("run")
    shutil.rmtree(tracked.root / "data/raw")
    (tracked.root / "data/one.csv").unlink()
    tracked.commit({"data/one.csv.dvc": pointer("one.csv", md5("2\n"))}, "Week 2")
    done = tracked.mlpipe("plan", "--base", "HEAD~1")
    assert "data/one.csv changed" in done.stdout
    done = tracked.mlpipe("run", code=1, PATH="/usr/bin:/bin")
    assert "'data/one.csv' is tracked by DVC, its content is not here" in done.stdout
    tracked.write({"data/one.csv": "2\n"})
    tracked.mlpipe("run")
    assert tracked.read("out.txt") == "2\n"


@pytest.mark.parametrize(
    "pattern", ["data/*", "data/", "data/**", "data/raw/a.csv", "data/raw/*.csv"]
)
def test_each_way_to_name_it(tracked: Repo, pattern: str) -> None:
    command = "find data -name '*.csv' | sort > out.txt"
    steps = {"steps": [step("all", "out.txt", pattern, run=command)]}
    tracked.write({"mlpipe.yml": json.dumps(steps)})
    tracked.mlpipe("run")
    shutil.rmtree(tracked.root / "data/raw")
    assert planned(tracked) == {"all": "reuse"}
    tracked.write({"data/raw.dvc": pointer("raw", md5("else") + ".dir")})
    assert planned(tracked) == {"all": "run"}
    assert "no fault" in tracked.mlpipe("validate").stdout


def test_content_of_an_older_pointer_is_no_edit(tracked: Repo) -> None:
    """DVC has it in its cache: nobody wrote it, git has gone on to another pointer."""
    tracked.mlpipe("run")
    old = md5("1\n")
    tracked.write({f".dvc/cache/files/md5/{old[:2]}/{old[2:]}": "1\n"})
    tracked.commit({"data/one.csv.dvc": pointer("one.csv", md5("2\n"))})
    assert planned(tracked) == {"one": "run", "all": "reuse"}
    done = tracked.mlpipe("run", code=1, PATH="/usr/bin:/bin")
    assert "'data/one.csv' is tracked by DVC, its content is not here" in done.stdout


def test_a_step_that_does_not_name_it_is_told_how(tracked: Repo) -> None:
    silent = {"steps": [{"name": "one", "run": "cat data/one.csv > out.txt"}]}
    tracked.write({"mlpipe.yml": json.dumps(silent)})
    (tracked.root / "data/one.csv").unlink()
    done = tracked.mlpipe("run", code=1)
    assert "'data/one.csv' is tracked by DVC; name it in inputs" in done.stdout


def test_outs_of_a_lock_file_and_texts_of_older_versions(repo: Repo) -> None:
    lock = {
        "schema": "2.0",
        "stages": {"get": {"cmd": "get", "outs": [{"path": "got.csv", "md5": md5("1\n2\n")}]}},
    }
    steps = {"steps": [step("one", "out.txt", "p/got.csv")]}
    files = {"p/dvc.lock": json.dumps(lock), "p/.gitignore": "got.csv", ".dvc/config": ""}
    repo.commit({**files, "mlpipe.yml": json.dumps(steps), ".gitignore": IGNORED})
    repo.write({"p/got.csv": "1\r\n2\r\n"})
    repo.mlpipe("run")
    (repo.root / "p/got.csv").unlink()
    assert planned(repo) == {"one": "reuse"}


def test_a_step_for_each_file_that_is_not_here(tracked: Repo) -> None:
    tracked.write({"data/two.csv.dvc": pointer("two.csv", md5("2\n")), "data/two.csv": "2\n"})
    each = step("each", "${{ each.stem }}.out", run="cat ${{ each.path }} > ${{ each.stem }}.out")
    text = json.dumps({"steps": [each | {"each": "data/*.csv"}]})
    tracked.commit({"mlpipe.yml": text, ".gitignore": "*.out\n", "data/.gitignore": "*.csv\nraw\n"})
    tracked.mlpipe("run")
    (tracked.root / "data/two.csv").unlink()
    (tracked.root / "data/one.csv").unlink()
    assert planned(tracked) == {"each (one.csv)": "reuse", "each (two.csv)": "reuse"}


def test_the_base_has_the_pointer_that_it_had(tracked: Repo) -> None:
    measure = step("measure", "m.json", "data/one.csv", run="cp data/one.csv m.json")
    measure = {**measure, "metrics": ["m.json"]}
    del measure["outputs"]
    text = json.dumps({"steps": [measure]})
    number = '{"rows": %d}'
    files = {"mlpipe.yml": text, ".gitignore": "m.json\n"}
    base = tracked.commit({**files, "data/one.csv.dvc": pointer("one.csv", md5(number % 1))})
    tracked.write({"data/one.csv": number % 1})
    tracked.mlpipe("run")
    tracked.commit({"data/one.csv.dvc": pointer("one.csv", md5(number % 3))})
    tracked.write({"data/one.csv": number % 3})
    assert "rows 3 (+2)" in tracked.mlpipe("run", "--base", base).stdout


def test_a_pointer_that_cannot_be_read_is_a_file_as_any_other(tracked: Repo) -> None:
    tracked.write({"data/raw.dvc": "outs: [", "data/x.dvc": "outs:\n- {path: ../../x, md5: '1'}\n"})
    assert planned(tracked) == {"one": "run", "all": "run"}


SAYS = """#!/bin/sh
case "$*" in *quiet*) exit 1 ;; esac
printf '  0%%|   |Fetching\\r100%%|###|Fetching\\n' >&2
echo 'WARNING: Some of the cache files do not exist neither locally nor on remote.' >&2
echo "ERROR: failed to pull data from the cloud - Checkout failed for following targets:" >&2
printf 'data/one.csv\\nIs your cache up to date?\\n<https://error.dvc.org/missing-files>\\n' >&2
exit 255
"""


def test_what_dvc_says_when_it_cannot_pull_is_told(tracked: Repo, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "dvc"
    program.parent.mkdir()
    program.write_text(SAYS)
    program.chmod(0o755)
    (tracked.root / "data/one.csv").unlink()
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    done = tracked.mlpipe("run", "--force", "one", code=1, PATH=path)
    said = "ERROR: failed to pull data from the cloud - Checkout failed for following targets: "
    said += "data/one.csv Is your cache up to date?\n"
    assert f"'data/one.csv' cannot be fetched (dvc pull): {said}" in done.stdout


@pytest.fixture(scope="module")
def dvc() -> str:
    """The directory of the real program, in an environment of its own below build/tools."""
    program = TOOLS / "bin" / "dvc"
    if not program.exists():
        uv = str(Path(sys.executable).parent / "uv")
        for words in (
            ("venv", "-q", str(TOOLS)),
            ("pip", "install", "-q", "--python", str(TOOLS), "dvc"),
        ):
            subprocess.run([uv, *words], env=INHERITED, check=False)
    if not program.exists():
        pytest.skip("DVC cannot be installed")
    return str(program.parent)


@pytest.mark.slow
def test_a_running_step_fetches_its_own_inputs_alone(repo: Repo, dvc: str, tmp_path: Path) -> None:
    path = f"{dvc}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, **NOBODY, "PATH": path, "HOME": str(tmp_path), "DVC_NO_ANALYTICS": "1"}

    def run(*words: str) -> None:
        subprocess.run(words, cwd=repo.root, env=env, check=True, capture_output=True)

    run("dvc", "init", "-q")
    run("dvc", "remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    data = {"data/one.csv": "1\n", "data/raw/a.csv": "a\n", "data/raw/s/b.csv": "b\n"}
    repo.write({**data, "data/unused.csv": "nobody reads this\n"})
    run("dvc", "add", "-q", "data/one.csv", "data/raw", "data/unused.csv")
    run("dvc", "push", "-q")
    steps = [
        step("one", "out.txt", "data/one.csv"),
        step("all", "other.txt", "data/raw/", run="cat data/raw/*.csv > other.txt"),
    ]
    repo.commit({"mlpipe.yml": json.dumps({"steps": steps}), ".gitignore": IGNORED})
    repo.mlpipe("run", code=0, **env)

    clone = Repo(tmp_path / "clone")
    repo.git("clone", "-q", ".", str(clone.root))
    assert "2 reused" in clone.mlpipe("run", code=0, **env).stdout

    def here() -> list[str]:
        return sorted(path.name for path in (clone.root / "data").rglob("*.csv"))

    assert here() == []
    clone.mlpipe("run", "--force", "one", code=0, **env)
    assert here() == ["one.csv"]
    clone.mlpipe("run", "--force", "all", code=0, **env)
    assert here() == ["a.csv", "b.csv", "one.csv"]
    assert planned(clone) == {"one": "reuse", "all": "reuse"}, "content that came is no change"
    shutil.rmtree(tmp_path / "store")
    shutil.rmtree(clone.root / ".dvc/cache")
    shutil.rmtree(clone.root / "data/raw")
    done = clone.mlpipe("run", "--force", "all", code=1, **env)
    assert "'data/raw' cannot be fetched (dvc pull)" in done.stdout
