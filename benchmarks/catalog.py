"""What is measured, and beside what."""

import sys

from places import Tool
from rivals import TOOLS, Mlpipe, Plain, at_once
from session import Work, anew, cloned, forgotten, leaf, removed
from works import DATA, big_tree, chain_tree, folder_tree, payload_tree, sleep_tree

BARE = Plain("bare Python", sys.executable, "-c", "pass")
STATUS = Plain("git status", "git", "status", "--porcelain")
FIND = Plain("find", "find", DATA, "-printf", "%s %T@ %i\n")
BIG = f"{DATA}/big.bin"
MAP = f"import blake3; blake3.blake3(max_threads=-1).update_mmap('{BIG}').digest()"
READ = f"""
import blake3
digest = blake3.blake3()
with open('{BIG}', 'rb', buffering=0) as file:
    while block := file.read(1 << 20): digest.update(block)
"""
HUNDRED = (
    "for n in $(seq -f %05g 0 99); do sh -c 'cat steps/s$0/in.txt > steps/s$0/out.txt' $n; done"
)
ALL = ("mlpipe", "dvc", "snakemake", "doit", "turbo", "make", "ninja")
GIGA = 1 << 30


def _tools(*names: str) -> tuple[Tool, ...]:
    return tuple(TOOLS[name] for name in names)


WORKS = [
    Work(
        "version",
        "`--version`",
        chain_tree(1),
        (*_tools(*ALL), BARE, Plain("git --version", "git", "--version")),
        target="0.05 s",
        version=True,
    ),
    Work(
        "noop-10",
        "Nothing to do, 10 steps",
        chain_tree(10),
        (*_tools(*ALL), BARE, STATUS),
        target="0.10 s",
        note="The limit is missed: Python's start takes 0.013 s and imports 0.06 (argparse "
        "with re, dataclasses, pathlib, sqlite3 and json are two thirds of that), two "
        "git processes 0.006, ten steps 0.004, opening the work tree the rest. A program "
        "that only imports those needs 0.04 s.",
    ),
    Work(
        "noop-1000",
        "Nothing to do, 1,000 steps",
        chain_tree(1000),
        (*_tools(*ALL), BARE, STATUS),
        target="0.24 s",
        few={"dvc": 2},
        note="The limit is missed: over the 0.12 s of a short workflow a step costs 0.35 ms. "
        "By profile 0.14 s are `stat` and listing of inputs, 0.12 the look at outputs, "
        "0.08 stored results and whether they fit, 0.035 SQLite. doit, which keeps no "
        "outputs and does not look at them, needs 0.19 s: that is the floor for a "
        "program in Python.",
    ),
    Work(
        "leaf-1000",
        "The last of 1,000 steps changed",
        chain_tree(1000),
        _tools(*ALL),
        target="0.35 s",
        moment=leaf,
        expected=1,
        few={"dvc": 1},
        note="As with nothing to do, and the one command, whose result is stored.",
    ),
    Work(
        "parts-1000",
        "Other commands with 1,000 steps",
        chain_tree(1000),
        (
            *_tools("mlpipe"),
            Plain("mlpipe validate", Mlpipe().program, "validate"),
            Plain("mlpipe plan", Mlpipe().program, "plan"),
            BARE,
        ),
    ),
    Work(
        "fresh-100",
        "100 small steps, all new",
        chain_tree(100),
        (*_tools("mlpipe, watched", *ALL), BARE, Plain("sh -c", "sh", "-c", HUNDRED, own=True)),
        target="1.0 s",
        moment=anew,
        expected=100,
        few={"dvc": 2, "turbo": 2},
        warm=False,
        note="Each tool runs the steps with its own shell: mlpipe and Snakemake by bash, "
        "Turborepo by npm, the others by sh.",
    ),
    Work(
        "sleep-8",
        "8 steps of one second, 8 at once",
        sleep_tree(8),
        (
            at_once(TOOLS["mlpipe"], "--jobs", "8"),
            at_once(TOOLS["mlpipe, watched"], "--jobs", "8"),
            at_once(TOOLS["make"], "-j8"),
            at_once(TOOLS["ninja"], "-j8"),
            at_once(TOOLS["doit"], "-n", "8"),
            at_once(TOOLS["snakemake"], "--cores", "8"),
        ),
        target="1.6 s of wall time",
        moment=anew,
        expected=8,
        warm=False,
        note="DVC runs one step at a time. Turborepo was left out: npm starts each step.",
    ),
    Work(
        "folder-100000",
        "Nothing to do, a directory of 100,000 ignored files",
        folder_tree(100_000),
        (*_tools(*ALL), BARE, FIND),
        target="0.9 s, 150 MB",
        few={"dvc": 3, "snakemake": 2},
        note="Snakemake, doit, make and Ninja take files, not directories: they get a list, "
        "found anew in each run (Ninja's is fixed when its file is written).",
    ),
    Work(
        "clone-100000",
        "Nothing to do, 100,000 tracked files in a fresh clone",
        folder_tree(100_000, tracked=True),
        (
            *_tools("mlpipe", "dvc", "turbo"),
            BARE,
            Plain("git status", "git", "status", "--porcelain", own=True),
        ),
        target="0.7 s, no file read",
        moment=cloned,
        few={"dvc": 2},
        note="The other tools have no cache that a fresh clone could use, and run the step. "
        "The limit is missed: `git status` is about half of it, as mlpipe asks it what "
        "differs; the rest is the listing of 100,000 names from the index, and their "
        "digests.",
    ),
    Work(
        "hash-4GB",
        "First look at a file of 4 GiB",
        big_tree(4 * GIGA),
        (
            *_tools("mlpipe", "dvc", "doit", "turbo"),
            Plain("cat", "cat", BIG),
            Plain("md5sum", "md5sum", BIG),
            Plain("BLAKE3, mapped", sys.executable, "-c", MAP),
            Plain("BLAKE3, read, one thread", sys.executable, "-c", READ),
        ),
        target="2.2 s",
        moment=forgotten,
        expected=1,
        few={"dvc": 2, "doit": 2, "turbo": 2, "md5sum": 2},
        warm=False,
        note="Snakemake, make and Ninja do not look into a file of this size.",
    ),
    Work(
        "restore-10000",
        "Bringing back 10,000 small files",
        payload_tree(files=10_000),
        (
            *_tools("mlpipe", "mlpipe, links", "dvc", "turbo"),
            Plain("cp -r", "cp", "-r", "../../shared", "steps/one/out", own=True),
        ),
        target="1.3 × `cp -r`",
        moment=removed,
        few={"dvc": 3},
        note="Files are copied, but for the column with links. "
        "Each file is verified while it is copied.",
    ),
    Work(
        "restore-2GB",
        "Bringing back a file of 2 GiB",
        payload_tree(size=2 * GIGA),
        (
            *_tools("mlpipe", "mlpipe, links", "dvc", "turbo"),
            Plain("cp -r", "cp", "-r", "../../shared", "steps/one/out", own=True),
        ),
        target="1.3 × `cp -r`",
        moment=removed,
        few={"dvc": 3},
        note="Files are copied, but for the column with links. "
        "The limit is missed: reading, hashing and writing is the floor, about the sum "
        "of `cp -r` and of the column with links, which only verifies.",
    ),
]
