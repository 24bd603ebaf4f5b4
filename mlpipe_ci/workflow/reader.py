"""Reads a workflow file from its text: a `Workflow`, or all its faults with their lines."""

from pathlib import Path

from mlpipe_ci.core.errors import Fault, MlpipeError, WorkflowError
from mlpipe_ci.core.workflow import CacheSettings, Workflow
from mlpipe_ci.core.yaml.parse import LEAST, MAX_BYTES, Document, Spot, YamlError, parse
from mlpipe_ci.workflow import rules
from mlpipe_ci.workflow.header import Head
from mlpipe_ci.workflow.schema_errors import Place, schema_spots
from mlpipe_ci.workflow.steps import StepReader
from mlpipe_ci.workflow.workflow_file import Source


def read(source: Source) -> Workflow:
    """Read a workflow file. Raises WorkflowError, MlpipeError; UsageError for `--set`."""
    text = _read(source.path, source.shown)
    try:
        document = parse(text)
    except YamlError as error:
        raise WorkflowError(_faults(source, text, error.spots)) from error
    spots: list[Spot] = []
    workflow = _workflow(source, document, spots)
    if workflow is None or spots:
        raise WorkflowError(_faults(source, text, tuple(spots)))
    return workflow


def _read(path: Path, shown: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            size = path.stat().st_size / 1e6
            message = f"the file has {size:.1f} MB; a workflow has at most 4 MiB"
            raise WorkflowError((Fault(file=shown, line=1, column=1, message=message),))
        return data.decode("utf-8-sig")
    except FileNotFoundError as error:
        text = f"{shown}: there is no such file. Write one at the root of the repository; at least"
        raise MlpipeError(f"{text}:\n{LEAST}\n(or name another with --file)") from error
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        message = "not UTF-8; save the file with that encoding"
        raise WorkflowError(
            (Fault(file=shown, line=line, column=column, message=message),)
        ) from error
    except OSError as error:
        raise MlpipeError(f"{shown}: cannot be read: {error.strerror}") from error


def _faults(source: Source, text: str, spots: tuple[Spot, ...]) -> tuple[Fault, ...]:
    lines = text.split("\n")
    return tuple(
        Fault(
            file=source.shown,
            line=spot.line,
            column=spot.column,
            message=spot.message,
            rule=spot.rule,
            level=spot.level,
            source=lines[spot.line - 1].rstrip("\r") if spot.line <= len(lines) else "",
        )
        for spot in spots
    )


def _workflow(source: Source, document: Document, spots: list[Spot]) -> Workflow | None:
    """The workflow, as far as it can be read: what is wrong is added to `spots`."""
    found = list(schema_spots(document))
    spots += [spot for _, spot in found]
    value = document.value
    if not isinstance(value, dict) or not isinstance(value.get("steps"), list):
        return None
    outer = Head(document, source.root, source.github, source.settings).read(_keys(found), spots)
    reader = StepReader(document, outer, _keys_of_steps(found), source.files)
    steps = reader.steps()
    spots += reader.spots
    spots += rules.faults(steps, reader.ids, outer.params_files, reader.items, document.place)
    return Workflow(
        name=value.get("name", source.name),
        file=source.shown,
        steps=steps,
        params=outer.params,
        params_files=outer.params_files,
        items=tuple(reader.items),
        tracing=value.get("tracing", "auto"),
        cache=CacheSettings(**value.get("cache", {})) if not spots else CacheSettings(),
    )


def _keys(found: list[tuple[Place, Spot]]) -> set[str | int]:
    """Keys of the file in which the schema has found a fault."""
    return {path[0] for path, _ in found if path}


def _keys_of_steps(found: list[tuple[Place, Spot]]) -> dict[int, set[str]]:
    """By number of the entry in `steps`: its keys in which the schema has found a fault."""
    broken: dict[int, set[str]] = {}
    for path, _ in found:
        if path[:1] == ("steps",) and len(path) > 1:
            keys = broken.setdefault(int(path[1]), set())
            keys.update(str(key) for key in path[2:3])
    return broken
