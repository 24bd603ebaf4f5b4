"""The contexts `matrix` and `each` of a step, for expressions. Pure."""

import posixpath
from typing import Any

from mlpipe_ci.core.workflow import StepInstance

FACTS = ("path", "name", "stem", "dir")
"""What `each` says of an item: `data/a.csv`, `a.csv`, `a`, `data`."""


def facts(path: str) -> dict[str, str]:
    """The values of the context `each` for one item."""
    name = posixpath.basename(path)
    stem = posixpath.splitext(name)[0]
    return dict(zip(FACTS, (path, name, stem, posixpath.dirname(path) or "."), strict=True))


def own_contexts(instance: StepInstance | None) -> dict[str, Any]:
    """The contexts `matrix` and `each` of one step."""
    if instance is None:
        return {"matrix": {}, "each": {}}
    item = facts(instance.each) if instance.each else {}
    return {"matrix": dict(instance.values), "each": item}
