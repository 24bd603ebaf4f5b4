"""The workflow of a file: as it was read last time if nothing of it has changed, else read anew.

Reading takes 0.2 s for imports alone (YAML, JSON Schema, expressions), and 0.4 s for 1,000 steps.
"""

import io
import json
import os
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

from blake3 import blake3

from mlpipe_ci import __version__
from mlpipe_ci.core import workflow as values
from mlpipe_ci.core.errors import MlpipeError
from mlpipe_ci.core.workflow import Workflow
from mlpipe_ci.workflow.workflow_file import LoadRequest

PACKAGE = Path(__file__).parent.parent
READERS = ("workflow", "core", "core/expressions", "core/yaml")
MOST = 4 << 20
"""Bytes of a workflow file; a larger one is refused by who reads it."""
KNOWN = {
    one.__name__: one
    for one in (
        *(values.Workflow, values.Step, values.StepInstance, values.Plot, values.Gate),
        *(values.Resources, values.SecretVariable, values.CacheSettings),
        *(values.ExternalInput, values.ForEach, values.OverriddenParam),
    )
}
"""The only classes that a remembered workflow may hold: nothing else is made from a file."""


def load(request: LoadRequest) -> Workflow:
    """Read a workflow file. Raises WorkflowError, MlpipeError; UsageError for `--set`."""
    digest = _digest(request) if request.memory else None
    remembered = _remembered(request, digest) if digest else None
    if remembered is not None:
        return remembered
    from mlpipe_ci.workflow.reader import read_workflow_file  # noqa: PLC0415 - see above

    workflow = read_workflow_file(request)
    if digest and request.remember:
        _remember(request, digest, workflow)
    return workflow


def _digest(request: LoadRequest) -> str | None:
    """Of all that decides what is read, but for the params files; None if it is not known."""
    around = [
        *(__version__, request.file.shown, request.name),
        *(request.github, request.settings),
    ]
    try:
        text = json.dumps(around, sort_keys=True, default=str)
        hasher = blake3(text.encode("utf-8", "surrogatepass"))
        for path in (*(PACKAGE / name for name in READERS), PACKAGE.parent / "schema"):
            hasher.update(_state(path))
        with request.file.path.open("rb") as file:
            data = file.read(MOST + 1)
        return str(hasher.update(data).hexdigest()) if len(data) <= MOST else None
    except (OSError, ValueError):
        return None


def _state(directory: Path) -> bytes:
    """Names, sizes and times of the files of this program: it may be another one tomorrow."""
    if not directory.is_dir():
        return b""
    with os.scandir(directory) as entries:
        files = [(e.name, e.stat()) for e in entries if e.name.endswith((".py", ".json"))]
    return repr(sorted((name, s.st_size, s.st_mtime_ns) for name, s in files)).encode()


def _file(request: LoadRequest) -> Path:
    name = blake3(request.file.shown.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return (request.memory or Path()) / name


def _around(request: LoadRequest, workflow: Workflow) -> str:
    """Digest of the params files, and of the names of all items. Raises OSError, PathError."""
    hasher = blake3()
    for name in workflow.params_files:
        content = (request.file.root / name).read_bytes()
        hasher.update(f"{len(content)} ".encode()).update(content)
    for each in workflow.items:
        names = "\0".join(request.items(each))
        hasher.update(f"\0{names}\0".encode("utf-8", "surrogateescape"))
    return str(hasher.hexdigest())


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module != values.__name__ or name not in KNOWN:
            raise pickle.UnpicklingError(name)
        return KNOWN[name]


def _remembered(request: LoadRequest, digest: str) -> Workflow | None:
    try:
        with _file(request).open("rb") as file:
            if file.read(64) != digest.encode():
                return None
            around, workflow = _Unpickler(io.BytesIO(file.read())).load()
        fits = isinstance(workflow, Workflow) and around == _around(request, workflow)
        return workflow if fits else None
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is read anew
        return None


def _remember(request: LoadRequest, digest: str, workflow: Workflow) -> None:
    path = _file(request)
    temporary = path.with_name(os.urandom(8).hex())
    with suppress(OSError, pickle.PicklingError, TypeError, MlpipeError):
        record = pickle.dumps((_around(request, workflow), workflow))
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(digest.encode() + record)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
