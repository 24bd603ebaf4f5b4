"""Logs of runs: old ones and large ones are removed."""

from pathlib import Path

import pytest

from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.run import Run
from mlpipe_ci.core.workflow import Workflow
from mlpipe_ci.run import run_log as module
from mlpipe_ci.run.run_log import RunLog


def test_old_runs_and_large_logs_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RUNS", 4)
    monkeypatch.setattr(module, "MOST_BYTES", 250)
    runs = RunLog(tmp_path / "runs")
    run = Run(
        workflow=Workflow(name="w", file="w.yml", steps=()),
        comparison=Comparison(),
        outcomes=(),
        seconds=1.0,
    )
    for _ in range(6):
        path, record = runs.begin("w.yml")
        (path / "s.log").write_bytes(b"x" * 100)
        runs.end(record, run)
    assert runs.numbers() == [3, 4, 5, 6]
    runs.begin("w.yml")
    assert [runs.log(number, "s").exists() for number in runs.numbers()] == [
        False,
        True,
        True,
        False,
    ]
    found = runs.record(6)
    assert found
    assert (found.number, found.result, found.file) == (6, "success", "w.yml")
    for text in ("", "{}", "[]", '{"version": 9}', '{"version": 1, "steps": [1]}'):
        (runs.directory_of(6) / "run.json").write_text(text)
        assert runs.record(6) is None
