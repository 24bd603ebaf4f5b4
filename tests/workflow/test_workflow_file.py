"""A workflow file has one name, however it is asked for."""

from pathlib import Path

import pytest

from mlpipe_ci.workflow.workflow_file import find_workflow_file


@pytest.mark.parametrize(
    ("start", "named", "shown"),
    [
        (".", None, "mlpipe.yml"),
        ("sub", None, "mlpipe.yml"),
        (".", "train.yml", "train.yml"),
        ("sub", "train.yml", "sub/train.yml"),
        ("sub", "../train.yml", "train.yml"),
        ("sub/deep", ".././../sub/x.yml", "sub/x.yml"),
        ("link", "train.yml", "sub/train.yml"),
        ("link", "../train.yml", "train.yml"),
    ],
)
def test_a_file_is_named_from_the_root(
    tmp_path: Path, start: str, named: str | None, shown: str
) -> None:
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("sub")
    file = find_workflow_file(tmp_path / start, named, tmp_path)
    assert file.shown == shown
    assert file.path == tmp_path / shown


def test_a_file_outside_of_the_root_keeps_its_path_and_a_link_its_name(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.yml").symlink_to("b.yml")
    assert find_workflow_file(root, "a.yml", root).shown == "a.yml"
    assert find_workflow_file(root, "../c.yml", root).shown == str(tmp_path / "c.yml")
