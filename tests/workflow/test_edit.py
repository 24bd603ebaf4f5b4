"""Edits of a workflow file leave the rest of it as it is."""

import pytest

from mlpipe_ci.core.errors import PathError
from mlpipe_ci.workflow.edit import edited

FILES = {
    "block": (
        "steps:\n  - name: s  # first\n    run: x\n    inputs:\n      - a  # why\n",
        (
            "steps:\n  - name: s  # first\n    run: x\n    inputs:\n      - a  # why\n"
            "      - b/*.csv\n"
        ),
    ),
    "flow": (
        "steps: [{name: s, run: x, inputs: [a]}]",
        'steps: [{name: s, run: x, inputs: [a, "b/*.csv"]}]',
    ),
    "none": (
        "steps:\n- name: s\n  run: x # c\n",
        'steps:\n- name: s\n  run: x # c\n  inputs:\n    - "b/*.csv"\n',
    ),
    "long command": (
        "steps:\n  - name: s\n    run: |\n      x\n\n  # next\n",
        'steps:\n  - name: s\n    inputs:\n      - "b/*.csv"\n    run: |\n      x\n\n  # next\n',
    ),
    "windows": (
        "steps:\r\n  - name: s\r\n    run: x\r\n",
        'steps:\r\n  - name: s\r\n    run: x\r\n    inputs:\r\n      - "b/*.csv"\r\n',
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_an_edit_leaves_all_else(kind: str) -> None:
    before, after = FILES[kind]
    found = edited(before, {0: {"inputs": ("b/*.csv",)}})
    assert found.replace("- b/*.csv", '- "b/*.csv"') == after.replace("- b/*.csv", '- "b/*.csv"')


@pytest.mark.parametrize("text", ["steps: [{name: s, run: x, inputs: []}]", "- x", "steps: [*a]"])
def test_what_cannot_be_edited_is_refused(text: str) -> None:
    with pytest.raises(PathError, match="cannot be edited"):
        edited(text, {0: {"inputs": ("b",)}})
