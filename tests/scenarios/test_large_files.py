"""Git LFS with the real git-lfs: content comes only for what a step that runs reads."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.github_runner import Hub, Job, payload
from tests.support.repository import INHERITED, ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lfs")]
TOOLS = ROOT / "build" / "tools"
WORKFLOW = """
steps:
  - {name: train, run: cat data/* > out.txt, inputs: [data/], outputs: [out.txt]}
  - {name: other, run: cat more/* > more.txt, inputs: [more/], outputs: [more.txt]}
"""


@pytest.fixture(scope="module")
def git_lfs() -> Path:
    """The directory of git-lfs: the machine's own, or Debian's package unpacked in build/tools."""
    found = shutil.which("git-lfs", path=INHERITED["PATH"])
    if found:
        return Path(found).parent
    path = TOOLS / "usr" / "bin"
    if not (path / "git-lfs").exists():
        TOOLS.mkdir(parents=True, exist_ok=True)
        for words in ("apt-get download git-lfs", "sh -c 'dpkg-deb -x git-lfs_*.deb .'"):
            subprocess.run(words, cwd=TOOLS, env=INHERITED, shell=True, check=False)  # noqa: S602
    if not (path / "git-lfs").exists():
        pytest.skip("git-lfs is not on this machine, and Debian's package cannot be fetched")
    return path


@pytest.fixture
def large(hub: Hub, git_lfs: Path) -> Callable[[str, bytes], str]:
    """Commit a large file: its pointer in git, its content on the server."""
    (hub.server.root / "lfs").mkdir()

    def commit(path: str, content: bytes) -> str:
        oid = hashlib.sha256(content).hexdigest()
        (hub.server.root / "lfs" / oid).write_bytes(content)
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\n"
        return hub.desk.commit({path: f"{pointer}size {len(content)}\n"})

    return commit


def downloads(hub: Hub) -> list[str]:
    return [path.removeprefix("/lfs/") for path in hub.server.requests if "/lfs/" in path[:5]]


def test_content_comes_for_steps_that_run(
    hub: Hub, large: Callable[[str, bytes], str], git_lfs: Path, tmp_path: Path
) -> None:
    attributes = "data/*.bin filter=lfs diff=lfs merge=lfs -text\nmore/* filter=lfs -text\n"
    hub.desk.git("rm", "-q", "-r", "data")
    hub.desk.commit({".gitattributes": attributes, "mlpipe.yml": WORKFLOW})
    large("data/model.bin", b"weights " * 500)
    large("unused/big.bin", b"nobody reads this")
    sha = large("more/a,b [1].bin", b"more")
    hub.push()
    env = {"PATH": f"{git_lfs}{os.pathsep}{os.environ['PATH']}", "GITHUB_SHA": sha}
    env |= {"HOME": str(tmp_path)}
    for name, ran, fetched in (("first", "2 ran", 2), ("second", "2 reused", 0)):
        job = Job(tmp_path / name, hub.server)
        job.root.mkdir()
        hub.server.requests.clear()
        done = job.mlpipe("run", **job.env("push", payload("push")) | env)
        assert ran in done.stdout, done.stdout
        assert len(downloads(hub)) == fetched, hub.server.requests
        assert job.read("out.txt") == "weights " * 500
        assert job.read("more.txt") == "more"
        shown = job.git("-c", "core.fileMode=false", "ls-files", "-s", "data")
        assert shown.count("\n") == 0, "git has the pointer"
        assert job.read("unused/big.bin").startswith("version https://git-lfs")
    changed = large("data/model.bin", b"newer weights")
    hub.push()
    job = Job(tmp_path / "third", hub.server)
    job.root.mkdir()
    hub.server.requests.clear()
    done = job.mlpipe("run", **job.env("push", payload("push")) | env | {"GITHUB_SHA": changed})
    assert "1 ran · 1 reused" in done.stdout
    assert downloads(hub) == [hashlib.sha256(b"newer weights").hexdigest()]


def test_content_that_the_server_lost(
    hub: Hub, large: Callable[[str, bytes], str], git_lfs: Path, tmp_path: Path
) -> None:
    hub.desk.commit({".gitattributes": "data/*.bin filter=lfs -text\n"})
    sha = large("data/model.bin", b"weights")
    for content in (hub.server.root / "lfs").iterdir():
        content.write_bytes(b"damaged")
    hub.push()
    job = Job(tmp_path / "job", hub.server)
    job.root.mkdir()
    env = {"PATH": f"{git_lfs}{os.pathsep}{os.environ['PATH']}", "GITHUB_SHA": sha}
    done = job.mlpipe("run", code=2, **job.env("push", payload("push")) | env)
    assert "'data/model.bin' is a Git LFS pointer, its content is not here (git lfs:" in done.stdout
    assert "docs" in done.stdout


def test_in_a_clone_of_the_users_own(
    hub: Hub,
    large: Callable[[str, bytes], str],
    git_lfs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub.desk.git("rm", "-q", "-r", "data")
    hub.desk.commit({".gitattributes": "*.bin filter=lfs -text\n", "mlpipe.yml": WORKFLOW})
    large("data/model.bin", b"weights " * 500)
    large("more/other.bin", b"more")
    hub.push()
    env = {"PATH": f"{git_lfs}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    clone = hub.clone(tmp_path / "clone", "main")
    hub.server.requests.clear()
    assert "1 ran" in clone.mlpipe("run", "train", code=0, **env).stdout
    assert len(downloads(hub)) == 1
    assert clone.read("out.txt") == "weights " * 500
    assert clone.read("more/other.bin").startswith("version https://git-lfs")
    monkeypatch.setenv("PATH", env["PATH"])  # git may look into the file, through the filter
    assert clone.git("-c", "core.fileMode=false", "status", "--short", "data") == ""
    assert "1 reused" in clone.mlpipe("run", "train", code=0, **env).stdout
    assert len(downloads(hub)) == 1


def test_a_step_that_says_nothing_never_takes_a_pointer_for_data(
    hub: Hub, large: Callable[[str, bytes], str], tmp_path: Path
) -> None:
    silent = "steps: [{name: train, run: cat data/model.bin > out.txt}]"
    hub.desk.commit({".gitattributes": "*.bin filter=lfs -text\n", "mlpipe.yml": silent})
    large("data/model.bin", b"weights")
    hub.push()
    clone = hub.clone(tmp_path / "clone", "main")
    done = clone.mlpipe("run", code=1, MLPIPE_TRACER="notify")
    assert "it read 'data/model.bin', which is a Git LFS pointer, not the data" in done.stdout
