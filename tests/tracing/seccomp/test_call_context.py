"""Which paths count for a supervisor, and what it keeps in mind before a file is changed."""

import os
import socket
from pathlib import Path

import pytest
from blake3 import blake3

from mlpipe_ci.tracing.access_log import READ
from mlpipe_ci.tracing.file_identity import signature_of
from mlpipe_ci.tracing.seccomp import call_context
from mlpipe_ci.tracing.seccomp.call_context import CallContext, names_in, of_system


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("/work/data.csv", True),
        ("/work/python3.11-notes.txt", True),
        ("/work/site-packages-notes", True),
        ("/work/vendor/site-packages/a.py", False),
        ("/srv/data.csv", True),
        ("/usr/local/share/data.csv", True),
        ("/usr/local/lib/python3.11/json/__init__.py", False),
        ("/usr/share/zoneinfo/UTC", False),
        ("/proc", False),
        ("/proc/1/stat", False),
        ("/dev/shm/x", False),  # noqa: S108
        ("/home/a/.venv/lib/python3.11/site-packages", False),
    ],
)
def test_what_counts(path: str, counts: bool) -> None:
    assert CallContext(b"/work", None).counts(path.encode()) == counts


def test_links_of_the_system() -> None:
    assert of_system(b"/lib")
    assert of_system(b"/usr/bin/python3")
    assert not of_system(b"/usr/local/bin/python3")
    assert not of_system(b"/usrdata")


def test_names_without_sockets_and_pipes(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "b").mkdir()
    (tmp_path / "c").symlink_to("nowhere")
    os.mkfifo(tmp_path / "d")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "e"))
    assert names_in(os.fsencode(tmp_path)) == (b"a", b"b", b"c")
    assert names_in(os.fsencode(tmp_path / "nothing")) is None


def test_the_digest_before_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("one")
    path, status = os.fsencode(tmp_path / "a"), os.lstat(tmp_path / "a")
    context = CallContext(os.fsencode(tmp_path), None)
    context.will_change(path, status, fresh=True)
    assert context.seen.before == {}, "nobody has looked at what was in it"
    context.seen.saw(path, READ)
    context.will_change(path, status, fresh=True)
    assert context.seen.before == {path: f"blake3:{blake3(b'one').hexdigest()}"}
    (tmp_path / "a").write_text("two")
    context.will_change(path, status, fresh=False)
    assert context.seen.before == {path: f"blake3:{blake3(b'one').hexdigest()}"}, "the first look"
    other = CallContext(os.fsencode(tmp_path), None)
    monkeypatch.setattr(call_context, "MOST_BEFORE", 2)
    other.will_change(path, status, fresh=False)
    assert other.seen.before == {}, "too large"


def test_the_digest_before_a_change_of_what_was_added_to(tmp_path: Path) -> None:
    """It is that of the first look: who adds, and then writes over it, has seen no more."""
    (tmp_path / "a").write_text("one")
    path, status = os.fsencode(tmp_path / "a"), os.lstat(tmp_path / "a")
    context, first = CallContext(os.fsencode(tmp_path), None), signature_of(status)
    context.seen.wrote(path, was_there=True, fresh=False, added=True, signature=first)
    (tmp_path / "a").write_text("one and more")
    context.will_change(path, os.lstat(tmp_path / "a"), fresh=False)
    assert context.seen.before == {path: f"blake3:{blake3(b'one').hexdigest()}"}
