"""Small workflows through the command line, in real repositories, as a user would."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Repo
from jsonschema import Draft202012Validator
from test_schema import schema

WORKFLOW = """
name: demo
steps:
  - name: clean
    run: cat raw.csv | sort > clean.csv; echo clean >> "$RUNS"
    inputs: [raw.csv]
    outputs: [clean.csv]
  - name: train
    run: cat train.txt clean.csv > model.txt; echo train >> "$RUNS"
    inputs: [train.txt, clean.csv]
    outputs: [model.txt]
  - name: evaluate
    run: |
      echo "{\\"lines\\": $(wc -l < model.txt)}" > metrics.json
      echo evaluate >> "$RUNS"
    inputs: [model.txt]
    metrics: [metrics.json]
"""
FILES: dict[str, str | bytes] = {
    "mlpipe.yml": WORKFLOW,
    "raw.csv": "b\na\n",
    "train.txt": "one\n",
    ".gitignore": "clean.csv\nmodel.txt\nmetrics.json\n",
}


class Project:
    """The three steps above in a repository; `ran` says which commands were started."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.log = repo.root.parent / "runs"
        self.log.touch()

    def run(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        self.log.write_text("")
        return self.repo.mlpipe("run", *arguments, code=code, RUNS=str(self.log))

    @property
    def ran(self) -> list[str]:
        return self.log.read_text().split()


@pytest.fixture
def project(repo: Repo) -> Project:
    repo.commit(FILES)
    return Project(repo)


def test_first_all_run_then_none(project: Project) -> None:
    project.run()
    assert project.ran == ["clean", "train", "evaluate"]
    files = [path for path in project.repo.root.glob("*.*") if path.is_file()]
    before = {path: path.stat().st_mtime_ns for path in files}
    done = project.run()
    assert project.ran == []
    assert "3 reused" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in files} == before
    assert project.repo.git("status", "--porcelain") == ""


def test_a_changed_input_runs_what_depends_on_it_and_names_it(project: Project) -> None:
    project.run()
    project.repo.write({"train.txt": "two\n"})
    done = project.run()
    assert project.ran == ["train", "evaluate"]
    assert "▶ train  train.txt changed" in done.stdout
    project.repo.write({"raw.csv": "c\n"})
    project.run()
    assert project.ran == ["clean", "train", "evaluate"]


def test_a_step_that_writes_the_same_bytes_changes_nothing_after_it(project: Project) -> None:
    project.run()
    project.repo.write({"raw.csv": "a\nb\n"})  # sorted, it is the same
    project.run()
    assert project.ran == ["clean"]


def test_touch_commit_and_clone_run_nothing(project: Project, tmp_path: Path) -> None:
    project.run()
    for name in ("raw.csv", "train.txt", "mlpipe.yml"):
        os.utime(project.repo.root / name, (1e9, 1e9))
    project.run()
    assert project.ran == []
    project.repo.commit({"README.md": "words"})
    project.run()
    assert project.ran == []
    project.repo.git("clone", "-q", ".", str(tmp_path / "clone"))
    clone = Project(Repo(tmp_path / "clone"))
    done = clone.run()
    assert clone.ran == []
    assert "restored from the cache" in done.stdout
    assert clone.repo.read("model.txt") == "one\na\nb\n"


def test_deleted_and_edited_outputs_are_put_right_without_a_run(project: Project) -> None:
    project.run()
    (project.repo.root / "model.txt").unlink()
    project.repo.write({"clean.csv": "edited by hand"})
    done = project.run()
    assert project.ran == []
    assert done.stdout.count("1 file(s) restored from the cache") == 2
    assert project.repo.read("model.txt") == "one\na\nb\n"
    assert project.repo.read("clean.csv") == "a\nb\n"


def test_going_back_to_an_earlier_state_runs_nothing(project: Project) -> None:
    project.run()
    project.repo.write({"train.txt": "two\n"})
    project.run()
    project.repo.write({"train.txt": "one\n"})
    project.run()
    assert project.ran == []
    assert project.repo.read("model.txt") == "one\na\nb\n"


def test_comments_names_and_order_in_the_file_run_nothing(project: Project) -> None:
    project.run()
    text = WORKFLOW.replace("[train.txt, clean.csv]", "[clean.csv, ./train.txt] # both")
    project.repo.write({"mlpipe.yml": text.replace("name: train", "name: fit the model")})
    project.run()
    assert project.ran == []


@pytest.mark.parametrize(
    ("old", "new", "ran", "reason"),
    [
        (
            "cat train.txt clean.csv",
            "cat clean.csv train.txt",
            ["train", "evaluate"],
            "command changed",
        ),
        (
            "name: demo",
            "name: demo\nenv: {MODE: fast}",
            ["clean", "train", "evaluate"],
            "env MODE unset → 'fast'",
        ),
    ],
)
def test_a_changed_command_or_environment_runs(
    project: Project, old: str, new: str, ran: list[str], reason: str
) -> None:
    project.run()
    project.repo.write({"mlpipe.yml": WORKFLOW.replace(old, new)})
    done = project.run()
    assert [name for name in project.ran if name in ran] == project.ran
    assert reason in done.stdout


def test_a_failing_step_keeps_the_last_good_output_and_runs_again(project: Project) -> None:
    project.run()
    broken = WORKFLOW.replace("> model.txt;", "> model.txt; echo half > model.txt; exit 7;")
    project.repo.write({"mlpipe.yml": broken})
    for _ in range(2):
        done = project.run(code=1)
        assert project.ran == []
        assert "✖ train  failed" in done.stdout
        assert "exit code 7" in done.stdout
        assert "put back from before, so stale: model.txt" in done.stdout
        assert "– evaluate  blocked  train did not succeed" in done.stdout
        assert project.repo.read("model.txt") == "one\na\nb\n"
    assert "failed last time" in done.stdout
    failed = project.repo.root / ".git/mlpipe/aside/failed/train/model.txt"
    assert failed.read_text() == "half\n"
    project.repo.commit({"README.md": "a commit that has nothing to do with it"})
    project.run(code=1)
    project.repo.write({"mlpipe.yml": WORKFLOW})
    project.run()
    assert project.ran == []


def test_a_missing_input_stops_before_any_command(project: Project) -> None:
    (project.repo.root / "train.txt").unlink()
    done = project.run(code=2)
    assert project.ran == []
    assert done.stderr == (
        "mlpipe: mlpipe.yml:8: step 'train': input 'train.txt' is missing, and no earlier step "
        "declares to write it; add a step before this one that generates or downloads it, or "
        "correct the path\n"
    )


def test_a_missing_input_that_an_undeclared_step_may_write_stops_that_step(repo: Repo) -> None:
    text = """
steps:
  - {name: download, run: echo hello}
  - {name: train, run: touch trained, inputs: [data.csv]}
"""
    repo.commit({"mlpipe.yml": text})
    done = repo.mlpipe("plan")
    assert (
        "? train     maybe  runs after download, which does not say what it writes" in done.stdout
    )
    done = repo.mlpipe("run", code=2)
    assert "hello" in done.stdout
    assert "step 'train': input 'data.csv' is missing" in done.stderr
    assert not (repo.root / "trained").exists()
    repo.write({"mlpipe.yml": text.replace("echo hello", "echo 1 > data.csv")})
    repo.mlpipe("run")
    assert (repo.root / "trained").exists()


def test_a_damaged_cache_is_a_miss_that_is_told(project: Project) -> None:
    project.run()
    cache = Path(os.environ["MLPIPE_CACHE_DIR"])
    for path in (cache / "v1/objects").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"x" * path.stat().st_size)
    (project.repo.root / "model.txt").unlink()
    done = project.run()
    assert project.ran == ["train"]
    assert "the stored result is damaged" in done.stdout
    assert project.repo.read("model.txt") == "one\na\nb\n"
    shutil.rmtree(cache)
    (project.repo.root / "model.txt").unlink()
    project.run()
    assert project.ran == ["clean", "train", "evaluate"]


def test_plan_and_run_agree_and_speak_json(project: Project) -> None:
    project.run()
    project.repo.write({"train.txt": "two\n"})
    plan = json.loads(project.repo.mlpipe("plan", "--json").stdout)
    Draft202012Validator(schema("plan")).validate(plan)
    assert [s["action"] for s in plan["steps"]] == ["reuse", "run", "maybe"]
    assert plan["steps"][1]["reasons"] == ["train.txt changed"]
    assert plan["changed"] == [{"path": "train.txt", "change": "modified"}]
    assert plan["base"]["sha"] == project.repo.git("rev-parse", "HEAD")
    done = project.run("--json")
    report = json.loads(done.stdout)
    Draft202012Validator(schema("report")).validate(report)
    assert [s["status"] for s in report["steps"]] == ["reused", "succeeded", "succeeded"]
    assert report["steps"][2]["metrics"] == {"lines": 3}
    assert report["result"] == "success"
    assert "✔ train  succeeded" in done.stderr


def test_a_plan_writes_nothing_to_the_work_tree_or_the_cache(project: Project) -> None:
    project.repo.mlpipe("plan")
    assert list(Path(os.environ["MLPIPE_CACHE_DIR"]).iterdir()) == []
    assert not (project.repo.root / ".git/mlpipe").exists()
    assert not (project.repo.root / "clean.csv").exists()


def test_the_three_step_example_of_the_readme(repo: Repo) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    block = readme.split("```yaml\n", 1)[1].split("```", 1)[0]
    code = "from pathlib import Path\n"
    repo.commit(
        {
            "mlpipe.yml": block,
            "preprocess.py": code + "Path('clean.csv').write_text('1')",
            "train.py": code + "Path('model').write_text(Path('clean.csv').read_text() + '2')",
            "evaluate.py": code + "print('model is', Path('model').read_text())",
        }
    )
    for _ in range(2):
        done = repo.mlpipe("run")
        names = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("✔ ")]
        assert names[:3] == ["preprocess", "train", "evaluate"]
        assert "model is 12" in done.stdout
        assert done.stdout.count("declares no inputs, so it runs each time") == 3


def test_if_on_a_branch(repo: Repo) -> None:
    text = "steps: [{name: deploy, if: github.ref == 'refs/heads/main', run: touch deployed}]"
    repo.commit({"mlpipe.yml": text})
    repo.git("checkout", "-q", "-b", "topic")
    done = repo.mlpipe("run")
    assert "– deploy  skipped  if: github.ref == 'refs/heads/main' is false" in done.stdout
    assert not (repo.root / "deployed").exists()
    repo.git("checkout", "-q", "main")
    repo.mlpipe("run")
    assert (repo.root / "deployed").exists()


def test_a_step_for_failures_runs_after_one(repo: Repo) -> None:
    text = """
steps:
  - {name: train, run: exit 1}
  - {name: evaluate, run: touch evaluated}
  - {name: tell, if: failure(), run: touch told}
  - {name: tidy, if: always(), run: touch tidied}
"""
    repo.commit({"mlpipe.yml": text})
    repo.mlpipe("run", code=1)
    there = {path.name for path in repo.root.iterdir()}
    assert {"told", "tidied"} < there
    assert "evaluated" not in there


def test_without_git_and_without_a_commit(tmp_path: Path, repo: Repo) -> None:
    bare = Repo(tmp_path / "no git")
    bare.root.mkdir()
    for where in (bare, repo):
        where.write(FILES)
        project = Project(where)
        project.run()
        project.run()
        assert project.ran == []
    assert "no base (not a git repository), so decided by keys alone" in bare.mlpipe("plan").stderr


def test_from_a_subdirectory_and_with_another_file(project: Project) -> None:
    project.repo.write({"sub/deep/x": "", "pipelines/other.yml": WORKFLOW})
    sub = Repo(project.repo.root / "sub/deep")
    Project(sub).run()
    assert project.repo.read("model.txt") == "one\na\nb\n"
    done = project.repo.mlpipe("plan", "-C", "pipelines", "--file", "other.yml")
    assert done.stdout.count("reuse") == 3


def test_a_directory_input_that_leaves_files_out_says_so(repo: Repo) -> None:
    text = "steps: [{name: train, run: 'true', inputs: [data]}]"
    repo.commit({"mlpipe.yml": text, ".gitignore": "*.csv", "data/README": "1"})
    repo.write({"data/raw.csv": "1"})
    done = repo.mlpipe("plan")
    assert "input data does not count 1 file(s) that git ignores (data/raw.csv)" in done.stdout


def test_odd_file_names_are_inputs_like_all_others(repo: Repo) -> None:
    odd = ["é ü.csv", "new\nline.csv", "-dash.csv", "[x].csv", os.fsdecode(b"latin\xe9.csv")]
    for name in odd:
        (repo.root / name).write_text("1")
    repo.commit(
        {"mlpipe.yml": "steps: [{name: s, run: touch out, inputs: ['*.csv'], outputs: [out]}]"}
    )
    repo.mlpipe("run")
    (repo.root / odd[-1]).write_text("2")
    (repo.root / odd[1]).write_text("2")
    done = repo.mlpipe("run")
    assert "latin\\xe9.csv changed" in done.stdout
    assert "new\\nline.csv changed" in done.stdout
    json.loads(repo.mlpipe("run", "--json").stdout)


def test_in_a_git_hook_the_right_repository_is_used(
    project: Project, make_repo: Callable[[str], Repo]
) -> None:
    other = make_repo("other")
    other.commit()
    done = project.repo.mlpipe("plan", GIT_DIR=str(other.root / ".git"), GIT_INDEX_FILE="/nowhere")
    assert project.repo.git("rev-parse", "--short=7", "HEAD") in done.stderr


def test_in_actions_output_is_folded_and_gives_no_commands(
    project: Project, tmp_path: Path
) -> None:
    summary = tmp_path / "summary.md"
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"before": "0" * 40}))
    text = WORKFLOW.replace("cat raw.csv", "echo ::error::injected; env | grep TOKEN; cat raw.csv")
    project.repo.commit({"mlpipe.yml": text.replace("grep TOKEN;", "grep TOKEN || true;")})
    done = project.repo.mlpipe(
        "run",
        RUNS=str(project.log),
        GITHUB_ACTIONS="true",
        GITHUB_EVENT_NAME="push",
        GITHUB_EVENT_PATH=str(event),
        GITHUB_REF="refs/heads/main",
        GITHUB_STEP_SUMMARY=str(summary),
        MLPIPE_TOKEN="ghs_not_for_steps",
        ACTIONS_RUNTIME_TOKEN="nor_this",
    )
    lines = done.stdout.splitlines()
    start = lines.index("::error::injected")
    stop = next(line for line in lines[:start] if line.startswith("::stop-commands::"))
    token = stop.removeprefix("::stop-commands::")
    assert lines.index(f"::{token}::") > start
    assert "ghs_not_for_steps" not in done.stdout + done.stderr
    assert "nor_this" not in done.stdout
    assert summary.read_text().startswith("### ✅ demo: 3 ran · lines 3\n")


def test_steps_are_refused_on_events_of_strangers(project: Project, tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text("{}")
    done = project.repo.mlpipe(
        "run",
        code=2,
        GITHUB_ACTIONS="true",
        GITHUB_EVENT_NAME="pull_request_target",
        GITHUB_EVENT_PATH=str(tmp_path / "event.json"),
    )
    assert "not run on 'pull_request_target'" in done.stderr
    assert project.ran == []
