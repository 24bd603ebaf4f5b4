"""Faults of workflow files: as text with the line itself, as JSON, and as SARIF."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from mlpipe_ci import __version__
from mlpipe_ci.core.errors import Diagnostic
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.report.wording import escape_controls

VERSION = 1
RULES = {
    "yaml": "The file is not YAML, or not of the kind that a workflow may be.",
    "schema": "A key is unknown or missing, or its value is of another kind.",
    "expression": "An expression cannot be read, or names what is not there.",
    "matrix": "The matrix of a step means no combination.",
    "params": "A source of params cannot be read.",
    "names": "Two steps have the same name or id.",
    "paths": "A path is absolute, leaves the repository, or cannot be what it is declared as.",
    "state": "A path of `state` is outside of the repository, or an output.",
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
class CheckedFile:
    """One file that was checked: its name, number of steps (None: it could not be read), faults."""

    file: str
    steps: int | None
    diagnostics: tuple[Diagnostic, ...]


def diagnostic_lines(diagnostic: Diagnostic) -> list[str]:
    """The fault, and below it the line of the file with a mark under the place."""
    lines = [escape_controls(str(diagnostic))]
    source = escape_controls(diagnostic.source.replace("\t", " "))
    if source.strip() and diagnostic.column <= len(source) + 1:
        start = max(0, diagnostic.column - WIDTH * 2 // 3) if len(source) > WIDTH else 0
        cut = ("…" if start else "") + source[start : start + WIDTH]
        mark = diagnostic.column - 1 - start + (1 if start else 0)
        lines += [f"{diagnostic.line:>6} | {cut}", f"{'':>6} | {' ' * mark}^"]
    return lines


def text(checked: tuple[CheckedFile, ...]) -> str:
    """All faults, each with its line."""
    return "\n".join(
        line
        for one in checked
        for diagnostic in one.diagnostics
        for line in diagnostic_lines(diagnostic)
    )


def diagnostics_json(checked: tuple[CheckedFile, ...]) -> dict[str, Any]:
    """In the shape of schema/validate.schema.json."""
    return {
        "version": VERSION,
        "files": [
            {
                "file": escape_controls(one.file),
                "valid": not any(diagnostic.level == "error" for diagnostic in one.diagnostics),
                "steps": one.steps,
                "faults": [
                    {
                        "line": fault.line,
                        "column": fault.column,
                        "level": fault.level,
                        "rule": fault.rule,
                        "message": escape_controls(fault.message),
                    }
                    for fault in one.diagnostics
                ],
            }
            for one in checked
        ],
    }


def sarif(checked: tuple[CheckedFile, ...]) -> dict[str, Any]:
    """A SARIF 2.1.0 log (OASIS), as GitHub's code scanning takes it."""
    rules = [
        {"id": rule, "shortDescription": {"text": words}, "fullDescription": {"text": words}}
        for rule, words in RULES.items()
    ]
    results = [_result(diagnostic) for one in checked for diagnostic in one.diagnostics]
    driver = {
        "name": "mlpipe",
        "version": __version__,
        "informationUri": INFORMATION,
        "rules": rules,
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(diagnostic: Diagnostic) -> dict[str, Any]:
    location = {
        "artifactLocation": {"uri": quote(escape_controls(diagnostic.file))},
        "region": {"startLine": diagnostic.line, "startColumn": diagnostic.column},
    }
    return {
        "ruleId": diagnostic.rule,
        "ruleIndex": list(RULES).index(diagnostic.rule),
        "level": diagnostic.level,
        "message": {"text": escape_controls(diagnostic.message)},
        "locations": [{"physicalLocation": location}],
    }


FORMATS: dict[str, Callable[[tuple[CheckedFile, ...]], str]] = {
    "text": text,
    "json": lambda checked: json.dumps(diagnostics_json(checked), indent=2),
    "sarif": lambda checked: json.dumps(sarif(checked), indent=2),
}
