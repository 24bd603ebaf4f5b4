"""State by its mark, and as it is declared."""

import pytest

from mlpipe_ci.core.state_paths import is_remade, is_state, state_top

JOBLIB = "cache/joblib/__main__--w/f"


@pytest.mark.parametrize(
    "path",
    [
        *(
            "mlruns",
            "mlruns/0/meta.yaml",
            "exp/mlruns/1/x/metrics/loss",
            "mlflow.db",
            "a/mlflow.db",
        ),
        *("wandb/run-20250101_1-a/logs/debug.log", "lightning_logs/version_3/hparams.yaml"),
        *(
            "tb/events.out.tfevents.1700000000.host.1.0",
            ".dvc/cache/files/md5/ab/cd",
            ".dvc/tmp/lock",
        ),
        *(f"{JOBLIB}/func_code.py", f"{JOBLIB}/0123456789abcdef0123456789abcdef/output.pkl"),
    ],
)
def test_the_memory_of_known_tools_is_state(path: str) -> None:
    assert is_state(path)


@pytest.mark.parametrize(
    "path",
    [
        *("mlruns.csv", "my_mlruns/x", "data/mlflow.db.txt", "wandb.py", "src/wandb_tools/a.py"),
        *(
            "events.csv",
            ".dvc/config",
            "data.dvc",
            "joblib/model.pkl",
            "out/joblib.pkl",
            "model.pt",
        ),
    ],
)
def test_what_only_sounds_like_it_is_none(path: str) -> None:
    assert not is_state(path)


def test_what_is_declared_is_state() -> None:
    patterns = ("study.db", "history/", "runs/*/log")
    assert all(is_state(one, patterns) for one in ("study.db", "history/a/b", "runs/1/log"))
    assert not any(is_state(one, patterns) for one in ("study.db2", "x/study.db", "runs/1/model"))


def test_where_state_begins() -> None:
    assert state_top("a/mlruns/1/auc") == "a/mlruns"
    assert state_top("history/a/b", ("history/",)) == "history"
    assert state_top("runs/1/log", ("runs/*/log",)) == "runs/1/log"


def test_what_a_step_would_make_the_same() -> None:
    assert is_remade(f"{JOBLIB}/0123456789abcdef0123456789abcdef/output.pkl")
    assert is_remade(".dvc/cache/files/md5/ab/cd")
    assert is_remade("mlruns/0/meta.yaml")
    assert not is_remade("mlruns/0/1a2b/meta.yaml")
    assert not is_remade("lightning_logs/version_3/checkpoints/last.ckpt")
