"""Loading: each file in cases/ is a test. Drop a file in; --update writes what it should give.

A case lies at the root of a repository that holds what is in cases/files/ as well.
"""

import json
import re
import shutil
import time
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mlpipe_ci.cli.locate import find_locations
from mlpipe_ci.cli.open_session import open_session
from mlpipe_ci.cli.options import SessionOptions
from mlpipe_ci.core.declared_outputs import DeclaredOutputs
from mlpipe_ci.core.errors import MlpipeError, WorkflowError
from mlpipe_ci.core.plan import Plan
from mlpipe_ci.core.workflow import Step, Workflow
from mlpipe_ci.plan.decide import make_plan
from mlpipe_ci.repo.each_files import on_disk
from mlpipe_ci.workflow.load import load as load_source
from mlpipe_ci.workflow.workflow_file import LoadRequest, WorkflowFile
from tests.support.repository import ROOT, Repo

CASES = ROOT / "tests" / "cases"
FILES = {kind: sorted((CASES / kind).glob("*.yml")) for kind in ("valid", "invalid")}
FROM_OUTSIDE = {"MLPIPE_CACHE_DIR": "/dev/null/no-cache"}
DEFAULTS = {field.name: field.default for field in fields(Step)}


def load(path: Path, shown: str, name: str) -> Workflow:
    """Read a file whose repository is the directory that it lies in."""
    return load_source(
        LoadRequest(
            file=WorkflowFile(path=path, shown=shown, root=path.parent),
            name=name,
            items=partial(on_disk, path.parent),
        )
    )


def place(repo: Repo, case: Path) -> Path:
    """Lay a case into a repository, with the files that all cases may name."""
    shutil.copytree(CASES / "files", repo.root, dirs_exist_ok=True)
    return Path(shutil.copy(case, repo.root / "mlpipe.yml"))


@pytest.mark.parametrize("path", FILES["invalid"], ids=lambda path: path.stem)
def test_an_invalid_file_gives_exactly_these_faults(path: Path, repo: Repo, update: bool) -> None:
    with pytest.raises(WorkflowError) as caught:
        load(place(repo, path), "mlpipe.yml", "demo")
    compare(str(caught.value) + "\n", path.with_suffix(".txt"), update=update)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("path", FILES["valid"], ids=lambda path: path.stem)
def test_a_valid_file_gives_exactly_this_plan(path: Path, repo: Repo, update: bool) -> None:
    workflow = load(place(repo, path), "mlpipe.yml", "demo")
    make_inputs(repo.root, workflow)
    plan = planned(repo)
    expected: dict[str, Any] = {
        "name": workflow.name,
        "steps": [shown(d.step) for d in plan.decisions],
    }
    if workflow.params:
        expected["params"] = workflow.params
    expected["plan"] = {d.step.name: [str(d.action), *d.reasons] for d in plan.decisions}
    text = json.dumps(expected, indent=1, ensure_ascii=False) + "\n"
    compare(text, path.with_suffix(".json"), update=update)


def test_the_workflows_in_the_readme_are_right(repo: Repo) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    workflows = [b for b in blocks if re.search("^steps:", b, re.MULTILINE)]
    assert len(workflows) >= 3
    for number, text in enumerate(workflows):
        case = repo.root / f"{number}.yml"
        case.write_text(text)
        assert load(place(repo, case), "mlpipe.yml", "demo").steps


def make_inputs(root: Path, workflow: Workflow) -> None:
    """Make a file for each input that no step writes."""
    declared = DeclaredOutputs(workflow.steps)
    patterns = [(n, p) for n, step in enumerate(workflow.steps) for p in step.reads]
    for number, pattern in patterns:
        name = pattern.replace("**", "some").replace("*", "x").replace("?", "y")
        name = re.sub(r"\[(.)[^]]*\]", r"\1", name)
        path = root / (name + "file" if name.endswith("/") else name)
        written = any(write.step < number for write in declared.matching(pattern))
        if not pattern.startswith("!") and not written and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("data\n")


def planned(repo: Repo) -> Plan:
    options, env = SessionOptions(), FROM_OUTSIDE
    session = open_session(find_locations(str(repo.root), env), options, env, readonly=True)
    return make_plan(session.workflow, session.collector(time.time()))


def shown(step: Step) -> dict[str, Any]:
    """The fields of a step that are not as they are by default."""
    return {key: value for key, value in asdict(step).items() if value != DEFAULTS[key]}


def compare(text: str, path: Path, *, update: bool) -> None:
    if update:
        path.write_text(text)
    assert text == path.read_text(), f"{path.name}: run pytest --update if the new text is right"


def test_there_are_enough_cases() -> None:
    assert len(FILES["valid"]) >= 60
    assert len(FILES["invalid"]) >= 120


def test_no_case_is_without_its_expectation() -> None:
    for kind, suffix in (("valid", ".json"), ("invalid", ".txt")):
        expected = {path.stem for path in (CASES / kind).glob("*" + suffix)}
        assert {path.stem for path in FILES[kind]} == expected


def test_a_10_mb_file_is_refused_without_being_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mlpipe.yml"
    path.write_text("steps:\n" + "  - {name: a, run: b}\n" * 500_000)
    monkeypatch.delattr("mlpipe_ci.workflow.reader.parse")
    with pytest.raises(WorkflowError, match=r"mlpipe.yml:1:1: the file has 11\.0 MB") as caught:
        load(path, "mlpipe.yml", "demo")
    assert caught.value.exit_code == 2


def test_a_missing_file_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(MlpipeError, match=r"no such file.*\n.*steps: .*\n.*--file"):
        load(tmp_path / "mlpipe.yml", "mlpipe.yml", "demo")


def test_a_directory_is_no_workflow(tmp_path: Path) -> None:
    with pytest.raises(MlpipeError, match="cannot be read: Is a directory"):
        load(tmp_path, "mlpipe.yml", "demo")


def test_the_default_name_is_used(tmp_path: Path) -> None:
    path = tmp_path / "mlpipe.yml"
    path.write_text("steps: [{name: a, run: b}]")
    assert load(path, "mlpipe.yml", "demo").name == "demo"


def test_python_objects_in_yaml_are_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WorkflowError):
        load(CASES / "invalid" / "python-object.yml", "mlpipe.yml", "demo")
    assert not (tmp_path / "pwned").exists()
