"""Faults of workflow files, as a person, a program, and GitHub's code scanning read them."""

import json

from mlpipe_ci.core.errors import Diagnostic
from mlpipe_ci.report.diagnostics import RULES, CheckedFile, diagnostic_lines, sarif
from mlpipe_ci.workflow.schema_errors import SCHEMA_DIR
from tests.support.repository import Repo

FAULT = Diagnostic(
    file="mlpipe.yml",
    line=14,
    column=5,
    message="step 'train': unknown key 'input'; did you mean 'inputs'?",
    rule="schema",
    source="    input: [data.csv]",
)


def test_a_fault_shows_its_line_and_the_place_in_it() -> None:
    assert diagnostic_lines(FAULT) == [
        "mlpipe.yml:14:5: step 'train': unknown key 'input'; did you mean 'inputs'?",
        "    14 |     input: [data.csv]",
        "       |     ^",
    ]


def test_a_long_line_is_cut_around_the_place() -> None:
    long = Diagnostic(
        file="f", line=1, column=500, message="m", source="x" * 499 + "HERE" + "y" * 500
    )
    _, source, mark = diagnostic_lines(long)
    assert len(source) < 140
    assert source[mark.index("^")] == "H"


def test_control_characters_and_tabs_are_shown_as_text() -> None:
    odd = Diagnostic(file="f\x1b", line=1, column=2, message="m\n\x1b[31m", source="\tx\x1b[31m")
    assert diagnostic_lines(odd) == [
        "f\\x1b:1:2: m\\n\\x1b[31m",
        "     1 |  x\\x1b[31m",
        "       |  ^",
    ]


def test_sarif() -> None:
    """The parts that GitHub needs (docs.github.com, "SARIF support for code scanning")."""
    warning = Diagnostic(
        file="a b/ß.yml", line=2, column=1, message="w", rule="tracked", level="warning"
    )
    found = sarif((CheckedFile(file="mlpipe.yml", steps=None, diagnostics=(FAULT, warning)),))
    (run,) = found["runs"]
    assert found["version"] == "2.1.0"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(RULES)
    first, second = run["results"]
    assert run["tool"]["driver"]["rules"][first["ruleIndex"]]["id"] == first["ruleId"] == "schema"
    assert first["message"]["text"] == FAULT.message
    place = first["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "mlpipe.yml"},
        "region": {"startLine": 14, "startColumn": 5},
    }
    assert second["level"] == "warning"
    uri = second["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "a%20b/%C3%9F.yml"


def test_every_rule_that_is_used_is_described(repo: Repo) -> None:
    text = (SCHEMA_DIR / "validate.schema.json").read_text()
    items = json.loads(text)["properties"]["files"]["items"]["properties"]["faults"]["items"]
    assert items["properties"]["rule"]["enum"] == list(RULES)
