"""Tracers see all that a command reads and writes, and know when they do not."""

import contextlib
import os
import signal
import socket
import sqlite3
import struct
import sys
import time
from pathlib import Path

import pytest

from mlpipe_ci.run.executors.local import LocalExecutor
from mlpipe_ci.tracing import access_log as flags
from tests.support.traced_command import BOTH, Seen, is_running, job_of, watch

PLATFORM = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these tracers")
pytestmark = PLATFORM


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "work"
    path.mkdir()
    (path / "in.txt").write_text("one\n")
    (path / "sub").mkdir()
    (path / "sub/deep.txt").write_text("two\n")
    return path


def python(root: Path, text: str, tracer: str, *options: str) -> Seen:
    (root / "program.py").write_text(text)
    seen = watch(root, "python", *options, "program.py", tracer=tracer)
    assert seen.outcome.exit_code == 0, seen.output
    assert seen.trace.complete, seen.trace.why
    assert seen.trace.tracer == tracer
    return seen


SIMPLE = {
    "open": ("open('in.txt').read()", "in.txt"),
    "a subprocess": ("import subprocess; subprocess.run(['cat', 'in.txt'], check=True)", "in.txt"),
    "a shell": ("import os; os.system('cat < sub/deep.txt')", "sub/deep.txt"),
    "an empty environment": (
        "import subprocess; subprocess.run(['/usr/bin/env', '-i', '/bin/cat', 'in.txt'])",
        "in.txt",
    ),
    "mmap": (
        "import mmap\nwith open('in.txt', 'rb') as f: mmap.mmap(f.fileno(), 0, prot=1)[:]",
        "in.txt",
    ),
    "after chdir": ("import os; os.chdir('sub'); open('deep.txt').read()", "sub/deep.txt"),
    "through /proc/self/cwd": ("open('/proc/self/cwd/sub/deep.txt').read()", "sub/deep.txt"),
    "a directory's descriptor": (
        "import os; d = os.open('sub', os.O_PATH); os.open('deep.txt', os.O_RDONLY, dir_fd=d)",
        "sub/deep.txt",
    ),
    "with dots": ("open('sub/../sub/./deep.txt').read()", "sub/deep.txt"),
    "a thread": (
        (
            "import threading as t; x = t.Thread(target=lambda: open('in.txt').read());"
            "x.start(); x.join()"
        ),
        "in.txt",
    ),
    "fork": ("import os\nif os.fork() == 0: open('in.txt').read()\nelse: os.wait()", "in.txt"),
    "posix_spawn": (
        "import os; p = os.posix_spawn('/bin/cat', ['cat', 'in.txt'], {}); os.waitpid(p, 0)",
        "in.txt",
    ),
    "vfork": ("import subprocess as s; s.run(['cat', 'in.txt'], close_fds=False)", "in.txt"),
    "multiprocessing by spawn": (
        (
            "import multiprocessing as m\ndef f(p): return open(p).read()\n"
            "if __name__ == '__main__':\n"
            "    with m.get_context('spawn').Pool(2) as pool: pool.map(f, ['in.txt'])"
        ),
        "in.txt",
    ),
    "multiprocessing by fork": (
        (
            "import multiprocessing as m\ndef f(p): return open(p).read()\n"
            "with m.get_context('fork').Pool(2) as pool: pool.map(f, ['in.txt'])"
        ),
        "in.txt",
    ),
    "sqlite": (
        (
            "import sqlite3; sqlite3.connect('file:data.db?mode=ro', uri=True).execute("
            "'select * from t').fetchall()"
        ),
        "data.db",
    ),
    "a file that is removed after": (
        "import os; open('in.txt').read(); os.remove('in.txt')",
        "in.txt",
    ),
    "a link": ("open('link').read()", "sub/deep.txt"),
    "a hard link": ("open('hard').read()", "hard"),
    "through a linked directory": ("open('dir/deep.txt').read()", "sub/deep.txt"),
    "a name that is not UTF-8": (r"open(b'odd \xff <\"\n>').read()", 'odd \udcff <"\n>'),
    "execution": ("import subprocess; subprocess.run(['./script.sh'], check=True)", "script.sh"),
    "the interpreter of a script": (
        "import subprocess; subprocess.run(['./other.sh'], check=True)",
        "sub/sh",
    ),
}


@BOTH
@pytest.mark.parametrize("way", SIMPLE)
def test_a_read_is_seen(root: Path, way: str, tracer: str) -> None:
    text, wanted = SIMPLE[way]
    with contextlib.closing(sqlite3.connect(root / "data.db")) as db:
        db.execute("create table t (a)")
    (root / "link").symlink_to("sub/deep.txt")
    (root / "dir").symlink_to("sub")
    os.link(root / "in.txt", root / "hard")
    (root / os.fsdecode(b'odd \xff <"\n>')).write_text("x")
    (root / "sub/sh").write_bytes(Path("/bin/sh").read_bytes())
    (root / "script.sh").write_text("#!/bin/sh\ntrue\n")
    (root / "other.sh").write_text(f"#!{os.path.realpath(root)}/sub/sh\ntrue\n")
    for name in ("sub/sh", "script.sh", "other.sh"):
        (root / name).chmod(0o755)
    seen = python(root, text, tracer)
    assert wanted in seen.read
    assert "program.py" in seen.read


@BOTH
def test_isolated_python_is_seen(root: Path, tracer: str) -> None:
    assert "in.txt" in python(root, "open('in.txt').read()", tracer, "-I").read


@BOTH
def test_what_is_written_listed_and_missed(root: Path, tracer: str) -> None:
    text = """
import os, pathlib
open("out.txt", "w").write("1")
open("out.txt").read()
os.makedirs("made/deep", exist_ok=True)
open("made/x.tmp", "w").write("1"); os.replace("made/x.tmp", "made/x")
open("gone", "w").write("1"); os.remove("gone")
os.listdir("sub")
os.path.exists("config.yml")
open("in.txt", "a").write("more")
os.symlink("out.txt", "link")
os.link("out.txt", "second")
os.mkdir("tree.tmp"); open("tree.tmp/a", "w").write("1"); os.rename("tree.tmp", "tree")
try: open("absent.txt")
except OSError: pass
"""
    seen = python(root, text, tracer)
    assert {"out.txt", "made/x", "second", "link"} <= seen.written
    assert not {"gone", "made/x.tmp"} & seen.written
    assert "tree" in seen.having(flags.TREE)
    assert "sub" in seen.listed
    assert {"config.yml", "absent.txt"} <= seen.missed
    assert "in.txt" in seen.having(flags.APPENDED)
    assert not {"in.txt", "out.txt"} & seen.having(flags.CHANGED)
    assert "out.txt" not in seen.read


@BOTH
def test_a_walk_of_many_files(root: Path, tracer: str) -> None:
    for number in range(40):
        place = root / f"data/{number}"
        place.mkdir(parents=True)
        for name in range(50):
            (place / f"{name}.txt").write_text("x")
    text = "import os\nfor top, _, names in os.walk('data'):\n"
    text += "    for n in names: open(os.path.join(top, n)).read()"
    seen = python(root, text, tracer)
    assert len([path for path in seen.read if path.startswith("data/")]) == 2000
    assert {f"data/{number}" for number in range(40)} <= seen.listed


@BOTH
def test_exit_code_signal_output_and_environment_are_the_commands_own(
    root: Path, tracer: str
) -> None:
    for code in (0, 3, 77):
        assert watch(root, "bash", "-c", f"exit {code}", tracer=tracer).outcome.exit_code == code
    seen = watch(root, "bash", "-c", "kill -TERM $$; sleep 5", tracer=tracer)
    assert seen.outcome.exit_code == -15
    bare = {"PATH": os.environ["PATH"], "A": "é=\n"}
    command = ("bash", "-c", "printf '%s|' \"$A\"; pwd")
    texts = [watch(root, *command, tracer=way, env=bare).output for way in ("none", tracer)]
    assert texts[0] == texts[1]


def test_the_environment_of_the_command_is_not_added_to(root: Path) -> None:
    text = "import os; print(sorted(os.environb))"
    seen = [
        watch(root, "python", "-X", "utf8=0", "-c", text, tracer=one).output
        for one in ("none", "notify")
    ]
    assert seen[0] == seen[1]


@BOTH
def test_the_network_is_seen_and_a_service_of_this_machine_makes_it_incomplete(
    root: Path, tracer: str
) -> None:
    text = "import socket; s = socket.socket(); s.settimeout(0.2)\n"
    far = watch(
        root,
        "python",
        "-c",
        f"{text}try: s.connect(('192.0.2.1', 9))\nexcept OSError: pass",
        tracer=tracer,
    )
    assert far.trace.network == ("192.0.2.1",)
    assert far.trace.complete
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        near = watch(root, "python", "-c", f"{text}s.connect(('127.0.0.1', {port}))", tracer=tracer)
    assert not near.trace.complete
    assert "another process of this machine" in near.trace.why[0]
    own = """
import socket, threading
server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=server.accept, daemon=True).start()
socket.create_connection(server.getsockname())
"""
    if tracer == "notify":  # strace does not say which port the system chose
        assert watch(root, "python", "-c", own, tracer=tracer).trace.complete


@BOTH
def test_other_meanings_of_paths_make_it_incomplete(root: Path, tracer: str) -> None:
    seen = watch(root, "bash", "-c", "unshare --user --map-root-user --mount true", tracer=tracer)
    if seen.outcome.exit_code == 0:
        assert not seen.trace.complete
        assert "what paths mean" in seen.trace.why[0]
    if os.geteuid() == 0:
        path = root / "jail"
        path.mkdir()
        seen = watch(root, "python", "-c", f"import os; os.chroot('{path}')", tracer=tracer)
        assert not seen.trace.complete


def elf32(path: bytes) -> bytes:
    """A program for i386: open(path), exit(0)."""
    base = 0x08048000
    code = b"\xb8\x05\0\0\0\xbb" + struct.pack("<I", base + 84 + 31) + b"\x31\xc9\xcd\x80"
    code += b"\xb8\x01\0\0\0\x31\xdb\xcd\x80"
    code = code.ljust(31, b"\x90") + path + b"\0"
    size = 84 + len(code)
    head = (
        b"\x7fELF\1\1\1"
        + bytes(9)
        + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, base + 84, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    )
    return head + struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 5, 4096) + code


@BOTH
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="an i386 program")
def test_a_32_bit_program_makes_it_incomplete(root: Path, tracer: str) -> None:
    (root / "old").write_bytes(elf32(b"in.txt"))
    (root / "old").chmod(0o755)
    seen = watch(root, "./old", tracer=tracer)
    if seen.outcome.exit_code != 0:
        pytest.skip("this kernel runs no 32-bit programs")
    assert not seen.trace.complete
    assert "32-bit" in seen.trace.why[0]


def test_io_uring_is_not_there_for_a_watched_command(root: Path) -> None:
    call = "import ctypes; c = ctypes.CDLL(None, use_errno=True); "
    call += "print(c.syscall(425, 8, ctypes.create_string_buffer(120)), ctypes.get_errno())"
    assert watch(root, "python", "-c", call).output == "-1 38\n"


@BOTH
def test_a_list_that_only_an_import_took_is_told_from_a_programs_own(
    root: Path, tracer: str
) -> None:
    (root / "helper.py").write_text("")
    imports = "import helper, decimal" if tracer == "notify" else "import decimal"
    seen = python(root, imports, tracer)  # strace does not say that a directory has changed
    assert seen.trace.paths[str(seen.root)] & flags.IMPORTED
    for own in (
        "import os; os.listdir('.')",
        "import decimal, pathlib; list(pathlib.Path(__file__).parent.glob('*'))",
        "import pathlib, decimal; list(pathlib.Path(__file__).parent.iterdir())",
        "import os, decimal, subprocess; subprocess.run(['ls'])",
        (
            "import decimal, os\nif os.fork() == 0:\n    os.stat(os.path.dirname(__file__))\n"
            "    os.listdir(os.path.dirname(__file__))\n    import helper\nelse: os.wait()"
        ),
    ):
        seen = python(root, own, tracer)
        found = seen.trace.paths[str(seen.root)]
        assert found & flags.LISTED
        assert not found & flags.IMPORTED, own


def test_where_nothing_can_watch_the_command_runs_the_same(root: Path) -> None:
    plain = watch(root, "bash", "-c", "cat in.txt; exit 5", tracer="none")
    assert plain.outcome.exit_code == 5
    assert plain.output == "one\n"
    assert not plain.trace.complete
    assert plain.trace.why


def test_inside_of_another_listener_strace_takes_over_or_nothing(root: Path) -> None:
    """A second listener on one process is refused by the kernel with EBUSY."""
    inner = f"""
import sys; sys.path[:0] = {[p for p in sys.path if p]!r}
from pathlib import Path
from tests.support.traced_command import watch
seen = watch(Path({str(root)!r}), "bash", "-c", "cat in.txt; exit 5", tracer="auto")
print(seen.outcome.exit_code, repr(seen.output), seen.trace.tracer, seen.trace.complete)
"""
    seen = watch(root, "python", "-c", inner)
    assert seen.output.startswith("5 'one\\n'"), seen.output
    assert seen.output.split()[-2:] in (["strace", "True"], ["''", "False"], ["False"])


@BOTH
def test_what_a_command_leaves_running_is_ended(root: Path, tracer: str) -> None:
    mark = f"sleep 98{os.getpid() % 997}"
    seen = watch(root, "bash", "-c", f"setsid {mark} >/dev/null 2>&1 & exit 0", tracer=tracer)
    assert seen.outcome.exit_code == 0
    assert not is_running(mark)


@BOTH
def test_no_signal_is_lost_while_a_command_begins(root: Path, tracer: str) -> None:
    executor = LocalExecutor(lambda _, __: None)
    codes = []
    for number in range(40):
        executor.start(job_of(root, "sleep", "600", tracer=tracer))
        time.sleep(number * 0.002)
        executor.cancel("s")
        codes.append(executor.run_to_end().exit_code)
    assert not {0, -signal.SIGKILL} & set(codes), "it took the second one"


@BOTH
def test_files_that_were_opened_among_packages(root: Path, tracer: str) -> None:
    """Files alone; of metadata also what is not there; and the directory itself, if it was."""
    site = root / "lib/python3.11/site-packages"
    for name in ("one/two/x.py", "in/site-packages/y.py", "one-1.dist-info/METADATA"):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text("")
    (site / "linked").symlink_to("one")
    (root / "to").symlink_to(site)
    text = f"""
import os
for name in ("one/two/x.py", "linked/../one/two/x.py", "in/site-packages/y.py", "gone.py",
             "one-1.dist-info/METADATA", "one-1.dist-info/entry_points.txt", "../other.py"):
    try: open({str(site)!r} + "/" + name).close()
    except OSError: pass
os.listdir("to")
os.listdir("to/one")
"""
    seen = python(root, text, tracer, "-S").trace
    here = os.path.realpath(site)
    assert sorted(seen.packages) == [
        (here, ""),
        (here, "one-1.dist-info/METADATA"),
        (here, "one-1.dist-info/entry_points.txt"),
        (here, "one/two/x.py"),
        (f"{here}/in/site-packages", "y.py"),
    ]
    assert not [path for path in seen.paths if path.startswith(f"{here}/")]


@BOTH
def test_a_package_that_is_a_link_to_what_lies_elsewhere(
    root: Path, tmp_path: Path, tracer: str
) -> None:
    site = tmp_path / "site-packages"
    site.mkdir()
    for name, where in (("kept.py", tmp_path), ("own.py", root)):
        (where / name).write_text("")
        (site / name).symlink_to(where / name)
    text = f"[open({str(site)!r} + '/' + name).close() for name in ('kept.py', 'own.py')]"
    seen = python(root, text, tracer, "-S").trace
    assert seen.packages == ((os.path.realpath(site), "kept.py"),)
    assert seen.paths[os.path.realpath(root / "own.py")] & flags.READ


@BOTH
def test_a_program_is_named_by_its_whole_path(root: Path, tracer: str) -> None:
    (root / "sub/tool").symlink_to("/bin/true")
    text = "import os, subprocess as s\nos.chdir('sub')\ns.run(['./tool'], check=True)"
    seen = python(root, text, tracer)
    names = {os.path.normpath(name) for name, _ in seen.trace.programs}
    assert os.path.realpath(root / "sub") + "/tool" in names
