"""What a user, git, and a bad disk may do between two runs; each an edit of a `World`."""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.support.random_repo import CONTENTS, LINKS, SOURCES, World
from tests.support.reference_model import Pipeline, put, snapshot


def start(top: Path, pipeline: Pipeline, kind: int) -> World:
    """A fresh repository. `kind` 0: without git; 1: outputs are ignored; 2: they are not."""
    ignored = ("", "build/", "nothing")[kind]
    world = World(top=top, pipeline=pipeline, git=kind > 0, ignored=ignored)
    put(world.root, {path: ("file", b"%d\n" % n) for n, path in enumerate(SOURCES)})
    world.call_git("init", "-q", "-b", "main")
    (world.root / ".gitignore").write_text(ignored + "\n")
    world.write_workflow()
    commit(world, 0, 0)
    return world


def clear(path: Path) -> None:
    """Remove whatever is at a path."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write(world: World, one: int, other: int) -> None:
    path = world.file(one)
    clear(path)
    path.write_bytes(CONTENTS[other % len(CONTENTS)])


def write_in_place(world: World, one: int, other: int) -> None:
    """The same inode, and often the same size within one tick of the clock."""
    path = world.file(one)
    if path.is_file() and not path.is_symlink():
        with path.open("r+b") as file:
            file.truncate(file.write(CONTENTS[other % len(CONTENTS)]))
        if other % 2:
            os.utime(path, (1e9, 1e9))


def delete(world: World, one: int, other: int) -> None:
    clear(world.file(one))


def rename(world: World, one: int, other: int) -> None:
    source, destination = world.file(one), world.file(other)
    if os.path.lexists(source) and source != destination:
        clear(destination)
        source.rename(destination)


def add(world: World, one: int, other: int) -> None:
    path = world.file(one).with_name(f"new {other}.txt")
    path.write_bytes(CONTENTS[other % len(CONTENTS)])


def touch(world: World, one: int, other: int) -> None:
    path = world.file(one)
    if path.exists():
        os.utime(path, (1e9 + other,) * 2)


def mode(world: World, one: int, other: int) -> None:
    path = world.file(one)
    if path.exists():
        path.chmod(0o755 if other % 2 else 0o644)


def link(world: World, one: int, other: int) -> None:
    name = LINKS[one % len(LINKS)]
    path = world.file(SOURCES.index(name))
    clear(path)
    path.symlink_to(f"new {other}.txt")
    path.with_name(f"new {other}.txt").write_bytes(CONTENTS[other % len(CONTENTS)])


def go_back(world: World, one: int, other: int) -> None:
    """The sources as they were before some earlier run."""
    then = world.past[one % len(world.past)]
    for path in world.sources(snapshot(world.root)):
        clear(world.root / path)
    for path in then:
        clear(world.root / path)
    put(world.root, then)


def commit(world: World, one: int, other: int) -> None:
    world.call_git("add", "-A")
    world.call_git("commit", "-q", "--allow-empty", "-m", "change")
    world.commits.append(world.call_git("rev-parse", "HEAD"))


def checkout(world: World, one: int, other: int) -> None:
    world.call_git("checkout", "-q", "-f", world.commits[one % len(world.commits)])


def index(world: World, one: int, other: int) -> None:
    """What git's index may say of a file, whatever the file is."""
    name = SOURCES[one % len(SOURCES)]
    ways = (
        ["add", "--"],
        ["rm", "-q", "--cached", "--"],
        ["add", "-N", "--"],
        ["update-index", "--assume-unchanged", "--"],
        ["update-index", "--skip-worktree", "--"],
        ["update-index", "--no-assume-unchanged", "--no-skip-worktree", "--"],
        ["reset", "-q", "--"],
    )
    world.call_git(*ways[other % len(ways)], name)


def delete_output(world: World, one: int, other: int) -> None:
    clear(world.output(one))


def append_output(world: World, one: int, other: int) -> None:
    path = world.output(one)
    if path.is_file():
        with path.open("ab") as file:
            file.write(CONTENTS[other % len(CONTENTS)])


def replace_output(world: World, one: int, other: int) -> None:
    """By a file or a directory, whatever it was."""
    path = world.output(one)
    clear(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if other % 2:
        path.write_bytes(b"by hand\n")
    else:
        (path / "by hand").mkdir(parents=True)
        (path / "by hand/file").write_bytes(b"by hand\n")


def change_output(world: World, one: int, other: int) -> None:
    path = world.output(one)
    if path.is_dir() and not path.is_symlink():
        (path / f"foreign {other}").write_bytes(b"by hand\n")
    elif path.is_file():
        path.chmod(0o644 if os.access(path, os.X_OK) else 0o755)


def delete_build(world: World, one: int, other: int) -> None:
    clear(world.root / "build")


def edit_step(world: World, one: int, other: int) -> None:
    step = world.pipeline.steps[one % len(world.pipeline.steps)]
    fields = (
        {"version": other % 3},
        {"renamed": other % 2},
        {"cached": not step.cached},
        {"param": not step.param},
        {"env": not step.env},
        {"broken": not step.broken},
        {"gone": not step.gone and len(world.pipeline.present) > 1},
    )
    world.pipeline = world.pipeline.change(step.number, **fields[other % len(fields)])


def mend(world: World, one: int, other: int) -> None:
    """All steps as they were in the beginning."""
    steps = [replace(s, broken=False, gone=False, version=0) for s in world.pipeline.steps]
    world.pipeline = replace(world.pipeline, steps=tuple(steps))


def set_values(world: World, one: int, other: int) -> None:
    world.pipeline = replace(world.pipeline, param=one % 3, env=other % 3)


def delete_cache(world: World, one: int, other: int) -> None:
    shutil.rmtree(world.cache, ignore_errors=True)
    world.done, world.unsure = set(), False


def delete_state(world: World, one: int, other: int) -> None:
    shutil.rmtree(world.root / ".git/mlpipe", ignore_errors=True)


def collect(world: World, one: int, other: int) -> None:
    """Nothing was used for two hours: all of it goes, or a part."""
    for path in stored(world):
        os.utime(path, (time.time() - 7200,) * 2)
    world.mlpipe("cache", "gc", "--max-size", str(one * 400), "--max-age", "1")
    world.unsure = True


def damage(world: World, one: int, other: int) -> None:
    """A file of the cache is lost, cut, or has a flipped byte."""
    files = stored(world)
    if files:
        path = files[(one * 7 + other) % len(files)]
        content = path.read_bytes()
        path.unlink()
        if content and other % 3:
            flipped = bytes([content[one % len(content)] ^ 1])
            index = one % len(content)
            rest = content[index + 1 :] if other % 3 == 1 else b""
            path.write_bytes(content[:index] + flipped + rest)
    world.unsure = True


def stored(world: World) -> list[Path]:
    top = world.cache / "v1"
    places = (top / "objects", top / "results")
    return sorted(p for path in places for p in path.rglob("*") if p.is_file())


EDITS: tuple[Callable[[World, int, int], None], ...] = (
    write,
    write,
    write_in_place,
    write_in_place,
    delete,
    rename,
    add,
    touch,
    mode,
    link,
    go_back,
    commit,
    checkout,
    index,
    delete_output,
    append_output,
    replace_output,
    change_output,
    delete_build,
    edit_step,
    edit_step,
    mend,
    set_values,
    delete_cache,
    delete_state,
    collect,
    damage,
)
