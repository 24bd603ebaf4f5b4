"""GitHub's cache carries results from run to run: act's real cache server, GitHub's own client."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.act_runner import Acted, act, copy_of_the_action
from tests.support.repository import Repo
from tests.support.servers.github import Server, serve

pytestmark = [pytest.mark.act, pytest.mark.slow, pytest.mark.xdist_group("act")]
CONSUMER = """
name: ml
on: [push]
permissions: {contents: read}
jobs:
  mlpipe:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v6
      - uses: org/mlpipe@v1
"""
STEPS = """
steps:
  - {name: clean, run: cat data/* > clean.txt, inputs: [data/], outputs: [clean.txt]}
  - {name: train, run: "python train.py", inputs: [train.py, clean.txt], outputs: [model.txt]}
  - {name: score, run: "python score.py", inputs: [score.py, model.txt], outputs: [score.txt]}
"""
FILES: dict[str, str | bytes] = {
    ".github/workflows/ml.yml": CONSUMER,
    "mlpipe.yml": STEPS,
    "data/a.csv": "1\n",
    "train.py": "open('model.txt', 'w').write(open('clean.txt').read() + 'model')",
    "score.py": "open('score.txt', 'w').write('1' + open('model.txt').read())",
    ".gitignore": "*.txt\n",
}


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


class Runner:
    """A machine that is new for each job: of the job before it has what GitHub's cache has."""

    def __init__(self, repo: Repo, action: Path, server: Server) -> None:
        self.repo, self.action, self.server = repo, action, server
        self.pack = repo.root.parent / "act" / "home" / ".cache" / "mlpipe-packs"
        self.store = repo.root.parent / "act cache"

    def push(self) -> Acted:
        for path in self.repo.root.glob("*.txt"):
            path.unlink()
        payload = {"ref": "refs/heads/main", "repository": {"default_branch": "main"}}
        cache = self.repo.root.parent / "local cache"
        shutil.rmtree(cache, ignore_errors=True)
        shutil.rmtree(self.repo.root / ".git" / "mlpipe", ignore_errors=True)
        return act(
            self.repo.root,
            "push",
            payload,
            self.action,
            GITHUB_API_URL=self.server.url,
            MLPIPE_CACHE_DIR=str(cache),
        )


@pytest.fixture
def runner(repo: Repo, tmp_path: Path, server: Server) -> Runner:
    repo.git("remote", "add", "origin", "https://github.com/o/r")
    repo.commit(FILES)
    return Runner(repo, copy_of_the_action(tmp_path / "action"), server)


def test_the_next_job_executes_what_it_must_and_a_bad_pack_is_a_miss(runner: Runner) -> None:
    first = runner.push()
    assert first.code == 0, first.log
    assert "3 ran" in first.summary
    assert "Cache saved with key: mlpipe-v1-" in first.log

    runner.repo.commit({"score.py": FILES["score.py"].replace("'1'", "'2'")})  # type: ignore[arg-type]
    second = runner.push()
    assert second.code == 0, second.log
    assert "Cache restored from key: mlpipe-v1-" in second.log.replace("linux", "Linux")
    assert "1 ran · 2 reused" in second.summary
    assert not (runner.repo.root / "clean.txt").exists(), "no step that ran needs it"

    third = runner.push()
    assert "3 reused" in third.summary
    assert "Cache saved" not in third.log, "nothing new"

    blobs = [path for path in runner.store.rglob("*") if path.is_file() and path.stat().st_size]
    archives = [path for path in blobs if path.suffix != ".db" and "bolt" not in path.name]
    assert archives
    for number, path in enumerate(archives):
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] if number % 2 else b"of another kind" + data)
    fourth = runner.push()
    assert fourth.code == 0, fourth.log
    assert "3 ran" in fourth.summary
