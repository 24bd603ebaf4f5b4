"""What of a notebook is its work: the cells as they are written, not what a run of them left. Pure.

The form of notebooks: https://nbformat.readthedocs.io/en/latest/format_description.html
"""

import json
from typing import Any

SUFFIX = ".ipynb"
OF_RUNS = frozenset(
    {"ExecuteTime", "collapsed", "execution", "language_info", "papermill", "scrolled", "widgets"}
)
"""Metadata, of cells and of the notebook, that a run or a look at it writes."""


def same_work(one: str, other: str) -> bool:
    """True if two texts of notebooks differ in outputs, ids, counts and notes of runs alone.

    False for a text that is no notebook.
    """
    try:
        return _work(one) == _work(other)
    except (ValueError, TypeError, KeyError, AttributeError):
        return False


def _work(text: str) -> tuple[Any, ...]:
    notebook = json.loads(text)
    cells = [
        (cell["cell_type"], "".join(cell["source"]), _kept(cell), cell.get("attachments"))
        for cell in notebook["cells"]
    ]
    return cells, _kept(notebook)


def _kept(part: dict[str, Any]) -> dict[str, Any]:
    metadata = part.get("metadata", {})
    return {name: value for name, value in metadata.items() if name not in OF_RUNS}
