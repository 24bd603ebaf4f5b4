"""A property: whatever the histories, the changed paths are those in which two trees differ."""

import os
import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.repo.git import Git, History, Remote, open_git
from tests.support.random_cases import cases
from tests.support.repository import Repo

NAMES = (
    *(b"a", b"b", b"dir", b"dir/c", b"dir/sub/d", b"a b", b"tab\t", b"new\nline", b'"quoted"'),
    *(b"-dash", b"[glob]*", b"trail ", b"latin\xe9.csv", "数据.csv".encode(), b"A", b":(top)x"),
)
KINDS = (b"100644", b"100755", b"120000", b"160000")
files = st.dictionaries(
    st.sampled_from(NAMES), st.tuples(st.sampled_from(KINDS), st.binary(max_size=2)), max_size=6
)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[dict[bytes, tuple[bytes, bytes]], list[int]]]:
    """Commits: each its files, and the numbers of its parents among those before."""
    count = draw(st.integers(2, 7))
    return [
        (draw(files), draw(st.lists(st.integers(0, n - 1), max_size=2, unique=True)) if n else [])
        for n in range(count)
    ]


def build(root: Path, history: list[tuple[dict[bytes, tuple[bytes, bytes]], list[int]]]) -> Git:
    """Write the history with `git fast-import`, which takes any name; a branch for each commit."""
    subprocess.run(["git", "init", "-q", "--bare", str(root)], check=True)
    stream = []
    for n, (tree, parents) in enumerate(history):
        stream.append(b"commit refs/heads/c%d\nmark :%d\n" % (n, n + 1))
        stream.append(b"committer A <a@example.invalid> %d +0000\ndata 1\nc\n" % (10**9 + n))
        for index, parent in enumerate(parents):
            stream.append(b"%s :%d\n" % (b"merge" if index else b"from", parent + 1))
        stream.append(b"deleteall\n")
        for name, (mode, content) in clean(tree).items():
            quoted = name.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
            if mode == b"160000":
                stream.append(b'M 160000 %040d "%s"\n' % (int.from_bytes(content) + 1, quoted))
            else:
                stream.append(b'M %s inline "%s"\ndata %d\n' % (mode, quoted, len(content)))
                stream.append(content + b"\n")
    subprocess.run(
        ["git", "fast-import", "--quiet", "--force"], cwd=root, input=b"".join(stream), check=True
    )
    tree_of = root.parent / "tree"
    subprocess.run(["git", "init", "-q", str(tree_of)], check=True)
    alternates = tree_of / ".git/objects/info/alternates"
    alternates.write_bytes(os.fsencode(root / "objects") + b"\n")
    git = open_git(tree_of)
    assert git is not None
    return git


def clean(tree: dict[bytes, tuple[bytes, bytes]]) -> dict[bytes, tuple[bytes, bytes]]:
    """No file where another one needs a directory."""
    return {
        name: value
        for name, value in tree.items()
        if not any(other.startswith(name + b"/") for other in tree)
    }


def listing(root: Path, commit: str) -> dict[str, bytes]:
    """All paths of a commit, each with mode and id, as `git ls-tree` lists them."""
    words = ["git", "ls-tree", "-r", "-z", "--full-tree", commit]
    raw = subprocess.run(words, cwd=root, check=True, capture_output=True).stdout
    records = (record.partition(b"\t") for record in raw.split(b"\0") if record)
    return {os.fsdecode(path): meta for meta, _, path in records}


@cases(40)
@given(history=histories(), pair=st.tuples(st.integers(0, 6), st.integers(0, 6)))
def test_the_changed_paths_are_those_in_which_two_listings_differ(
    tmp_path_factory: object,
    history: list[tuple[dict[bytes, tuple[bytes, bytes]], list[int]]],
    pair: tuple[int, int],
) -> None:
    place = tmp_path_factory.mktemp("history")  # type: ignore[attr-defined]
    git = build(place / "bare", history)
    ids = [Repo(place / "bare").git("rev-parse", f"c{n}") for n in range(len(history))]
    base, head = (ids[number % len(ids)] for number in pair)
    before, after = listing(place / "bare", base), listing(place / "bare", head)
    expected = {
        path: "added" if path not in before else "deleted" if path not in after else "modified"
        for path in before.keys() | after.keys()
        if before.get(path) != after.get(path)
    }
    found = {d.path: d.change for d in git.commits.changed(base, head)}
    assert found == expected
    # The same from a clone that has the head alone, and gets the base from the server.
    shallow = Repo(place / "shallow")
    subprocess.run(["git", "init", "-q", str(shallow.root)], check=True)
    bare = Repo(place / "bare")
    for name in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        bare.git("config", name, "true")
    shallow.git("fetch", "-q", "--depth=1", f"file://{bare.root}", head)
    there = open_git(shallow.root)
    assert there is not None
    asked = History(there, Remote(f"file://{bare.root}"))
    assert asked.fetch_commits(base), asked.problem
    assert {d.path: d.change for d in asked.changed(base, head)} == expected
