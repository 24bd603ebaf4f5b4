"""What is no report of a run is refused with the reason, whoever wrote it."""

import json
from pathlib import Path

import pytest

from mlpipe_ci.cli.report_files import MOST, read_report
from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.report.to_json import run_json
from tests.support.sample_runs import FAILED


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "is no report of this version of mlpipe"),
        (b'{"version": 99}', "is no report of this version of mlpipe"),
        (b" " * (MOST + 1), "that is no report of mlpipe"),
        (b"\xff\xfe\xfd", "is not JSON"),
    ],
)
def test_what_is_no_report(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        read_report(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_report(tmp_path / "nowhere")


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(run_json(FAILED)), "utf-8")
    assert read_report(path) == run_json(FAILED)
