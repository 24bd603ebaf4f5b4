"""Two texts of one notebook: the same work, or not."""

import json
from typing import Any

import pytest

from mlpipe_ci.core.notebook import same_work


def notebook(**changed: Any) -> str:
    cell = {
        "cell_type": "code",
        "id": "a1",
        "execution_count": 1,
        "metadata": {"tags": ["parameters"]},
        "outputs": [{"output_type": "stream", "name": "stdout", "text": ["1\n"]}],
        "source": ["print(1)\n", "print(2)"],
    }
    metadata = {"kernelspec": {"name": "python3"}} | changed.pop("notebook", {})
    cells = [cell | changed] * changed.pop("count", 1)
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


@pytest.mark.parametrize(
    "changed",
    [
        {"outputs": []},
        {"id": "b2", "execution_count": None},
        {"source": "print(1)\nprint(2)"},
        {"metadata": {"tags": ["parameters"], "execution": {"iopub.status.busy": "…"}}},
        {"notebook": {"language_info": {"version": "3.12.1"}, "papermill": {"duration": 3.2}}},
    ],
)
def test_what_a_run_leaves_is_no_work(changed: dict[str, Any]) -> None:
    assert same_work(notebook(), notebook(**changed))


@pytest.mark.parametrize(
    "changed",
    [
        {"source": ["print(1)\n", "print(3)"]},
        {"cell_type": "markdown"},
        {"metadata": {"tags": []}},
        {"notebook": {"kernelspec": {"name": "julia"}}},
        {"count": 2},
        {"attachments": {"a.png": {}}},
    ],
)
def test_what_a_person_writes_is(changed: dict[str, Any]) -> None:
    assert not same_work(notebook(), notebook(**changed))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"cells": [1]}', "not JSON", '{"cells": null}'])
def test_what_is_no_notebook_is_not_the_same(text: str) -> None:
    assert not same_work(text, text)
