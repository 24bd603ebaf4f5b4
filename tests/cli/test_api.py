"""The Python API, used as a program would."""

import re
import subprocess
import sys
import threading

import pytest

import mlpipe_ci
from mlpipe_ci.cli import api
from mlpipe_ci.core.run import Run, StepOutcome
from mlpipe_ci.run.listener import SilentListener
from tests.support.repository import ROOT, Repo

README = (ROOT / "README.md").read_text("utf-8")
FILE = """
params: {rate: 1}
steps:
  - {name: clean, run: cat raw > clean.txt, inputs: [raw], outputs: [clean.txt]}
  - {name: train, run: "echo ${{ params.rate }} > model", inputs: [clean.txt], outputs: [model]}
"""


class Recorder(SilentListener):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.printed = b""

    def output(self, step: str, data: bytes) -> None:
        self.printed += data

    def end(self, outcome: StepOutcome) -> None:
        self.ended.append(f"{outcome.step.name} {outcome.status}")


@pytest.fixture
def project(repo: Repo) -> Repo:
    repo.commit({"mlpipe.yml": FILE, "raw": "1\n", ".gitignore": "clean.txt\nmodel\n"})
    return repo


def test_load_plan_and_run(project: Repo) -> None:
    workflow = mlpipe_ci.load_workflow(project.root)
    assert [step.name for step in workflow.steps] == ["clean", "train"]
    plan = mlpipe_ci.plan_workflow(project.root)
    assert [str(one.action) for one in plan.decisions] == ["run", "maybe"]
    run = mlpipe_ci.run_workflow(project.root)
    assert isinstance(run, mlpipe_ci.Run)
    assert (run.result, project.read("model")) == ("success", "1\n")
    again = mlpipe_ci.plan_workflow(project.root)
    assert [str(one.action) for one in again.decisions] == ["reuse", "reuse"]
    assert "2 reused" in project.mlpipe("run").stdout, "the command line sees the same"


def test_the_readme_is_true(project: Repo, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(import mlpipe_ci\n.*?)```", README, re.DOTALL)
    code = code.replace('"."', repr(str(project.root))).replace("train.rate", "rate")
    exec(code, {})  # noqa: S102 - the README's own lines
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "clean run no result yet"
    assert printed[-1] == "success {'clean': {}, 'train': {}}"


def test_a_listener_is_told_and_settings_count(project: Repo) -> None:
    listener = Recorder()
    run = mlpipe_ci.run_workflow(project.root, settings=["rate=3"], listener=listener)
    assert listener.ended == ["clean succeeded", "train succeeded"]
    assert (project.read("model"), run.workflow.params) == ("3\n", {"rate": 3})
    listener = Recorder()
    mlpipe_ci.run_workflow(project.root, steps=["clean"], force=["clean"], listener=listener)
    assert listener.ended == ["clean succeeded", "train skipped"]


def test_a_failed_step_is_an_answer_and_a_wrong_file_an_error(project: Repo) -> None:
    project.write({"mlpipe.yml": "steps: [{name: a, run: exit 3}]"})
    run = mlpipe_ci.run_workflow(project.root)
    assert (run.result, run.outcomes[0].execution.exit_code) == ("failure", 3)
    project.write({"mlpipe.yml": "steps: [{name: a, runs: x}]"})
    with pytest.raises(mlpipe_ci.MlpipeError, match="did you mean 'run'"):
        mlpipe_ci.load_workflow(project.root)


def test_a_step_does_not_wait_for_the_run_that_it_is_part_of(project: Repo) -> None:
    code = "import mlpipe_ci; mlpipe_ci.run_workflow()"
    step = f"name: a, timeout-minutes: 0.5, run: '{sys.executable} -c \"{code}\"'"
    project.write({"mlpipe.yml": f"steps: [{{{step}}}]"})
    run = api.run_workflow(project.root)
    (outcome,) = run.outcomes
    assert outcome.execution.exit_code == 1
    assert "step 'a' runs mlpipe in its own work tree" in "\n".join(outcome.execution.log_tail)


@pytest.mark.parametrize("jobs", [0, -1])
def test_a_run_has_at_least_one_job(project: Repo, jobs: int) -> None:
    with pytest.raises(mlpipe_ci.MlpipeError, match="must be a number above 0"):
        api.run_workflow(project.root, jobs=jobs)


def test_a_program_may_run_a_workflow_in_a_thread_of_its_own(project: Repo) -> None:
    runs: list[Run] = []
    thread = threading.Thread(target=lambda: runs.append(api.run_workflow(project.root)))
    thread.start()
    thread.join()
    assert [run.result for run in runs] == ["success"]


def test_the_names_are_there_and_cost_nothing_until_used() -> None:
    for name in mlpipe_ci.__all__:
        assert getattr(mlpipe_ci, name), name
    assert mlpipe_ci.run_workflow is api.run_workflow
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(mlpipe_ci, "nothing")  # noqa: B009 - mypy knows that it is not there
    code = "import sys, mlpipe_ci; print([m for m in sys.modules if m.startswith('mlpipe_ci.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
