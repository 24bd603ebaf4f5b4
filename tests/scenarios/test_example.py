"""The example, run for real: scikit-learn, eight weeks of transactions, and a ninth.

Slow things happen once: the module's fixture runs it from nothing, each test starts from a clone of
that work tree with a copy of its cache.
"""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.github_runner import Hub, payload
from tests.support.repository import ROOT, Repo, bare_environment
from tests.support.servers.git import GitServer

STEPS = ["profiles", "clean", "features", "train", "evaluate", "deploy"]
pytestmark = pytest.mark.xdist_group("example")  # one worker: the first run takes seconds
OUTPUTS = (
    *("build/profiles.parquet", "build/clean/week-01.parquet", "build/features.parquet"),
    *("models/fraud.joblib", "reports/metrics.json", "deploy/model.joblib", "deploy/card.md"),
)


@dataclass
class Example:
    """The example in a repository, with a cache of its own."""

    repo: Repo
    cache: Path

    @property
    def env(self) -> dict[str, str]:
        """What its runs need: the cache, and the Python that has scikit-learn."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {"MLPIPE_CACHE_DIR": str(self.cache), "PATH": path}

    def run(self, *arguments: str, code: int = 0) -> dict[str, str]:
        """Run mlpipe; returns the status of each step by name, and all that its items have."""
        done = self.repo.mlpipe("run", "--json", *arguments, code=code, **self.env)
        self.report = json.loads(done.stdout)
        found: dict[str, set[str]] = {}
        for step in self.report["steps"]:
            found.setdefault(step["name"].partition(" (")[0], set()).add(step["status"])
        return {name: " ".join(sorted(statuses)) for name, statuses in found.items()}

    def ran(self) -> list[str]:
        """Names of the steps that the last run has executed."""
        return [one["name"] for one in self.report["steps"] if one["status"] == "succeeded"]

    def bytes(self) -> dict[str, bytes]:
        """Content of all outputs."""
        return {name: (self.repo.root / name).read_bytes() for name in OUTPUTS}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """The example after its first run, which ran every step."""
    root = tmp_path_factory.mktemp("example") / "fraud-detection"
    ignore = shutil.ignore_patterns("build", "models", "reports", "deploy", "__pycache__")
    shutil.copytree(ROOT / "examples" / "fraud-detection", root, ignore=ignore)
    example = Example(Repo(root), root.parent / "cache")
    with pytest.MonkeyPatch.context() as patch:
        bare_environment(patch)
        patch.setenv("MLPIPE_TRACER", "auto")
        example.repo.git("init", "-q", "-b", "main")
        example.repo.commit()
        assert example.run() == dict.fromkeys(STEPS, "succeeded")
    return example


@pytest.fixture
def example(finished: Example, tmp_path: Path) -> Example:
    shutil.copytree(finished.repo.root, tmp_path / "work", symlinks=True)
    shutil.copytree(finished.cache, tmp_path / "cache")
    return Example(Repo(tmp_path / "work"), tmp_path / "cache")


def test_again_runs_nothing_and_touch_runs_nothing(example: Example) -> None:
    assert example.run() == dict.fromkeys(STEPS, "reused")
    for path in example.repo.root.glob("**/*.py"):
        path.touch()
    for path in example.repo.root.glob("data/**/*.csv"):
        os.utime(path, (1, 1))
    assert example.run() == dict.fromkeys(STEPS, "reused")


def test_one_line_of_train_runs_train_and_what_depends_on_it(example: Example) -> None:
    train = example.repo.root / "src" / "train.py"
    text = train.read_text()
    assert "MAX_DEPTH = 8" in text
    train.write_text(text.replace("MAX_DEPTH = 8", "MAX_DEPTH = 7"))
    ran = {"train": "succeeded", "evaluate": "succeeded", "deploy": "succeeded"}
    assert example.run() == dict.fromkeys(STEPS, "reused") | ran
    reasons = {step["name"]: step["reasons"] for step in example.report["steps"]}
    assert reasons["train"] == ["src/train.py changed since the last run here"]
    assert reasons["evaluate"] == ["models/fraud.joblib changed since the last run here"]
    train.write_text(text + "# a comment: the model that is trained is the same\n")
    assert example.run() == dict.fromkeys(STEPS, "reused") | {"train": "succeeded"}


def test_a_deleted_output_is_restored(example: Example) -> None:
    before = example.bytes()
    shutil.rmtree(example.repo.root / "deploy")
    (example.repo.root / "models/fraud.joblib").unlink()
    assert example.run() == dict.fromkeys(STEPS, "reused")
    assert example.bytes() == before


def test_week_9_runs_what_it_touches(example: Example) -> None:
    script = [sys.executable, "simulate.py", "--weeks", "9"]
    subprocess.run(script, cwd=example.repo.root, check=True, capture_output=True)
    base = example.repo.git("rev-parse", "HEAD")
    week = example.repo.commit(message="Week 9")
    ran = dict.fromkeys(STEPS, "succeeded") | {"profiles": "reused", "clean": "reused succeeded"}
    assert example.run("--base", base) == ran
    assert example.ran() == ["clean (week-09.csv)", "features", "train", "evaluate", "deploy"]
    assert example.report["changed"] == [
        {"path": "data/transactions/week-09.csv", "change": "added"}
    ]
    clean = example.report["steps"][9]
    added = f'data/transactions/week-09.csv added ({week[:7]} "Week 9") since {base[:7]}'
    assert clean["reasons"] == [added]
    metrics = example.report["steps"][12]["metrics"]
    assert 0.8 < metrics["auc"] < 1
    assert set(metrics) >= {"auc", "average_precision", "recall_at_100_alerts_a_day"}


def test_a_week_that_is_taken_away_is_in_nothing_any_more(example: Example) -> None:
    (example.repo.root / "data/transactions/week-03.csv").unlink()
    assert example.run(code=1)["deploy"] == "blocked", "the model is worse without it: a gate"
    assert example.ran() == ["features", "train", "evaluate"]
    features = next(one for one in example.report["steps"] if one["name"] == "features")
    assert features["reasons"] == ["build/clean/week-03.parquet removed since the last run here"]
    weeks = [path.stem for path in (example.repo.root / "build/clean").iterdir()]
    assert sorted(weeks) == [f"week-0{number}" for number in (1, 2, 4, 5, 6, 7, 8)]
    example.repo.git("checkout", "-q", ".")
    assert example.run() == dict.fromkeys(STEPS, "reused")


def test_a_failing_step_keeps_the_last_model_and_is_run_again(example: Example) -> None:
    before, train = example.bytes(), example.repo.root / "src" / "train.py"
    text = train.read_text()
    train.write_text(
        text.replace("    model.fit(", "    OUTPUT.write_text('half')\n    model.fit_(x, ")
    )
    for _ in range(2):
        statuses = example.run(code=1)
        assert statuses["train"] == "failed"
        assert statuses["evaluate"] == statuses["deploy"] == "blocked"
        assert example.bytes() == before
    train.write_text(text)
    assert example.run() == dict.fromkeys(STEPS, "reused")


@pytest.mark.slow
def test_killed_at_any_moment_the_next_run_ends_with_the_same_bytes(
    finished: Example, tmp_path: Path
) -> None:
    def work(name: str) -> Example:
        shutil.copytree(finished.repo.root, tmp_path / name, symlinks=True)
        shutil.copytree(finished.cache, tmp_path / f"cache of {name}")
        made = Example(Repo(tmp_path / name), tmp_path / f"cache of {name}")
        train = made.repo.read("src/train.py").replace("MAX_DEPTH = 8", "MAX_DEPTH = 7")
        made.repo.write({"src/train.py": train})
        (made.repo.root / "build/features.parquet").unlink()
        return made

    undisturbed = work("undisturbed")
    undisturbed.run()
    chance, landed = random.Random(9), 0  # noqa: S311 - only chooses when to kill
    for number in range(5):
        example = work(f"killed {number}")
        mlpipe = subprocess.Popen(
            [sys.executable, "-m", "mlpipe_ci", "run", "-q"],
            cwd=example.repo.root,
            env=os.environ | example.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(0.2, 9))
        landed += mlpipe.poll() is None
        mlpipe.kill()
        mlpipe.wait()
        assert set(example.run().values()) <= {"succeeded", "reused"}
        assert example.bytes() == undisturbed.bytes()
    assert landed >= 3


def test_on_another_branch_nothing_is_deployed(example: Example) -> None:
    example.repo.git("checkout", "-q", "-b", "topic")
    assert example.run() == dict.fromkeys(STEPS, "reused") | {"deploy": "skipped"}


def test_the_committed_data_is_what_the_simulator_writes(finished: Example, tmp_path: Path) -> None:
    script = [sys.executable, "simulate.py", "--weeks", "1-8", "--out", str(tmp_path)]
    subprocess.run(script, cwd=finished.repo.root, check=True, capture_output=True)
    made = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*.csv")}
    data = finished.repo.root / "data"
    assert made == {p.relative_to(data): p.read_bytes() for p in data.rglob("*.csv")}
    assert len(made) == 10
    assert sum(len(content) for content in made.values()) < 2_500_000


def test_every_file_that_a_script_reads_is_declared(finished: Example) -> None:
    workflow = finished.repo.read("mlpipe.yml")
    for script in sorted((finished.repo.root / "src").glob("*.py")):
        step = re.split(r"\n  - ", workflow)
        (mine,) = [text for text in step if f"run: python src/{script.name}" in text]
        for read in re.findall(r'Path\("([^"]+)"\)', script.read_text()):
            assert Path(read).name in mine or str(Path(read).parent) in mine, (script.name, read)
    cleaned = finished.repo.read("src/clean.py")
    assert "sys.argv[1]" in cleaned
    assert 'Path("' not in cleaned, "its file is told by the command"


@pytest.mark.parametrize("path", ["a b", "é"])
def test_in_another_directory_nothing_runs(finished: Example, tmp_path: Path, path: str) -> None:
    clone = tmp_path / path
    finished.repo.git("clone", "-q", ".", str(clone))
    there = Example(Repo(clone), finished.cache)
    assert there.run() == dict.fromkeys(STEPS, "reused")
    assert there.bytes() == finished.bytes()


def test_a_pull_request_shows_what_it_does_to_the_model(
    example: Example, git_server: GitServer, tmp_path: Path
) -> None:
    """On a clone with one commit, with the results of main from the cache alone."""
    hub, desk = Hub(example.repo, git_server), example.repo
    main = desk.git("rev-parse", "HEAD")
    hub.push()
    first = hub.clone(tmp_path / "main", "main")
    env = first.env("push", payload("push"), GITHUB_SHA=main)
    first.mlpipe("run", code=0, **env, **example.env)
    desk.git("checkout", "-q", "-b", "topic")
    train, file = desk.read("src/train.py"), desk.read("mlpipe.yml")
    lowered = file.replace("metrics.auc >= 0.85", "metrics.auc >= 0.5")
    desk.commit({"src/train.py": train.replace("MAX_DEPTH = 8", "MAX_DEPTH = 2")}, "Flat trees")
    desk.commit({"mlpipe.yml": lowered}, "A lower bar")
    job = hub.clone(tmp_path / "runner", hub.pull_request("topic"))
    asked = {"number": 7, "base": {"ref": "main"}}
    env = job.env("pull_request", payload("pull_request", "opened", pull_request=asked))
    env |= {"GITHUB_REF": "refs/pull/7/merge", "GITHUB_SHA": job.git("rev-parse", "HEAD")}
    done = job.mlpipe("run", "--report", "r.json", code=None, **env, **example.env)
    steps = {step["name"]: step for step in json.loads(job.read("r.json"))["steps"]}
    assert [name for name, one in steps.items() if one["status"] == "succeeded"] == [
        "train",
        "evaluate",
    ]
    evaluate = steps["evaluate"]
    assert evaluate["base"]["source"] == f"the result of {main[:7]}"
    names = {"auc", "recall_at_100_alerts_a_day"}
    assert names <= set(evaluate["base"]["metrics"]) & set(evaluate["metrics"])
    gates = {(gate["gate"], gate["origin"]) for gate in evaluate["gates"]}
    assert gates == {
        ("metrics.auc >= 0.85", "base"),
        ("metrics.auc >= base.auc - 0.02", "here"),
        ("metrics.auc >= 0.5", "new"),
    }
    text = job.mlpipe("report", "r.json").stdout
    assert f"base <code>{main[:7]}</code>" in text
    assert "this change takes it away or alters it" in text
    missed = {gate["gate"] for gate in evaluate["gates"] if gate["result"] == "missed"}
    assert (done.returncode, missed) == (1, {"metrics.auc >= base.auc - 0.02"})
