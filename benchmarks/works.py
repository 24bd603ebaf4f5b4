"""The works that are measured: steps that no tool's format is part of, and the files they read.

Each step has a directory of its own, `steps/<name>`. It reads files there and what other steps
wrote, and adds its name to a log outside of the repository, so that it is known which steps ran.
"""

import dataclasses
import os
import random
from pathlib import Path

SEED = 20
CHAIN = 10
"""Steps in a chain, each of which reads what the one before it wrote."""
FOLDER = 1000
"""Small files in one directory."""
BLOCK = 1 << 24
DATA = "steps/one/data"


@dataclasses.dataclass(frozen=True)
class Step:
    """A command with what it reads and writes, relative to the root; a directory ends with `/`."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    command: str

    @property
    def home(self) -> str:
        """The step's own directory."""
        return f"steps/{self.name}"

    @property
    def whole(self) -> str:
        """The command, and that it ran."""
        return f"{self.command} && echo {self.name} >> ../log"


@dataclasses.dataclass(frozen=True)
class Tree:
    """A repository before any tool has run in it."""

    name: str
    steps: tuple[Step, ...] = ()
    files: int = 0
    """Small files in the directory that the only step reads, or copies."""
    size: int = 0
    """Bytes of the one large file in that directory."""
    tracked: bool = False
    """Whether git has these files; else it ignores them."""
    payload: bool = False
    """Whether they are what the step writes: they lie outside of the repository then."""


def chain_tree(count: int) -> Tree:
    """Small steps in chains of ten."""
    names = [f"s{number:05}" for number in range(count)]
    steps = []
    for number, name in enumerate(names):
        read = [f"steps/{name}/in.txt"]
        if number % CHAIN:
            read.append(f"steps/{names[number - 1]}/out.txt")
        written = f"steps/{name}/out.txt"
        steps.append(Step(name, tuple(read), (written,), f"cat {' '.join(read)} > {written}"))
    return Tree(f"chain-{count}", tuple(steps))


def sleep_tree(count: int) -> Tree:
    """Steps that take a second each, and do not need one another."""
    steps = []
    for number in range(count):
        name = f"s{number:05}"
        read, written = f"steps/{name}/in.txt", f"steps/{name}/out.txt"
        steps.append(Step(name, (read,), (written,), f"sleep 1; cat {read} > {written}"))
    return Tree(f"sleep-{count}", tuple(steps))


def folder_tree(files: int, *, tracked: bool = False) -> Tree:
    """One step that reads a directory of small files."""
    step = Step("one", (f"{DATA}/",), ("steps/one/out.txt",), f"ls {DATA} > steps/one/out.txt")
    name = "tracked" if tracked else "folder"
    return Tree(f"{name}-{files}", (step,), files=files, tracked=tracked)


def big_tree(size: int) -> Tree:
    """One step that reads a large file."""
    command = f"head -c 64 {DATA}/big.bin > steps/one/out.txt"
    step = Step("one", (f"{DATA}/big.bin",), ("steps/one/out.txt",), command)
    return Tree("big", (step,), size=size)


def payload_tree(*, files: int = 0, size: int = 0) -> Tree:
    """One step that writes a directory: many small files, or a large one."""
    command = "mkdir -p steps/one/out && cp -r ../../shared/. steps/one/out"
    step = Step("one", ("steps/one/in.txt",), ("steps/one/out/",), command)
    name = f"payload-{files}-files" if files else "payload-big"
    return Tree(name, (step,), files=files, size=size, payload=True)


def write_shared(tree: Tree, shared: Path) -> None:
    """Write the files of a tree once; each tool's repository gets links to them."""
    chance = random.Random(SEED)
    shared.mkdir(parents=True)
    for first in range(0, tree.files, FOLDER):
        folder = shared / f"d{first // FOLDER:03}"
        folder.mkdir()
        for number in range(first, min(first + FOLDER, tree.files)):
            content = chance.randbytes(chance.randint(100, 1000))
            (folder / f"f{number:06}.bin").write_bytes(content)
    if tree.size:
        with (shared / "big.bin").open("wb") as file:
            for start in range(0, tree.size, BLOCK):
                file.write(os.urandom(min(BLOCK, tree.size - start)))


def write_tree(tree: Tree, shared: Path, repo: Path) -> None:
    """Write the repository of one tool."""
    for step in tree.steps:
        home = repo / step.home
        home.mkdir(parents=True)
        (home / "in.txt").write_text(f"{step.name}\n")
    if tree.payload or not (tree.files or tree.size):
        return
    for path, folders, names in os.walk(shared):
        inside = repo / DATA / os.path.relpath(path, shared)
        inside.mkdir(exist_ok=True)
        folders.sort()
        for name in names:
            os.link(Path(path, name), inside / name)


def count(directory: Path) -> tuple[int, int]:
    """How many files lie in a directory, and their bytes."""
    sizes = [path.stat().st_size for path in directory.rglob("*") if path.is_file()]
    return len(sizes), sum(sizes)
