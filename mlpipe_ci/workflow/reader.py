"""Reads a workflow file from its text: a `Workflow`, or all its faults with their lines."""

from pathlib import Path

from mlpipe_ci.core.errors import Diagnostic, MlpipeError, WorkflowError
from mlpipe_ci.core.paths import normal
from mlpipe_ci.core.workflow import CacheSettings, Workflow
from mlpipe_ci.core.yaml.parse import LEAST, MAX_BYTES, Document, Problem, YamlError, parse
from mlpipe_ci.workflow import rules
from mlpipe_ci.workflow.header import HeaderReader
from mlpipe_ci.workflow.schema_errors import KeyPath, schema_problems
from mlpipe_ci.workflow.state_rules import state_problems
from mlpipe_ci.workflow.steps import StepReader
from mlpipe_ci.workflow.workflow_file import LoadRequest


def read_workflow_file(request: LoadRequest) -> Workflow:
    """Read a workflow file. Raises WorkflowError, MlpipeError; UsageError for `--set`."""
    text = _read(request.file.path, request.file.shown)
    try:
        document = parse(text)
    except YamlError as error:
        raise WorkflowError(_faults(request, text, error.problems)) from error
    problems: list[Problem] = []
    workflow = _workflow(request, document, problems)
    if workflow is None or problems:
        raise WorkflowError(_faults(request, text, tuple(problems)))
    return workflow


def _read(path: Path, shown: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            size = path.stat().st_size / 1e6
            message = f"the file has {size:.1f} MB; a workflow has at most 4 MiB"
            raise WorkflowError((Diagnostic(file=shown, line=1, column=1, message=message),))
        return data.decode("utf-8-sig")
    except FileNotFoundError as error:
        text = f"{shown}: there is no such file. Write one at the root of the repository; at least"
        raise MlpipeError(f"{text}:\n{LEAST}\n(or name another with --file)") from error
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        message = "not UTF-8; save the file with that encoding"
        raise WorkflowError(
            (Diagnostic(file=shown, line=line, column=column, message=message),)
        ) from error
    except OSError as error:
        raise MlpipeError(f"{shown}: cannot be read: {error.strerror}") from error


def _faults(
    request: LoadRequest, text: str, problems: tuple[Problem, ...]
) -> tuple[Diagnostic, ...]:
    lines = text.split("\n")
    return tuple(
        Diagnostic(
            file=request.file.shown,
            line=problem.line,
            column=problem.column,
            message=problem.message,
            rule=problem.rule,
            level=problem.level,
            source=lines[problem.line - 1].rstrip("\r") if problem.line <= len(lines) else "",
        )
        for problem in problems
    )


def _workflow(request: LoadRequest, document: Document, problems: list[Problem]) -> Workflow | None:
    """The workflow, as far as it can be read: what is wrong is added to `problems`."""
    found = list(schema_problems(document))
    problems += [problem for _, problem in found]
    value = document.value
    if not isinstance(value, dict) or not isinstance(value.get("steps"), list):
        return None
    outer = HeaderReader(document, request.file.root, request.github, request.settings).read(
        _keys(found), problems
    )
    reader = StepReader(document, outer, _keys_of_steps(found), request.items)
    steps = reader.steps()
    problems += reader.problems
    problems += rules.broken_rules(
        steps, reader.ids, outer.params_files, reader.items, document.position
    )
    state = (
        () if "state" in _keys(found) else tuple(normal(path) for path in value.get("state", ()))
    )
    problems += state_problems(state, steps, document.position)
    return Workflow(
        name=value.get("name", request.name),
        file=request.file.shown,
        steps=steps,
        params=outer.params,
        params_files=outer.params_files,
        overridden=outer.overridden,
        items=tuple(reader.items),
        tracing=value.get("tracing", "auto"),
        state=state,
        cache=CacheSettings(**value.get("cache", {})) if not problems else CacheSettings(),
    )


def _keys(found: list[tuple[KeyPath, Problem]]) -> set[str | int]:
    """Keys of the file in which the schema has found a fault."""
    return {path[0] for path, _ in found if path}


def _keys_of_steps(found: list[tuple[KeyPath, Problem]]) -> dict[int, set[str]]:
    """By number of the entry in `steps`: its keys in which the schema has found a fault."""
    broken: dict[int, set[str]] = {}
    for path, _ in found:
        if path[:1] == ("steps",) and len(path) > 1:
            keys = broken.setdefault(int(path[1]), set())
            keys.update(str(key) for key in path[2:3])
    return broken
