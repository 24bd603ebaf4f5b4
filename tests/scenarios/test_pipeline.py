"""Small workflows through the command line, in real repositories, as a user would."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.support.processes import wait_for
from tests.support.repository import ROOT, Repo
from tests.support.schemas import schema

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
    assert "step 'train': input 'data.csv' is missing" in done.stdout
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
    assert plan["steps"][1]["reasons"] == ["train.txt changed since the last run here"]
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
    readme = (ROOT / "README.md").read_text()
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
        assert done.stdout.count("declares no inputs, and MLPIPE_TRACER is off, so it runs") == 3


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
    repo.commit({"mlpipe.yml": text, ".gitignore": "*.csv\n", "data/README": "1"})
    repo.write({"data/raw.csv": "1"})
    done = repo.mlpipe("plan")
    assert "input data does not count what git ignores in it (data/raw.csv)" in done.stdout


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
    assert summary.read_text().startswith("### ✅ demo: lines 3 · 3 ran\n")


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


def test_what_another_step_changed_since_it_was_written_counts(repo: Repo) -> None:
    text = """
steps:
  - {name: a, run: cp a.txt x, inputs: [a.txt], outputs: [x]}
  - {name: b, run: bash b.sh}
  - {name: c, run: cp x y, inputs: [x], outputs: [y]}
"""
    repo.commit(
        {"mlpipe.yml": text, "a.txt": "a\n", "b.sh": "echo one >> x", ".gitignore": "x\ny\n"}
    )
    repo.mlpipe("run")
    assert repo.read("y") == "a\none\n"
    repo.write({"b.sh": "echo two >> x"})
    repo.mlpipe("run")
    assert repo.read("y") == "a\ntwo\n"


def test_an_output_that_changes_while_the_next_step_reads_it_keeps_its_result_out(
    repo: Repo,
) -> None:
    text = """
steps:
  - {name: a, run: echo a > x, inputs: [raw], outputs: [x]}
  - {name: c, run: "echo edited > x; cp x y", inputs: [x], outputs: [y]}
"""
    repo.commit({"mlpipe.yml": text, "raw": "1", ".gitignore": "x\ny\n"})
    done = repo.mlpipe("run")
    assert "the result was not stored: x changed while the step ran" in done.stdout
    plan = json.loads(repo.mlpipe("plan", "--json").stdout)
    assert plan["steps"][1]["action"] == "run"


def test_files_in_submodules_and_nested_clones_count(
    repo: Repo, make_repo: Callable[[str], Repo]
) -> None:
    inner = make_repo("inner")
    inner.commit({"lib.py": "1"})
    repo.git(
        "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner.root), "src/sub"
    )
    repo.git("clone", "-q", str(inner.root), "src/nested")
    text = "steps: [{name: s, run: cat src/*/lib.py > out, inputs: [src/], outputs: [out]}]"
    repo.write({"mlpipe.yml": text, ".gitignore": "out\n", "src/a.py": "1"})
    repo.mlpipe("run")
    for place in ("sub", "nested"):
        repo.write({f"src/{place}/lib.py": f"changed in {place}"})
        done = repo.mlpipe("run")
        assert f"src/{place}/lib.py changed" in done.stdout
        assert f"changed in {place}" in repo.read("out")


def test_a_pattern_sees_through_links_as_the_shell_does(repo: Repo) -> None:
    repo.write({"store/v1/x.csv": "1", "data/own/y.csv": "1"})
    (repo.root / "data/current").symlink_to("../store/v1")
    (repo.root / "store/v1/loop").symlink_to("..")
    text = (
        "steps: [{name: s, run: cat data/*/*.csv > out, inputs: ['data/*/*.csv'], outputs: [out]}]"
    )
    repo.commit({"mlpipe.yml": text, ".gitignore": "out\n"})
    repo.mlpipe("run")
    repo.write({"store/v1/x.csv": "2"})
    repo.mlpipe("run")
    assert repo.read("out") == "21"


def test_files_of_the_user_in_an_output_directory_are_not_lost(repo: Repo) -> None:
    text = "steps: [{name: s, run: mkdir -p m; cp raw m/a, inputs: [raw], outputs: [m/]}]"
    repo.commit({"mlpipe.yml": text, "raw": "1", "m/notes.md": "years of work"})
    done = repo.mlpipe("run")
    kept = repo.root / ".git/mlpipe/aside/replaced/s/m/notes.md"
    assert kept.read_text() == "years of work"
    assert "m/notes.md" in done.stdout
    repo.write({"m/more.md": "more work"})
    done = repo.mlpipe("run")
    assert "↺ s  reused" in done.stdout
    assert "m/more.md" in done.stdout
    second = repo.root / ".git/mlpipe/aside/replaced/s.2/m/more.md"  # each run has its own place
    assert second.read_text() == "more work"
    assert kept.read_text() == "years of work"


def test_outputs_below_a_link_are_refused_from_the_first_run_on(repo: Repo) -> None:
    (repo.root / "scratch").mkdir()
    (repo.root / "m").symlink_to("scratch")
    repo.commit(
        {
            "mlpipe.yml": "steps: [{name: s, run: touch m/a, inputs: [raw], outputs: [m/a]}]",
            "raw": "1",
        }
    )
    for _ in range(2):
        done = repo.mlpipe("run", code=2)
        assert "✖ s  failed" in done.stdout
        assert "output 'm/a' leads through the link 'm'" in done.stdout
        assert "declare the real path" in done.stdout


def test_a_failure_is_not_hidden_by_a_reader_that_goes_away(repo: Repo) -> None:
    text = "steps: [{name: a, run: echo 1; sleep 0.3}, {name: b, run: touch b; exit 7}]"
    repo.commit({"mlpipe.yml": text})
    for words in ("run", "run --json"):
        command = f"{sys.executable} -m mlpipe_ci {words} | true; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=repo.root,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "1\n"
        assert (repo.root / "b").exists()
        assert "Traceback" not in done.stderr
        (repo.root / "b").unlink()


def test_a_full_output_is_no_fault_of_mlpipe(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": "steps: [{name: a, run: touch ran}]"})
    for words, code in (("run > /dev/full", 0), ("plan > /dev/full", 2), ("plan >&-", 0)):
        done = subprocess.run(
            ["bash", "-c", f"{sys.executable} -m mlpipe_ci {words}"],
            cwd=repo.root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
    assert (repo.root / "ran").exists()


def test_nohup_is_respected(repo: Repo) -> None:
    wait = "while test ! -e go; do sleep 0.02; done"
    text = f"steps: [{{name: a, run: touch started; {wait}; touch ended}}]"
    repo.commit({"mlpipe.yml": text})
    mlpipe = subprocess.Popen(
        ["nohup", sys.executable, "-m", "mlpipe_ci", "run"],
        cwd=repo.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for((repo.root / "started").exists)
    mlpipe.send_signal(signal.SIGHUP)
    (repo.root / "go").touch()
    assert mlpipe.wait(timeout=30) == 0
    assert (repo.root / "ended").exists()


def test_while_a_run_waits_the_branch_and_the_file_may_change(repo: Repo) -> None:
    text = """
steps:
  - {name: slow, run: touch started; while test ! -e go; do sleep 0.02; done}
  - {name: deploy, if: github.ref == 'refs/heads/main', run: echo deployed >> deployed}
"""
    repo.commit({"mlpipe.yml": text, ".gitignore": "started\ngo\ndeployed\n"})
    repo.git("branch", "feature")
    command = [sys.executable, "-m", "mlpipe_ci", "run"]
    first = subprocess.Popen(command, cwd=repo.root, stdout=subprocess.DEVNULL)
    wait_for((repo.root / "started").exists)
    second = subprocess.Popen(command, cwd=repo.root, stdout=subprocess.PIPE, text=True)
    assert second.stdout is not None
    assert "waiting" in second.stdout.readline()
    repo.git("checkout", "-q", "feature")
    (repo.root / "go").touch()
    first.wait(timeout=30)
    printed, _ = second.communicate(timeout=30)
    assert "– deploy  skipped" in printed
    assert repo.read("deployed") == "deployed\n", "only by the run that began on main"


def test_a_log_that_cannot_be_written_stops_the_step_with_a_word(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": "steps: [{name: a, run: head -c 200000 /dev/zero}]"})
    (repo.root / ".git/mlpipe").mkdir()
    (repo.root / ".git/mlpipe/runs").write_text("in the way")
    done = repo.mlpipe("run", code=2)
    assert "the command cannot be run: " in done.stdout
    assert "Not a directory" in done.stdout
