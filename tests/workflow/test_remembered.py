"""The workflow that is remembered: used while nothing of it has changed, and only then."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import Repo

FILE = """
params: params.yaml
steps:
  - name: train
    run: echo ${{ params.rate }}
    inputs: [a]
    outputs: []
"""


@pytest.fixture
def ready(repo: Repo) -> Repo:
    repo.commit({"mlpipe.yml": FILE, "params.yaml": "rate: 1", "a": "1"})
    assert "1 ran" in repo.mlpipe("run").stdout
    return repo


def imported(repo: Repo, *arguments: str, **env: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mlpipe_ci", *arguments],
        cwd=repo.root,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=True,
    )
    return {line.split("|")[-1].strip() for line in done.stderr.splitlines()}


HEAVY = {"jsonschema", "ruamel.yaml", "lark", "git", "requests", "wcmatch"}


def test_nothing_heavy_is_imported_for_what_is_known(ready: Repo) -> None:
    assert not HEAVY & imported(ready, "run")
    assert not HEAVY & imported(ready, "plan")
    assert "jsonschema" in imported(ready, "plan", "--set", "rate=2")


def test_a_workflow_with_values_of_all_kinds_is_remembered(repo: Repo) -> None:
    (repo.root.parent / "far.csv").write_text("1\n")
    file = f"""
cache: {{restore: copy}}
steps:
  - name: each
    each: data/*.csv
    run: cat ${{{{ each.path }}}}
    inputs: [{{url: "file://{repo.root.parent}/far.csv", path: far.csv}}]
  - name: many
    strategy: {{matrix: {{seed: [1, 2]}}}}
    env: {{KEY: "${{{{ secrets.KEY }}}}"}}
    resources: {{cpus: 1}}
    run: mkdir -p ${{{{ matrix.seed }}}} && echo 1 > ${{{{ matrix.seed }}}}/auc.json
    metrics: ["${{{{ matrix.seed }}}}/auc.json"]
    plots: [{{path: "${{{{ matrix.seed }}}}/auc.json", x: a, y: b}}]
    gates: [metrics.auc >= 0.5]
"""
    repo.commit({"mlpipe.yml": file, "data/a.csv": "1\n", ".gitignore": "*.json\n/far.csv\n"})
    assert "jsonschema" in imported(repo, "run", KEY="not a word")
    assert "jsonschema" not in imported(repo, "run", KEY="not a word")


@pytest.mark.parametrize(
    "files",
    [
        {"params.yaml": "rate: 2"},
        {"mlpipe.yml": FILE.replace("echo", "printf")},
        {"params.yaml": "{rate: 1, other: 2}"},
    ],
)
def test_a_change_of_the_file_or_of_its_params_is_seen(ready: Repo, files: dict[str, str]) -> None:
    before = {name: (ready.root / name).stat() for name in files}
    ready.write(dict(files))
    for name, status in before.items():
        os.utime(ready.root / name, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert "jsonschema" in imported(ready, "run")
    assert "jsonschema" not in imported(ready, "run")


def test_a_fault_is_told_though_the_file_was_right_before(ready: Repo) -> None:
    ready.write({"mlpipe.yml": FILE + "    nothing: x\n"})
    assert "unknown key 'nothing'" in ready.mlpipe("run", code=2).stderr
    ready.write({"mlpipe.yml": FILE})
    (ready.root / "params.yaml").unlink()
    assert "params.yaml" in ready.mlpipe("run", code=2).stderr


class Trap:
    """What a hostile file would like to have called when it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch sprung",)


def test_what_is_remembered_is_not_believed_blindly(ready: Repo) -> None:
    (kept,) = (ready.root / ".git/mlpipe/workflows").iterdir()
    digest = kept.read_bytes()[:64]
    for content in (b"", b"x" * 64, digest, digest + b"\x80", digest + pickle.dumps((1, 2))):
        kept.write_bytes(content)
        assert "1 reused" in ready.mlpipe("run").stdout
    kept.write_bytes(digest + pickle.dumps(("x", Trap())))
    assert "1 reused" in ready.mlpipe("run").stdout
    assert not (ready.root / "sprung").exists()


def test_plan_writes_nothing(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"mlpipe.yml": FILE, "params.yaml": "rate: 1", "a": "1"})
    repo.mlpipe("plan")
    assert not (repo.root / ".git/mlpipe").exists()
