"""Proposals are lines that a person would write, and mean all that was seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.proposal import input_patterns, output_paths
from mlpipe_ci.workflow.edit import edited

NAME = st.text("ab*[é ", min_size=1, max_size=3)
PATHS = st.sets(
    st.builds(
        lambda parts, suffix: "/".join(parts) + suffix,
        st.lists(NAME, min_size=1, max_size=3),
        st.sampled_from(["", ".csv", ".py"]),
    )
)


@pytest.mark.parametrize(
    ("paths", "patterns"),
    [
        (("src/a.py",), ("src/a.py",)),
        (("data/1.csv", "data/2.csv", "data/3.csv", "data/x.txt"), ("data/*.csv", "data/x.txt")),
        (tuple(f"src/{d}/{n}.py" for d in "ab" for n in "123"), ("src/**/*.py",)),
        (("a.csv", "b.csv", "c.csv"), ("a.csv", "b.csv", "c.csv")),
        (("data/[1].csv",), ("data/[[]1].csv",)),
    ],
)
def test_files_as_patterns(paths: tuple[str, ...], patterns: tuple[str, ...]) -> None:
    assert input_patterns(paths) == patterns


@given(PATHS)
def test_each_path_is_meant_by_a_pattern(paths: set[str]) -> None:
    found = input_patterns(paths)
    for path in paths:
        assert any(matches(pattern, path) for pattern in found), (path, found)


@pytest.mark.parametrize(
    ("paths", "others", "outputs"),
    [
        (("m/a", "m/b"), (), ("m/",)),
        (("m/a", "m/b"), ("m/code.py",), ("m/a", "m/b")),
        (("m/x/a", "m/x/b", "m/y"), (), ("m/",)),
        (("model.pkl",), ("train.py",), ("model.pkl",)),
    ],
)
def test_files_as_outputs(
    paths: tuple[str, ...], others: tuple[str, ...], outputs: tuple[str, ...]
) -> None:
    assert output_paths(paths, others) == outputs


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
