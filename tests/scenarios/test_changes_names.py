"""What changed: names, kinds and modes of paths, scenarios 45 to 59 of the table in changes.md."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.github_runner import Hub, Plan, payload
from tests.support.repository import Repo

ODD = ("café.csv", "数据.csv", "a\tb", 'q"uote', "new\nline", "-dash", "trail ", "[glob]*.csv")


def pushed(hub: Hub, job: Path, before: str, *options: str) -> Plan:
    """Push what is committed at the desk, and plan it on a default checkout."""
    hub.push()
    event: dict[str, Any] = payload("push", before=before, ref="refs/heads/main", commits=[])
    return hub.clone(job, "main").plan("push", event, *options)


def head(hub: Hub) -> str:
    return hub.desk.git("rev-parse", "HEAD")


def test_odd_names(hub: Hub, tmp_path: Path) -> None:
    before = head(hub)
    hub.desk.commit(dict.fromkeys(ODD, "1"))
    plan = pushed(hub, tmp_path / "job", before)
    shown = {name.replace("\t", "\\t").replace("\n", "\\n") for name in ODD}
    assert plan.changed == dict.fromkeys(shown, "added")


def test_a_name_that_is_not_utf8(hub: Hub, tmp_path: Path) -> None:
    before = head(hub)
    (hub.desk.root / os.fsdecode(b"data/latin\xe9.csv")).write_text("1")
    hub.desk.commit({"data/b.csv": "1"})
    plan = pushed(hub, tmp_path / "job", before)
    assert plan.changed == {"data/latin\\xe9.csv": "added", "data/b.csv": "added"}
    assert any(reason.startswith("data/latin\\xe9.csv added") for reason in plan.reasons("data"))


def test_two_spellings_of_one_name(hub: Hub, tmp_path: Path) -> None:
    composed, decomposed = "data/é.csv", "data/e\u0301.csv"
    before = head(hub)
    step = f"{{name: read, run: 'true', inputs: ['{composed}'], outputs: []}}"
    hub.desk.commit({decomposed: "1", "mlpipe.yml": f"steps: [{step}]"})
    hub.push()
    job = hub.clone(tmp_path / "job", "main")
    event = payload("push", before=before)
    done = job.mlpipe("plan", code=2, **job.env("push", event))
    assert "missing" in done.stderr, "names are compared byte by byte"
    warned = job.mlpipe("validate").stderr
    assert "is written with other Unicode characters" in warned
    assert "NFC" in warned


def test_a_rename_is_two_changes(hub: Hub, tmp_path: Path) -> None:
    before = head(hub)
    hub.desk.git("mv", "data/a.csv", "data/z.csv")
    hub.desk.commit()
    plan = pushed(hub, tmp_path / "job", before)
    assert plan.changed == {"data/a.csv": "deleted", "data/z.csv": "added"}
    assert [r.split(" (")[0] for r in plan.reasons("data")] == [
        "data/a.csv removed",
        "data/z.csv added",
    ]


def test_a_rename_of_case_alone(hub: Hub, tmp_path: Path) -> None:
    hub.desk.commit({"Readme.md": "1"})
    before = head(hub)
    hub.desk.git("mv", "Readme.md", "README.md")
    hub.desk.commit()
    assert pushed(hub, tmp_path / "job", before).changed == {
        "Readme.md": "deleted",
        "README.md": "added",
    }


def test_a_deleted_input_stops_the_run(hub: Hub, tmp_path: Path) -> None:
    before = head(hub)
    hub.desk.git("rm", "-q", "data/a.csv")
    hub.desk.commit()
    hub.push()
    job = hub.clone(tmp_path / "job", "main")
    event = payload("push", before=before)
    for command in ("plan", "run"):
        done = job.mlpipe(command, code=2, **job.env("push", event))
        assert "step 'data': input 'data/' is missing" in done.stderr


def test_a_file_that_became_a_link(hub: Hub, tmp_path: Path) -> None:
    before = head(hub)
    (hub.desk.root / "data/a.csv").unlink()
    (hub.desk.root / "data/a.csv").symlink_to("../docs/a.md")
    hub.desk.commit()
    plan = pushed(hub, tmp_path / "job", before)
    assert plan.changed == {"data/a.csv": "modified"}


def test_a_link_that_leads_elsewhere(hub: Hub, tmp_path: Path) -> None:
    hub.desk.write({"store/one.csv": "1", "store/two.csv": "2"})
    (hub.desk.root / "data/link.csv").symlink_to("../store/one.csv")
    before = hub.desk.commit()
    hub.push()
    job = hub.clone(tmp_path / "first", "main")
    job.mlpipe("run")
    hub.desk.commit({"store/one.csv": "changed behind the link"})
    plan = pushed(hub, tmp_path / "second", before)
    assert plan.actions["data"] == "run"
    (hub.desk.root / "data/link.csv").unlink()
    (hub.desk.root / "data/link.csv").symlink_to("/etc/hostname")
    hub.desk.commit()
    hub.push()
    out = hub.clone(tmp_path / "out", "main").mlpipe("plan", code=2)
    assert "out of the repository" in out.stderr


def test_a_directory_that_became_a_file(hub: Hub, tmp_path: Path) -> None:
    hub.desk.commit({"d/x": "1"})
    before = head(hub)
    (hub.desk.root / "d/x").unlink()
    (hub.desk.root / "d").rmdir()
    hub.desk.commit({"d": "a file"})
    plan = pushed(hub, tmp_path / "job", before)
    assert plan.changed == {"d": "added", "d/x": "deleted"}


def test_a_changed_mode(hub: Hub, tmp_path: Path) -> None:
    hub.desk.commit({"data/tool.sh": "1"})
    before = head(hub)
    hub.push()
    job = hub.clone(tmp_path / "first", "main")
    event = payload("push", before=before)
    job.mlpipe("run", **job.env("push", event))
    (job.root / "data/a.csv").chmod(0o600)
    assert job.plan("push", event).actions["data"] == "reuse", "what is no program does not count"
    (hub.desk.root / "data/tool.sh").chmod(0o755)
    hub.desk.commit()
    plan = pushed(hub, tmp_path / "job", before)
    assert plan.changed == {"data/tool.sh": "modified"}
    assert plan.actions == {"data": "run", "docs": "reuse"}


SUBMODULE = """
steps:
  - {name: all, run: ls lib, inputs: [lib], outputs: []}
  - {name: below, run: ls lib/src, inputs: ["lib/src/*.py"], outputs: []}
  - {name: other, run: 'true', inputs: [docs/], outputs: []}
"""


@pytest.fixture
def library(hub: Hub, tmp_path: Path) -> Repo:
    """A submodule `lib` of the repository; served as o/lib."""
    made = Repo(tmp_path / "library")
    made.root.mkdir()
    made.git("init", "-q", "-b", "main")
    made.commit({"src/a.py": "1"})
    bare = hub.server.root / "o" / "lib"
    subprocess.run(["git", "clone", "-q", "--bare", made.root, bare], check=True)
    made.git("remote", "add", "origin", str(bare))
    hub.desk.git("submodule", "--quiet", "add", f"{hub.server.url}/o/lib", "lib")
    hub.desk.commit({"mlpipe.yml": SUBMODULE})
    return made


def bump(hub: Hub, library: Repo) -> str:
    before = head(hub)
    library.commit({"src/a.py": "2"})
    library.git("push", "-q", "origin", "main")
    lib = Repo(hub.desk.root / "lib")
    lib.git("pull", "-q", "origin", "main")
    hub.desk.commit(message="Newer library")
    return before


def test_a_submodule_that_moved_on(hub: Hub, library: Repo, tmp_path: Path) -> None:
    before = bump(hub, library)
    hub.push()
    job = hub.clone(tmp_path / "job", "main")
    job.git("submodule", "--quiet", "update", "--init")
    event = payload("push", before=before, commits=[])
    plan = job.plan("push", event)
    assert plan.changed == {"lib": "modified"}
    assert plan.reasons("all") == ["lib changed"]
    assert plan.reasons("below") == ["lib changed"]
    assert plan.reasons("other") == ["no result yet"]
    assert "3 ran" in job.mlpipe("run").stdout
    assert "3 reused" in job.mlpipe("run").stdout


def test_a_submodule_that_is_not_here(hub: Hub, library: Repo, tmp_path: Path) -> None:
    only = "steps: [{name: all, run: ls lib, inputs: [lib], outputs: []}]"
    hub.desk.commit({"mlpipe.yml": only})
    before = bump(hub, library)
    plan = pushed(hub, tmp_path / "job", before)
    assert plan.changed == {"lib": "modified"}
    assert plan.actions == {"all": "run"}
    job = Repo(tmp_path / "job")
    assert "1 ran" in job.mlpipe("run").stdout
    older = hub.clone(tmp_path / "older", before)
    assert "run" in older.mlpipe("plan").stdout, "its commit counts, though no file of it is here"
    hub.desk.commit({"mlpipe.yml": SUBMODULE})
    hub.push()
    done = hub.clone(tmp_path / "below", "main").mlpipe("plan", code=2)
    assert "the submodule lib is not here: git submodule update --init lib" in done.stderr


def test_a_large_file_by_its_pointer(hub: Hub, tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12\n"
    hub.desk.commit({"data/a.csv": pointer.format("1" * 64)})
    before = head(hub)
    hub.desk.commit({"data/a.csv": pointer.format("2" * 64)})
    plan = pushed(hub, tmp_path / "job", before)
    assert plan.changed == {"data/a.csv": "modified"}
    done = Repo(tmp_path / "job").mlpipe("run", code=2)
    assert "input 'data/a.csv' is a Git LFS pointer" in done.stdout


DVC = "outs:\n- md5: {0}\n  size: 1\n  hash: md5\n  path: raw.csv\n"
LOCK = """
schema: '2.0'
stages:
  prepare:
    cmd: python prepare.py
    deps: [{{path: data/raw.csv, md5: {0}}}]
    outs: [{{path: model/out.bin, md5: {0}}}, {{path: model/same.bin, md5: same}}]
"""


def test_a_pointer_of_dvc(hub: Hub, tmp_path: Path) -> None:
    files = {"data/raw.csv.dvc": DVC.format("1"), "dvc.lock": LOCK.format("1")}
    step = "{name: model, run: cat model/*, inputs: [model/, data/raw.csv], outputs: []}"
    hub.desk.commit({**files, "mlpipe.yml": f"steps: [{step}]", ".gitignore": "raw.csv\n*.bin\n"})
    before = head(hub)
    hub.desk.commit({"data/raw.csv.dvc": DVC.format("2"), "dvc.lock": LOCK.format("2")})
    hub.push()
    event = payload("push", before=before, commits=[])
    for depth in (1, 0):
        job = hub.clone(tmp_path / f"depth-{depth}", "main", depth=depth)
        job.write({"model/out.bin": "2", "data/raw.csv": "2"})
        plan = job.plan("push", event)
        moved = {c["path"]: c["pointer"] for c in plan.told["changed"] if "pointer" in c}
        assert moved.items() >= {
            ("data/raw.csv", "data/raw.csv.dvc"),
            ("model/out.bin", "dvc.lock"),
        }
        assert "data/raw.csv changed (says data/raw.csv.dvc)" in plan.reasons("model")
    assert "model/same.bin" not in moved, "with all of history here"


def test_line_ends_are_those_of_git(hub: Hub, tmp_path: Path) -> None:
    hub.desk.commit({".gitattributes": "*.csv text eol=crlf\n", "data/a.csv": "1\r\n2\r\n"})
    hub.push()
    job = hub.clone(tmp_path / "job", "main")
    job.mlpipe("run")
    assert b"\r\n" in (job.root / "data/a.csv").read_bytes()
    (job.root / "data/a.csv").write_bytes(b"1\n2\n")
    assert "reuse" in job.mlpipe("plan").stdout.splitlines()[0]
