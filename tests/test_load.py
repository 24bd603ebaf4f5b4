"""Loading: each file in cases/ is a test. Drop a file in; --update writes what it should give."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from mlpipe_ci.errors import MlpipeError, WorkflowError
from mlpipe_ci.load import load

CASES = Path(__file__).parent / "cases"
FILES = {kind: sorted((CASES / kind).glob("*.yml")) for kind in ("valid", "invalid")}


@pytest.mark.parametrize("path", FILES["invalid"], ids=lambda path: path.stem)
def test_an_invalid_file_gives_exactly_these_faults(path: Path, update: bool) -> None:
    with pytest.raises(WorkflowError) as caught:
        load(path, "mlpipe.yml", "demo")
    compare(str(caught.value) + "\n", path.with_suffix(".txt"), update=update)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("path", FILES["valid"], ids=lambda path: path.stem)
def test_a_valid_file_gives_exactly_this_workflow(path: Path, update: bool) -> None:
    workflow = load(path, "mlpipe.yml", "demo")
    text = json.dumps(asdict(workflow), indent=1, ensure_ascii=False) + "\n"
    compare(text, path.with_suffix(".json"), update=update)


def compare(text: str, path: Path, *, update: bool) -> None:
    if update:
        path.write_text(text)
    assert text == path.read_text(), f"{path.name}: run pytest --update if the new text is right"


def test_no_case_is_without_its_expectation() -> None:
    for kind, suffix in (("valid", ".json"), ("invalid", ".txt")):
        expected = {path.stem for path in (CASES / kind).glob("*" + suffix)}
        assert {path.stem for path in FILES[kind]} == expected


def test_a_10_mb_file_is_refused_without_being_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mlpipe.yml"
    path.write_text("steps:\n" + "  - {name: a, run: b}\n" * 500_000)
    monkeypatch.delattr("mlpipe_ci.load.parse")
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
