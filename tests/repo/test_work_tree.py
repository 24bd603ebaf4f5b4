"""Digests of the work tree: the kind follows from what a path is, never from its state."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.directory_listing import MOST, is_listing
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.repo.file_digest import file_digest
from mlpipe_ci.repo.git import open_git
from mlpipe_ci.repo.work_tree import WorkTree
from tests.support.repository import Repo


def tree(repo: Repo, *outputs: str) -> WorkTree:
    return WorkTree(repo.root, open_git(repo.root), outputs)


def look(repo: Repo, pattern: str, *outputs: str) -> dict[str, str]:
    return {i.path: i.digest for i in tree(repo, *outputs).inputs(pattern, "s")}


def blob(repo: Repo, path: str) -> str:
    return "git:" + repo.git("rev-parse", f"HEAD:{path}")


def test_a_clean_tracked_file_is_not_read(repo: Repo) -> None:
    repo.commit({"a.py": "x"})
    expected = blob(repo, "a.py")
    repo.git("status")  # settles the index
    (repo.root / "a.py").chmod(0o000)
    repo.git("config", "core.fileMode", "false")
    assert look(repo, "a.py") == {"a.py": expected}


def test_committing_changes_no_digest(repo: Repo) -> None:
    repo.commit({"a.py": "1"})
    repo.write({"a.py": "2", "new.py": "3"})
    edited = look(repo, ".")
    repo.git("add", "-A")
    staged = look(repo, ".")
    repo.commit()
    assert edited == staged == look(repo, ".")
    assert edited["a.py"] == blob(repo, "a.py")
    assert edited["new.py"] == blob(repo, "new.py")


def test_touching_and_cloning_change_no_digest(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"a.py": "1", "d/b.py": "2"})
    before = look(repo, ".")
    os.utime(repo.root / "a.py", (1, 1))
    assert look(repo, ".") == before
    repo.git("clone", "-q", str(repo.root), str(tmp_path / "clone"))
    assert look(Repo(tmp_path / "clone"), ".") == before


def test_ignored_files_and_outputs_have_blake3(repo: Repo) -> None:
    repo.commit({".gitignore": "*.csv\n", "out.txt": "tracked output"})
    repo.write({"data.csv": "1"})
    assert look(repo, "data.csv") == {"data.csv": f"blake3:{blake3(b'1').hexdigest()}"}
    expected = f"blake3:{blake3(b'tracked output').hexdigest()}"
    assert look(repo, "out.txt", "out.txt") == {"out.txt": expected}


def test_an_edit_with_the_same_size_and_time_is_seen(repo: Repo) -> None:
    repo.commit({".gitignore": "data.csv\n", "a.py": "1"})
    repo.write({"data.csv": "1"})
    times = (repo.root / "data.csv").stat()
    before = look(repo, "data.csv"), look(repo, "a.py")
    repo.write({"data.csv": "2", "a.py": "2"})
    os.utime(repo.root / "data.csv", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert look(repo, "data.csv") != before[0]
    assert look(repo, "a.py") != before[1]


def test_files_that_git_hides_are_read(repo: Repo) -> None:
    repo.commit({"a.py": "1"})
    repo.git("update-index", "--assume-unchanged", "a.py")
    before = look(repo, "a.py")
    repo.write({"a.py": "2"})
    assert look(repo, "a.py") != before


def test_a_directory_is_what_git_does_not_ignore(repo: Repo) -> None:
    repo.commit({".gitignore": "*.log\ncache/\n", "src/a.py": "1", "src/.hidden": "1"})
    repo.write(
        {
            "src/new.py": "1",
            "src/x.log": "1",
            "src/__pycache__/a.pyc": "1",
            "src/.ipynb_checkpoints/a": "1",
            "cache/x": "1",
        }
    )
    found = tree(repo)
    assert {i.path for i in found.inputs("src", "s")} == {"src/a.py", "src/.hidden", "src/new.py"}
    assert found.left_out("src") == ("src/x.log",)
    assert set(look(repo, "src/**")) == {"src/a.py", "src/.hidden", "src/new.py"}
    assert set(look(repo, "src/*.log")) == {"src/x.log"}
    assert set(look(repo, "cache/")) == {"cache/x"}, "an ignored directory that is named counts"


def test_outputs_in_a_directory_count_though_git_ignores_them(repo: Repo) -> None:
    repo.commit({".gitignore": "*.pkl\n", "models/README": "1"})
    repo.write({"models/a.pkl": "1", "models/b.pkl": "1"})
    assert set(look(repo, "models", "models/a.pkl")) == {"models/README", "models/a.pkl"}


def test_missing_and_empty_are_told_apart(repo: Repo) -> None:
    (repo.root / "empty").mkdir()
    found = tree(repo)
    assert found.inputs("empty", "s") == found.inputs("nothing", "s") == ()
    assert (found.exists("empty"), found.exists("nothing")) == (True, False)
    assert found.inputs("no/such/*.csv", "s") == ()


def test_the_executable_bit_counts_and_staging_it_does_not(repo: Repo) -> None:
    repo.commit({"run.sh": "x"})
    (repo.root / "run.sh").chmod(0o755)
    (unstaged,) = tree(repo).inputs("run.sh", "s")
    repo.commit()
    (committed,) = tree(repo).inputs("run.sh", "s")
    assert (
        unstaged == committed == Input(path="run.sh", digest=blob(repo, "run.sh"), executable=True)
    )


def test_a_link_counts_with_what_it_leads_to(repo: Repo) -> None:
    repo.write({"real/a": "1", "target": "1"})
    (repo.root / "link").symlink_to("target")
    (repo.root / "dir").symlink_to("real")
    repo.commit()
    assert set(look(repo, "link")) == {"link", "target"}
    assert set(look(repo, "dir")) == {"dir", "real/a"}
    assert look(repo, "link")["link"] == "link:target"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("/etc/hosts", "out of the repository"),
        ("../outside", "out of the repository"),
        ("nothing", "a link to nothing"),
        ("link", "a link to nothing"),
        (".", "lies in itself"),
    ],
)
def test_links_that_cannot_be_followed_are_refused(repo: Repo, target: str, message: str) -> None:
    (repo.root / "link").symlink_to(target)
    with pytest.raises(PathError, match=message):
        tree(repo).inputs("link", "s")


@pytest.mark.parametrize("pattern", ["data", "data/", "data/*.csv", "data/a.csv", "data/**"])
def test_no_pattern_leads_through_a_link_out_of_the_repository(repo: Repo, pattern: str) -> None:
    outside = repo.root.parent / "outside"
    outside.mkdir()
    (outside / "a.csv").write_text("1")
    (repo.root / "data").symlink_to(outside)
    with pytest.raises(PathError, match="out of the repository"):
        tree(repo).inputs(pattern, "s")


@pytest.mark.parametrize("pattern", ["data", "data/", "data/*.csv", "data/a.csv", "data/**"])
def test_every_pattern_sees_through_a_link_inside_of_it(repo: Repo, pattern: str) -> None:
    repo.write({"real/a.csv": "1"})
    (repo.root / "data").symlink_to("real")
    repo.commit()
    before = look(repo, pattern)
    repo.write({"real/a.csv": "2"})
    assert look(repo, pattern) != before


def test_links_that_lead_to_each_other_end(repo: Repo) -> None:
    repo.write({"a/x": "1", "b/y": "1"})
    (repo.root / "a/to_b").symlink_to("../b")
    (repo.root / "b/to_a").symlink_to("../a")
    assert set(look(repo, "a")) == {"a/x", "a/to_b", "b/y", "b/to_a"}


def test_a_fifo_is_refused(repo: Repo) -> None:
    os.mkfifo(repo.root / "pipe")
    with pytest.raises(PathError, match="not a file"):
        tree(repo).inputs("pipe", "s")


def test_files_in_a_submodule_are_read(repo: Repo, tmp_path: Path) -> None:
    inner = Repo(tmp_path / "inner")
    inner.root.mkdir()
    inner.git("init", "-q")
    inner.commit({"lib.py": "1"})
    repo.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner.root), "sub")
    repo.commit()
    before = look(repo, "sub")
    assert set(before) == {"sub/lib.py"}
    (repo.root / "sub/lib.py").write_text("2")
    assert look(repo, "sub") != before


def test_without_git_all_is_blake3(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (found,) = WorkTree(tmp_path, None, ()).inputs("a", "s")
    assert found.digest == file_digest(tmp_path / "a")


def test_what_a_command_wrote_is_seen_after_forget(repo: Repo) -> None:
    repo.commit({"a": "1"})
    seen = tree(repo)
    before = seen.inputs("a", "s")
    repo.write({"a": "2"})
    assert seen.inputs("a", "s") == before
    seen.forget()
    assert seen.inputs("a", "s") != before


def test_an_unreadable_directory_is_an_error_not_an_empty_one(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def denied(path: Any, *rest: Any, **named: Any) -> Any:  # nothing is unreadable for root
        if str(path).endswith("data"):
            raise PermissionError(13, "Permission denied")
        return real(path, *rest, **named)

    repo.commit({".gitignore": "data/"})
    repo.write({"data/a": "1"})
    tree(repo).inputs("data", "s")
    monkeypatch.setattr(os, "scandir", denied)
    monkeypatch.setattr(os, "open", denied)
    for pattern in ("data", "data/*"):
        with pytest.raises(PathError, match="data' cannot be read: Permission denied"):
            tree(repo).inputs(pattern, "s")


def test_a_directory_that_git_cannot_list_is_an_error(repo: Repo, tmp_path: Path) -> None:
    """Nothing is unreadable for root: a git that says so stands in for it."""
    real, fake = shutil.which("git"), tmp_path / "bin" / "git"
    warning = "warning: could not open directory 'src/locked/': Permission denied"
    fake.parent.mkdir()
    fake.write_text(
        f'#!/bin/sh\necho "$*" | grep -q status && echo "{warning}" >&2\nexec {real} "$@"\n'
    )
    fake.chmod(0o755)
    repo.commit({"src/a.py": "1", "docs/b": "1"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
        assert set(look(repo, "docs")) == {"docs/b"}
        for pattern in ("src", "."):
            with pytest.raises(PathError, match="'src/locked/' cannot be read"):
                look(repo, pattern)


def test_many_files_of_a_directory_are_one_listing(repo: Repo) -> None:
    repo.commit({".gitignore": "data/\n", "a": "1"})
    names = [f"{n:03}" for n in range(MOST + 1)]
    for top in ("data", "src"):
        repo.write({f"{top}/{name}": name for name in names})
        repo.write({f"{top}/deep/{name}": name for name in names[1:]})
    repo.git("add", "src")
    (repo.root / "src" / "007").chmod(0o755)
    for top in ("data", "src"):
        for pattern in (top, f"{top}/", f"{top}/**"):
            found = tree(repo)
            mixed = found.grouped([*found.inputs(pattern, "s")])
            (listing,) = (item for item in mixed if is_listing(item))
            assert (listing.path, len(mixed)) == (f"{top}/", 1 + MOST)
            alone = found.inputs(f"{top}/[0-9]*", "s")
            assert len(alone) == MOST + 1
            assert found.opened(listing) == tuple(sorted(alone))
            assert [item.path for item in alone if item.executable] == ["src/007"] * (top == "src")
            assert found.grouped([*alone])[0] == listing


def digest_of(repo: Repo, top: str) -> str:
    found = tree(repo)
    (listing,) = found.grouped([*found.inputs(top, "s")])
    return listing.digest


def test_a_listing_changes_with_each_of_its_files(repo: Repo) -> None:
    repo.commit({".gitignore": "data/\n", "a": "1"})
    for top in ("data", "src"):
        repo.write({f"{top}/{n:03}": "1" for n in range(MOST + 10)})
        seen = {digest_of(repo, top)}
        repo.write({f"{top}/050": "2"})
        seen.add(digest_of(repo, top))
        (repo.root / top / "051").unlink()
        seen.add(digest_of(repo, top))
        (repo.root / top / "052").rename(repo.root / top / "05x")
        seen.add(digest_of(repo, top))
        (repo.root / top / "053").chmod(0o755)
        seen.add(digest_of(repo, top))
        assert len(seen) == 5
        repo.commit()
        assert digest_of(repo, top) in seen, "a commit changes no digest"


def test_outputs_and_links_in_a_large_directory(repo: Repo) -> None:
    repo.commit({".gitignore": "data/\n", "target": "1"})
    repo.write({f"data/{n:03}": "1" for n in range(MOST + 10)})
    (repo.root / "data" / "link").symlink_to("../target")
    found = tree(repo, "data/out")
    repo.write({"data/out": "1"})
    alone = found.inputs("data", "s")
    assert {"data/link", "data/out", "target"} <= {item.path for item in alone}
    assert len(alone) == MOST + 13
    grouped = found.grouped([*alone])
    assert [item.path for item in grouped] == ["data/", "target"]
    assert {one.path for one in found.opened(grouped[0])} == {i.path for i in alone} - {"target"}
