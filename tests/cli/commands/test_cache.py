"""`mlpipe cache`: status, verify, gc."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from mlpipe_ci.repo.lock import hold_if_free
from tests.support.repository import Repo

FILE = """
steps:
  - {name: a, run: cat raw > a.out, inputs: [raw], outputs: [a.out]}
  - {name: b, run: cat raw raw > b.out, inputs: [raw], outputs: [b.out]}
"""
HOURS = 3600


@pytest.fixture
def store() -> Path:
    return Path(os.environ["MLPIPE_CACHE_DIR"]) / "v1"


@pytest.fixture
def ready(repo: Repo) -> Repo:
    repo.commit({"mlpipe.yml": FILE, "raw": "one\n", ".gitignore": "*.out\n"})
    repo.mlpipe("run")
    return repo


def told(repo: Repo, *arguments: str, code: int = 0) -> dict[str, int]:
    return dict(json.loads(repo.mlpipe("cache", *arguments, "--json", code=code).stdout))


def age(store: Path, hours: float, kind: str = "") -> None:
    """Make all files of the store older."""
    when = time.time() - hours * HOURS
    for path in (store / kind).rglob("*"):
        if path.is_file():
            os.utime(path, (when, when))


def files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def test_status(ready: Repo, store: Path) -> None:
    found = told(ready, "status")
    assert (found["results"], found["unfinished"]) == (2, 0)
    assert found["objects"] == len(files(store / "objects"))
    assert found["object_bytes"] == sum(p.stat().st_size for p in files(store / "objects"))
    shown = ready.mlpipe("cache", "status").stdout
    assert shown.startswith("2 results, ")
    assert str(store.parent) in shown


def test_an_empty_and_a_missing_store(repo: Repo) -> None:
    for action in ("status", "verify", "gc"):
        assert told(repo, action)["objects"] == 0


def test_every_flipped_byte_is_found(ready: Repo, store: Path) -> None:
    for kind in ("objects", "results"):
        for path in files(store / kind):
            content = path.read_bytes()
            for index in range(0, len(content), max(1, len(content) // 40)):
                path.unlink(missing_ok=True)
                flipped = bytes([content[index] ^ 1])
                path.write_bytes(content[:index] + flipped + content[index + 1 :])
                assert told(ready, "verify", code=1)["damaged"] >= 1
                assert not path.exists()
                (ready.root / "a.out").unlink(missing_ok=True)
                (ready.root / "b.out").unlink(missing_ok=True)
                ready.mlpipe("run")
                assert ready.read("a.out") == "one\n"
                assert ready.read("b.out") == "one\none\n"
                if kind == "results":
                    break  # a whole run for each: test_every_byte.py flips every byte
    assert told(ready, "verify")["damaged"] == 0


def test_a_result_that_lacks_a_content(ready: Repo, store: Path) -> None:
    files(store / "objects")[0].unlink()
    done = ready.mlpipe("cache", "verify", code=1)
    assert "a content that it needs is not there; removed" in done.stderr
    assert "damaged" in done.stdout
    assert told(ready, "verify")["damaged"] == 0
    ready.mlpipe("run")


def test_what_was_used_longest_ago_goes_first(ready: Repo, store: Path) -> None:
    age(store, 48)
    ready.write({"raw": "two\n"})
    ready.mlpipe("run")
    assert told(ready, "gc")["removed"] == 0, "all of it fits"
    age(store, 2, "objects")
    newest = max(files(store / "results"), key=lambda p: p.stat().st_mtime)
    found = told(ready, "gc", "--max-size", "1K")
    assert found["results"] == 2, "what was made within the hour stays"
    assert newest.exists()
    assert told(ready, "verify")["damaged"] == 0
    assert "2 reused" in ready.mlpipe("run").stdout
    ready.write({"raw": "one\n"})
    assert "2 ran" in ready.mlpipe("run").stdout


def test_what_is_reused_counts_as_used(ready: Repo, store: Path) -> None:
    age(store, 100 * 24)
    ready.mlpipe("run")
    assert told(ready, "gc", "--max-age", "30")["results"] == 2
    age(store, 100 * 24)
    assert told(ready, "gc", "--max-age", "30")["results"] == 0
    assert files(store / "objects") == []


def test_a_young_object_is_never_collected(ready: Repo, store: Path) -> None:
    for path in files(store / "results"):
        path.unlink()
    assert told(ready, "gc", "--max-size", "0")["removed"] == 0
    age(store, 2)
    assert told(ready, "gc", "--max-size", "0")["objects"] == 0


def mark(store: Path, hours: float) -> None:
    when = time.time() - hours * HOURS
    os.utime(store / "collected", (when, when))


def test_a_run_collects_once_a_day(ready: Repo, store: Path) -> None:
    assert (store / "collected").exists()
    age(store, 24 * 91)
    mark(store, 23)
    assert "removed from the cache" not in ready.mlpipe("run").stdout
    ready.write({"raw": "two\n"})
    age(store, 24 * 91)
    mark(store, 25)
    done = ready.mlpipe("run", "--only", "a").stdout
    assert "removed from the cache, as not used for long: " in done
    assert told(ready, "status")["results"] == 1, "what was just made stays"
    age(store, 24 * 91)
    assert "removed" not in ready.mlpipe("run").stdout, "once a day"
    assert ready.read("a.out") == "two\n"


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [("SIZE", "much", "is no size of a cache"), ("AGE", "old", "not a number of days")],
)
def test_wrong_limits_stop_no_run(
    ready: Repo, store: Path, name: str, value: str, word: str
) -> None:
    mark(store, 25)
    setting: dict[str, Any] = {f"MLPIPE_CACHE_MAX_{name}": value}
    warned = ready.mlpipe("run", **setting).stdout
    assert "warning: the cache was not tidied: " in warned
    assert word in warned
    assert word in ready.mlpipe("cache", "gc", code=2, **setting).stderr
    age(store, 48)
    removed = told(ready, "gc", "--max-size", "0", "--max-age", "0")["removed"]
    assert removed > 0, "the command line comes first"


def test_limits_come_from_the_environment(ready: Repo, store: Path) -> None:
    ready.write({"raw": "two\n"})
    age(store, 48)
    mark(store, 25)
    assert "removed" in ready.mlpipe("run", MLPIPE_CACHE_MAX_AGE="1").stdout


def test_two_do_not_collect_at_once(ready: Repo, store: Path) -> None:
    age(store, 24 * 91)
    mark(store, 25)
    with hold_if_free(store / "locks" / "gc") as held:
        assert held
        assert "removed" not in ready.mlpipe("run").stdout
