"""`mlpipe validate`: its formats and its warnings."""

import json
from typing import Any

from jsonschema import Draft202012Validator

from mlpipe_ci.workflow.schema_errors import SCHEMA_DIR
from tests.support.repository import Repo


def valid(text: str, name: str) -> dict[str, Any]:
    """The JSON of a text, if it fits a schema."""
    found = json.loads(text)
    schema = json.loads((SCHEMA_DIR / f"{name}.schema.json").read_text())
    Draft202012Validator(schema).validate(found)
    return dict(found)


def test_validate_prints_each_format(repo: Repo) -> None:
    repo.write({"good.yml": "steps: [{name: a, run: b}]", "bad.yml": "steps: [{name: a, rnu: b}]"})
    done = repo.mlpipe("validate", "good.yml", "bad.yml", code=2)
    assert done.stdout == "good.yml: 1 step(s), no fault\n"
    assert "bad.yml:1:19: step 'a': unknown key 'rnu'; did you mean 'run'?" in done.stderr
    assert "     1 | steps: [{name: a, rnu: b}]\n       |                   ^\n" in done.stderr
    for option in (["--json"], ["--format", "json"]):
        found = valid(
            repo.mlpipe("validate", *option, "good.yml", "bad.yml", code=2).stdout, "validate"
        )
        assert [file["valid"] for file in found["files"]] == [True, False]
        assert found["files"][1]["faults"][0]["rule"] == "schema"
    log = json.loads(repo.mlpipe("validate", "--format", "sarif", "bad.yml", code=2).stdout)
    assert len(log["runs"][0]["results"]) == 2
    done = repo.mlpipe("validate", "--format", "sarif", "bad.yml", code=2, GITHUB_ACTIONS="true")
    assert json.loads(done.stdout)["version"] == "2.1.0"
    assert done.stderr.startswith("::error file=bad.yml,line=1,col=9,")


def test_validate_warns_of_what_is_only_so_here(repo: Repo) -> None:
    repo.commit(
        {
            "model.pkl": "tracked",
            "out/report.txt": "tracked",
            "mlpipe.yml": """
steps:
  - {name: a, run: a, inputs: [src/*.py, gone.csv, mlpipe.yml], outputs: [model.pkl, out/]}
  - {name: b, run: b, inputs: [model.pkl, "!x"]}
""",
        }
    )
    done = repo.mlpipe("validate")
    assert done.stdout == "mlpipe.yml: 2 step(s), no fault, 4 warning(s)\n"
    for text in (
        "warning: step 'a': output 'model.pkl' is tracked by git (model.pkl), so each run changes",
        "warning: step 'a': output 'out/' is tracked by git (out/report.txt)",
        "warning: step 'a': input: no file matches 'src/*.py' now",
        "warning: step 'a': input: there is no 'gone.csv' now",
    ):
        assert text in done.stderr
    done = repo.mlpipe("validate", GITHUB_ACTIONS="true")
    assert "::warning file=mlpipe.yml,line=3,col=75,title=mlpipe::step 'a'" in done.stdout


def test_validate_refuses_a_link_out_of_the_repository(repo: Repo) -> None:
    repo.write({"mlpipe.yml": "steps: [{name: a, run: a, inputs: [data/x.csv, link]}]"})
    (repo.root / "data").symlink_to("/usr")
    (repo.root / "link").symlink_to("/etc/hosts")
    done = repo.mlpipe("validate", code=2)
    assert done.stderr.count("out of the repository") == 2


def test_a_tracked_output_is_told_by_plan_and_run_too(repo: Repo) -> None:
    text = "steps: [{name: a, run: 'mkdir -p out && touch out/b', inputs: [in], outputs: [out/]}]"
    repo.write({"in": "x"})
    repo.commit({"mlpipe.yml": text, "out/a": "tracked", "out.txt": "not in it", "ou": "neither"})
    told = "its output out/ is tracked by git, so each run changes a tracked file"
    assert told in repo.mlpipe("plan").stdout
    assert told in repo.mlpipe("run").stdout
    assert told not in repo.mlpipe("run").stdout, "a step that is reused changes nothing"
    repo.commit({"mlpipe.yml": text.replace("out/", "o/"), ".gitignore": "o/"})
    assert "tracked" not in repo.mlpipe("plan").stdout


def test_many_tracked_outputs_are_told_once(repo: Repo) -> None:
    line = "  - {{name: {0}, run: touch {0}1 {0}2 {0}3, inputs: [in], outputs: [{0}1, {0}2, {0}3]}}"
    files = {f"{name}{number}": "" for name in "abc" for number in (1, 2, 3)}
    repo.commit({"mlpipe.yml": "steps:\n" + "\n".join(map(line.format, "abc")), "in": "x", **files})
    told = "outputs of 3 steps are tracked by git, so each run changes tracked files: a1, a2, a3, …"
    for command in ("plan", "run"):
        shown = repo.mlpipe(command).stdout
        assert told in shown
        assert shown.count("tracked") == 2  # both in this line


def test_metrics_and_plots_that_nobody_can_read_are_warnings(repo: Repo) -> None:
    named = "metrics: [m.parquet, m.json, m], plots: [p.html, p.svg, p.csv, {path: q.txt, x: a}]"
    repo.commit({"mlpipe.yml": f"steps:\n  - {{name: a, run: x, inputs: [mlpipe.yml], {named}}}\n"})
    done = repo.mlpipe("validate")
    assert "1 step(s), no fault, 3 warning(s)" in done.stdout
    for text in (
        "step 'a': metrics file 'm.parquet' is read as JSON, as no reader has the ending .parquet;",
        "step 'a': plot 'p.html' is read as JSON, as no reader has the ending .html;",
        "step 'a': plot 'q.txt' is read as JSON, as no reader has the ending .txt;",
    ):
        assert text in done.stderr
    assert "mlpipe.yml:2:" in done.stderr
