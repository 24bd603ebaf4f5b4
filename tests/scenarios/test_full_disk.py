"""Disks that are full or read-only: below the cache, below mlpipe's own files, below the work tree.

Real file systems in memory, which only root may mount; elsewhere these tests are skipped.
"""

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.random_repo import call
from tests.support.reference_model import snapshot
from tests.support.repository import Repo

PAGE = 4096
SIZE = 512 * 1024
WORKFLOW = """
steps:
  - name: make
    run: mkdir -p parts; for i in 1 2 3; do cat seed.txt > parts/$i; echo $i >> parts/$i; done
    inputs: [seed.txt]
    outputs: [parts/]
  - name: join
    run: cat parts/* > joined; head -c 20000 /dev/zero >> joined
    inputs: [parts/]
    outputs: [joined]
"""


class Disk:
    """A file system of SIZE bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def filler(self) -> Path:
        return self.path / "filler"

    def fill(self, left: int = 0) -> None:
        """Leave so many pages."""
        self.free()
        with self.filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(PAGE))
            except OSError as error:
                assert error.errno == errno.ENOSPC  # noqa: PT017 - it is how the loop ends
            file.truncate(max(0, file.tell() - left * PAGE))

    def free(self) -> None:
        self.filler.unlink(missing_ok=True)

    def read_only(self, *, on: bool = True) -> None:
        how = f"remount,{'ro' if on else 'rw'}"
        subprocess.run(["mount", "-o", how, self.path], check=True)


@pytest.fixture
def mount() -> Iterator[Callable[[Path], Disk]]:
    """Mount a disk at a directory, which is made."""
    places: list[Path] = []

    def make(path: Path) -> Disk:
        path.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"no file system can be mounted: {done.stderr.strip()}")
        places.append(path)
        return Disk(path)

    yield make
    for place in reversed(places):
        subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def ready(repo: Repo) -> Repo:
    files = {"mlpipe.yml": WORKFLOW, ".gitignore": "parts/\njoined\n", "seed.txt": "0\n"}
    repo.commit(dict(files))
    return repo


def wanted(seed: str) -> dict[str, bytes]:
    parts = {f"parts/{i}": f"{seed}\n{i}\n".encode() for i in (1, 2, 3)}
    return parts | {"joined": b"".join(parts.values()) + bytes(20_000)}


def outputs(root: Path) -> dict[str, bytes]:
    found = {path: content for path, (_, content) in snapshot(root).items()}
    return {p: c for p, c in found.items() if p == "joined" or p.startswith("parts/")}


def run(repo: Repo) -> str:
    """Run; it must succeed. Returns all that it says."""
    code, out, err = call(repo.root, "run")
    assert code == 0, out + err
    return out + err


def cache() -> Path:
    return Path(os.environ["MLPIPE_CACHE_DIR"])


def forget(repo: Repo) -> None:
    shutil.rmtree(repo.root / "parts", ignore_errors=True)
    (repo.root / "joined").unlink(missing_ok=True)


@pytest.mark.parametrize("left", range(14))
def test_a_cache_on_a_full_disk(ready: Repo, mount: Callable[[Path], Disk], left: int) -> None:
    """With so many pages free the disk is full at another write each time."""
    disk = mount(cache())
    disk.fill(left)
    printed = run(ready)
    assert outputs(ready.root) == wanted("0")
    assert "the result was not stored: No space left on device" in printed or left > 8
    forget(ready)
    run(ready)
    assert outputs(ready.root) == wanted("0")
    assert call(ready.root, "cache", "verify")[0] == 0
    disk.free()
    run(ready)
    forget(ready)
    assert '"status": "succeeded"' not in run(ready), "now it is stored"
    assert outputs(ready.root) == wanted("0")
    assert list((cache() / "v1/tmp").iterdir()) == []


def test_a_read_only_cache(ready: Repo, mount: Callable[[Path], Disk]) -> None:
    disk = mount(cache())
    run(ready)
    forget(ready)
    disk.read_only()
    assert '"status": "succeeded"' not in run(ready), "what is there is restored"
    assert outputs(ready.root) == wanted("0")
    ready.write({"seed.txt": "1\n"})
    assert "the result was not stored: Read-only file system" in run(ready)
    assert outputs(ready.root) == wanted("1")
    for action in ("status", "verify"):
        assert call(ready.root, "cache", action)[0] == 0


def test_an_empty_read_only_cache(ready: Repo, mount: Callable[[Path], Disk]) -> None:
    mount(cache()).read_only()
    for seed in ("0", "1"):
        ready.write({"seed.txt": f"{seed}\n"})
        assert "the result was not stored: Read-only file system" in run(ready)
        assert outputs(ready.root) == wanted(seed)


def own(repo: Repo, disk: Disk) -> None:
    """A run of a changed input where mlpipe's own files cannot be written."""
    before = outputs(repo.root)
    repo.write({"seed.txt": "1\n"})
    code, out, err = call(repo.root, "run")
    if code == 0:
        assert outputs(repo.root) == wanted("1")
    else:
        assert code == 2, out + err
        assert "No space left on device" in out + err or "Read-only file" in out + err
        found, new = outputs(repo.root), wanted("1")
        for name in ("parts/", "joined"):  # the first may have been made anew
            mine = [
                {p: c for p, c in f.items() if p.startswith(name)} for f in (found, before, new)
            ]
            assert mine[0] in mine[1:], "nothing is lost"


@pytest.mark.parametrize("left", range(0, 20, 2))
def test_own_files_on_a_full_disk(ready: Repo, mount: Callable[[Path], Disk], left: int) -> None:
    disk = mount(ready.root / ".git/mlpipe")
    run(ready)
    disk.fill(left)
    own(ready, disk)
    disk.free()
    run(ready)
    assert outputs(ready.root) == wanted("1")


@pytest.mark.parametrize("empty", [True, False])
def test_own_files_on_a_read_only_disk(
    ready: Repo, mount: Callable[[Path], Disk], *, empty: bool
) -> None:
    disk = mount(ready.root / ".git/mlpipe")
    if not empty:
        run(ready)
    disk.read_only()
    own(ready, disk)
    disk.read_only(on=False)
    run(ready)
    assert outputs(ready.root) == wanted("1")


@pytest.mark.parametrize("left", range(0, 24, 2))
def test_a_work_tree_on_a_full_disk(
    ready: Repo, mount: Callable[[Path], Disk], tmp_path: Path, left: int
) -> None:
    run(ready)
    disk = mount(tmp_path / "small")
    ready.git("clone", "-q", str(ready.root), str(disk.path / "clone"))
    small = Repo(disk.path / "clone")
    run(small)
    small.write({"parts/1": "by hand\n", "parts/mine": "by hand too\n", "joined": "by hand\n"})
    disk.fill(left)
    code, out, err = call(small.root, "run")
    if code == 0:
        assert outputs(small.root) == wanted("0")
    else:
        assert code == 2, out + err
        assert "No space left on device" in out + err
        assert len(outputs(small.root)) >= 4, "nothing is lost"
    disk.free()
    run(small)
    assert outputs(small.root) == wanted("0")
    kept = list((small.root / ".git/mlpipe/aside/replaced").rglob("mine"))
    assert [path.read_text() for path in kept] == ["by hand too\n"]
