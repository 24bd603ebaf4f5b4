"""`mlpipe verify`: what a commit's steps left follows from results, with no data here."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mlpipe_ci.cache.codec import decode_result, encode_result
from mlpipe_ci.core.result import Result
from tests.support.logged_steps import Lab, step
from tests.support.repository import Repo
from tests.support.schemas import schema

CLEAN = step("clean", "cat data/*.csv > clean.csv", "data/*.csv", "clean.csv")
EVALUATE = step("evaluate", "echo '{\"auc\": 0.9}' > m.json", "clean.csv", metrics=["m.json"])


@pytest.fixture
def lab(repo: Repo) -> Lab:
    """Two steps that ran; `data/own.csv` is ignored if a test makes it."""
    lab = Lab(repo)
    lab.start(CLEAN, EVALUATE, files="data/a.csv data/b.csv")
    lab.repo.commit({".gitignore": "clean.csv\nm.json\ndata/own.csv\nreport.json\n"})
    return lab


def bare(lab: Lab, tmp_path: Path) -> Lab:
    """A clone with nothing in it but the workflow file."""
    root = tmp_path / "bare"
    lab.repo.git("clone", "-q", "--no-checkout", str(lab.repo.root), str(root))
    clone = Lab(Repo(root))
    clone.repo.git("reset", "-q")
    (root / "mlpipe.yml").write_text(lab.repo.read("mlpipe.yml"))
    return clone


def verified(lab: Lab, *arguments: str, code: int, **env: str) -> dict[str, Any]:
    done = lab.mlpipe("verify", "--json", *arguments, code=code, **env)
    found: dict[str, Any] = json.loads(done.stdout)
    Draft202012Validator(schema("verify")).validate(found)
    return found


def of(found: dict[str, Any], name: str) -> dict[str, Any]:
    (one,) = [one for one in found["steps"] if one["name"] == name]
    return dict(one)


def change(name: str, **fields: Any) -> None:
    """Let each result of a step say something else."""
    for path in Path(os.environ["MLPIPE_CACHE_DIR"]).glob("v1/results/*/*/*/*.json"):
        result = decode_result(path.read_bytes())
        if result is not None and result.step == name:
            path.unlink()
            path.write_bytes(encode_result(changed(result, **fields)))


def changed(result: Result, **fields: Any) -> Result:
    return replace(result, **fields)


def test_each_input_is_of_the_commit_or_of_a_verified_result(lab: Lab, tmp_path: Path) -> None:
    lab.ran()
    clone = bare(lab, tmp_path)
    for where in (lab, clone):
        found = verified(where, "--strict", code=0)
        assert found["holds"] is True
        clean, evaluate = of(found, "clean"), of(found, "evaluate")
        assert (clean["standing"], clean["blobs"], clean["outputs"]) == ("verified", 2, 0)
        assert (evaluate["standing"], evaluate["outputs"]) == ("verified", 1)
        assert evaluate["result"]["metrics"] == {"auc": 0.9}
        assert [one["is_data"] for one in clean["unverified"]] == [False]  # the platform
    assert {path.name for path in clone.repo.root.iterdir()} == {".git", "mlpipe.yml"}
    said = clone.mlpipe("verify").stdout
    assert "2 of 2 steps of " in said
    assert "not verified, of the machine: Linux" in said


def test_nothing_of_this_disk_counts(lab: Lab) -> None:
    """Edits and outputs that lie here say nothing of the commit."""
    lab.ran()
    lab.repo.write({"data/a.csv": "edited\n", "clean.csv": "edited\n", "data/new.csv": "1\n"})
    assert verified(lab, code=0)["holds"] is True


def test_another_commit_does_not_follow(lab: Lab) -> None:
    lab.ran()
    lab.repo.commit({"data/a.csv": "2\n"})
    found = verified(lab, code=1)
    assert of(found, "clean")["standing"] == "missing"
    assert "data/a.csv is another one at this commit" in of(found, "clean")["why"]
    assert of(found, "evaluate")["standing"] == "missing"
    assert "it reads clean.csv, and clean has no result" in of(found, "evaluate")["why"]


def test_a_file_that_the_result_was_made_without(lab: Lab) -> None:
    lab.ran()
    lab.repo.commit({"data/c.csv": "3\n"})
    assert "made without data/c.csv" in of(verified(lab, code=1), "clean")["why"]
    lab.ran()
    assert verified(lab, code=0)["holds"] is True
    lab.repo.git("rm", "-q", "data/c.csv", "data/b.csv")
    lab.repo.commit()
    assert "made from data/b.csv, which is not at" in of(verified(lab, code=1), "clean")["why"]


def test_other_work_does_not_follow(lab: Lab) -> None:
    lab.ran()
    lab.file(CLEAN | {"run": "cat data/*.csv | sort > clean.csv"}, EVALUATE)
    lab.repo.commit()
    assert "command changed" in of(verified(lab, code=1), "clean")["why"]


def test_what_git_ignores_is_listed(lab: Lab, tmp_path: Path) -> None:
    lab.repo.write({"data/own.csv": "own\n"})
    lab.ran()
    clone = bare(lab, tmp_path)
    found = verified(clone, code=0)
    assert found["unverified"] == 1
    unverified = [one for one in of(found, "clean")["unverified"] if one["is_data"]]
    assert unverified == [{"path": "data/own.csv", "why": "git does not have it", "is_data": True}]
    assert verified(clone, "--strict", code=1)["holds"] is False
    assert "not verified: data/own.csv (git does not have it)" in clone.mlpipe("verify").stdout


def test_two_results_that_differ_in_what_git_ignores(lab: Lab, tmp_path: Path) -> None:
    for text in ("1\n", "2\n"):
        lab.repo.write({"data/own.csv": text})
        lab.ran()
    found = verified(bare(lab, tmp_path), code=0)
    assert of(found, "clean")["others"] == 1


def test_the_report_of_a_run_is_held_against_the_results(lab: Lab, tmp_path: Path) -> None:
    lab.ran("--report", "report.json")
    clone = bare(lab, tmp_path)
    report = lab.repo.root / "report.json"
    assert verified(clone, "--report", str(report), code=0)["holds"] is True
    record = json.loads(report.read_text())
    record["steps"][1]["metrics"]["auc"] = 0.95
    (tmp_path / "better.json").write_text(json.dumps(record))
    found = verified(clone, "--report", str(tmp_path / "better.json"), code=1)
    assert of(found, "evaluate")["standing"] == "contradicted"
    assert of(found, "evaluate")["why"] == "the report says auc 0.95, and the result 0.9"
    record["steps"][1]["metrics"] = {"f1": 1.0}
    (tmp_path / "better.json").write_text(json.dumps(record))
    found = verified(clone, "--report", str(tmp_path / "better.json"), code=1)
    assert "no such metric" in of(found, "evaluate")["why"]


def test_a_report_of_another_commit_or_none(lab: Lab) -> None:
    lab.ran("--report", "report.json")
    lab.repo.commit({"new": "1\n"})
    said = lab.mlpipe("verify", "--report", "report.json", code=2).stderr
    assert "is the report of" in said
    said = lab.mlpipe("verify", "--report", "mlpipe.yml", code=2).stderr
    assert "mlpipe.yml is no report of this version" in said


def test_what_the_report_does_not_claim_need_not_follow(lab: Lab) -> None:
    deploy = step("deploy", "cat clean.csv > /dev/null", "clean.csv", cache=False)
    fails = step("fails", "cat clean.csv; exit 3", "clean.csv", continue_on_error=True)
    never = step("never", "cat clean.csv > n", "clean.csv", "n") | {"if": "failure()"}
    lab.file(CLEAN, EVALUATE, deploy, fails, never)
    lab.repo.commit()
    lab.ran("--report", "report.json")
    found = verified(lab, "--report", "report.json", code=0)
    standing = {one["name"]: one["standing"] for one in found["steps"]}
    assert standing == {
        "clean": "verified",
        "evaluate": "verified",
        **dict.fromkeys(("deploy", "fails", "never"), "unclaimed"),
    }
    without = verified(lab, code=1)
    assert of(without, "fails")["standing"] == "missing"
    assert of(without, "never")["standing"] == "unclaimed"


def test_an_empty_cache_proves_nothing(lab: Lab) -> None:
    assert verified(lab, code=1)["holds"] is False
    lab.ran()
    shutil.rmtree(os.environ["MLPIPE_CACHE_DIR"])
    assert of(verified(lab, code=1), "clean")["why"] == "it has no result"


def test_a_result_whose_key_lies(lab: Lab) -> None:
    lab.ran()
    change("clean", key="0" * 64)
    assert "does not follow" in of(verified(lab, code=1), "clean")["why"]


def test_an_output_of_a_result_that_is_not_the_one(lab: Lab) -> None:
    """A step that was made from other outputs than the verified result says."""
    lab.ran()
    results = Path(os.environ["MLPIPE_CACHE_DIR"]) / "v1/results"
    kept = results.parent / "kept"
    shutil.copytree(results, kept)
    (clean,) = (
        path
        for path in kept.rglob("*.json")
        if (found := decode_result(path.read_bytes())) is not None and found.step == "clean"
    )
    result = decode_result(clean.read_bytes())
    assert result is not None
    (output,) = result.outputs
    change("clean", outputs=(replace(output, digest="blake3:" + "1" * 64),))
    told = verified(lab, code=1)
    assert of(told, "clean")["standing"] == "verified"
    assert "clean.csv is another one" in of(told, "evaluate")["why"]


def test_discovered_inputs_count(lab: Lab, tmp_path: Path) -> None:
    make = step("make", "python3 make.py")
    lab.file(make)
    files = {"make.py": "import helper\nopen('out', 'w').write(open('a').read())\n"}
    ignore = "out\n__pycache__\n"
    lab.repo.commit({**files, "helper.py": "X = 1\n", "a": "1\n", ".gitignore": ignore})
    lab.mlpipe("run", MLPIPE_TRACER="auto")
    clone = bare(lab, tmp_path)
    found = of(verified(clone, "--strict", code=0), "make")
    assert found["standing"] == "verified"
    assert found["blobs"] >= 3
    lab.repo.commit({"helper.py": "X = 2\n"})
    assert "helper.py is another one" in of(verified(lab, code=1), "make")["why"]
    lab.repo.git("revert", "--no-edit", "HEAD")
    assert verified(lab, code=0)["holds"] is True
    lab.repo.commit({"unrelated.py": "X = 2\n"})
    assert verified(lab, code=0)["holds"] is True


def test_many_files_are_one_listing(lab: Lab) -> None:
    many = {f"many/{number}.txt": f"{number}\n" for number in range(150)}
    lab.file(step("all", "cat many/* > clean.csv", "many/", "clean.csv"))
    lab.repo.commit({**many})
    lab.ran()
    assert verified(lab, "--strict", code=0)["holds"] is True
    lab.repo.commit({"many/7.txt": "edited\n"})
    assert "files in many/ are others" in of(verified(lab, code=1), "all")["why"]


def test_items_of_each_are_those_of_the_commit(lab: Lab, tmp_path: Path) -> None:
    one = step("one", "cp ${{ each.path }} ${{ each.stem }}.out", each="data/*.csv")
    lab.file(one | {"outputs": ["${{ each.stem }}.out"]})
    lab.repo.commit({".gitignore": "*.out\n"})
    lab.ran()
    found = verified(bare(lab, tmp_path), code=0)
    assert [step["name"] for step in found["steps"]] == ["one (a.csv)", "one (b.csv)"]


def test_with_a_remote_cache_alone(lab: Lab, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/remote"
    lab.file(CLEAN, EVALUATE, cache={"remote": url})
    lab.repo.commit()
    lab.ran("--push")
    shutil.rmtree(os.environ["MLPIPE_CACHE_DIR"])
    assert verified(bare(lab, tmp_path), code=0)["holds"] is True
    shutil.rmtree(os.environ["MLPIPE_CACHE_DIR"], ignore_errors=True)
    assert verified(lab, "--no-remote", code=1)["holds"] is False


def test_an_audit_is_told(lab: Lab) -> None:
    lab.ran()
    assert of(verified(lab, code=0), "clean")["audited"] is None
    lab.mlpipe("audit")
    assert of(verified(lab, code=0), "clean")["audited"]["identical"] is True


def test_without_git_or_a_commit(tmp_path: Path) -> None:
    root = tmp_path / "plain"
    root.mkdir()
    lab = Lab(Repo(root))
    lab.file(CLEAN)
    assert "needs git" in lab.mlpipe("verify", code=2).stderr
    lab.repo.git("init", "-q")
    assert "no commit" in lab.mlpipe("verify", code=2).stderr


def test_files_of_a_submodule_are_not_verified(lab: Lab, tmp_path: Path) -> None:
    part = Repo(tmp_path / "part")
    part.root.mkdir()
    part.git("init", "-q", "-b", "main")
    part.commit({"x": "1\n"})
    allow = ("-c", "protocol.file.allow=always")
    lab.repo.git(*allow, "submodule", "--quiet", "add", str(part.root), "part")
    lab.file(step("use", "cat part/x > clean.csv", "part/x", "clean.csv"))
    lab.repo.commit()
    lab.ran()
    found = of(verified(lab, code=0), "use")
    data = [one for one in found["unverified"] if one["is_data"]]
    assert data == [{"path": "part/x", "why": "of the submodule part", "is_data": True}]
    assert json.loads(lab.mlpipe("audit", "--json").stdout)["passed"] is True
