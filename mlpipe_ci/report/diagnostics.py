"""Faults of workflow files: as text with the line itself, as JSON, and as SARIF."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from mlpipe_ci import __version__
from mlpipe_ci.core.errors import Fault
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.report.wording import shown

VERSION = 1
RULES = {
    "yaml": "The file is not YAML, or not of the kind that a workflow may be.",
    "schema": "A key is unknown or missing, or its value is of another kind.",
    "expression": "An expression cannot be read, or names what is not there.",
    "matrix": "The matrix of a step means no combination.",
    "params": "A source of params cannot be read.",
    "names": "Two steps have the same name or id.",
    "paths": "A path is absolute, leaves the repository, or cannot be what it is declared as.",
    "order": "A step reads what a later step writes, or needs a step that is not before it.",
    "overlap": "Two steps write the same path, or one inside of the other's.",
    "unicode": "An input is written with other Unicode characters than the file.",
    "tracked": "An output is tracked by git, so that each run changes a tracked file.",
    "sources": "Data from outside of git has no address that can be asked, or no place of its own.",
    "missing": "An input is not there now, and no earlier step writes it.",
}
"""Every kind of fault, by the name that JSON and SARIF give it."""
WIDTH = 120
INFORMATION = "https://github.com/org/mlpipe"
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


@frozen
class Checked:
    """One file that was checked: its name, number of steps (None: it could not be read), faults."""

    file: str
    steps: int | None
    faults: tuple[Fault, ...]


def fault_lines(fault: Fault) -> list[str]:
    """The fault, and below it the line of the file with a mark under the place."""
    lines = [shown(str(fault))]
    source = shown(fault.source.replace("\t", " "))
    if source.strip() and fault.column <= len(source) + 1:
        start = max(0, fault.column - WIDTH * 2 // 3) if len(source) > WIDTH else 0
        cut = ("…" if start else "") + source[start : start + WIDTH]
        mark = fault.column - 1 - start + (1 if start else 0)
        lines += [f"{fault.line:>6} | {cut}", f"{'':>6} | {' ' * mark}^"]
    return lines


def text(checked: tuple[Checked, ...]) -> str:
    """All faults, each with its line."""
    return "\n".join(line for one in checked for fault in one.faults for line in fault_lines(fault))


def faults_json(checked: tuple[Checked, ...]) -> dict[str, Any]:
    """In the shape of schema/validate.schema.json."""
    return {
        "version": VERSION,
        "files": [
            {
                "file": shown(one.file),
                "valid": not any(fault.level == "error" for fault in one.faults),
                "steps": one.steps,
                "faults": [
                    {
                        "line": fault.line,
                        "column": fault.column,
                        "level": fault.level,
                        "rule": fault.rule,
                        "message": shown(fault.message),
                    }
                    for fault in one.faults
                ],
            }
            for one in checked
        ],
    }


def sarif(checked: tuple[Checked, ...]) -> dict[str, Any]:
    """A SARIF 2.1.0 log (OASIS), as GitHub's code scanning takes it."""
    rules = [
        {"id": rule, "shortDescription": {"text": words}, "fullDescription": {"text": words}}
        for rule, words in RULES.items()
    ]
    results = [_result(fault) for one in checked for fault in one.faults]
    driver = {
        "name": "mlpipe",
        "version": __version__,
        "informationUri": INFORMATION,
        "rules": rules,
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(fault: Fault) -> dict[str, Any]:
    place = {
        "artifactLocation": {"uri": quote(shown(fault.file))},
        "region": {"startLine": fault.line, "startColumn": fault.column},
    }
    return {
        "ruleId": fault.rule,
        "ruleIndex": list(RULES).index(fault.rule),
        "level": fault.level,
        "message": {"text": shown(fault.message)},
        "locations": [{"physicalLocation": place}],
    }


FORMATS: dict[str, Callable[[tuple[Checked, ...]], str]] = {
    "text": text,
    "json": lambda checked: json.dumps(faults_json(checked), indent=2),
    "sarif": lambda checked: json.dumps(sarif(checked), indent=2),
}
