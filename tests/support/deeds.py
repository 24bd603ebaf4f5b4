"""What the steps of random histories run: `python -S -B deeds.py FILE`, with one deed a line.

A deed is a word and its operands, divided by blanks. Those that look say what they saw; those that
write put all that was said so far into a file. Nothing depends on clocks or on the order of names.
The file is copied into the repositories of the tests and stands alone.
"""

import os
import sys
from collections.abc import Callable

SAID: list[str] = []
ENVIRONMENT = ".venv/lib/site-packages"
CREATE = os.O_RDWR | os.O_CREAT


def text() -> bytes:
    """All that was said so far, a line each."""
    return "".join(f"{line}\n" for line in SAID).encode()


# -- deeds that look ----------------------------------------------------------------------------


def read(path: str) -> str:
    """A file's content."""
    try:
        with open(path) as file:
            return file.read().replace("\n", "/")
    except OSError:
        return "none"


def stat(path: str) -> str:
    """Size of a file, and whether it can be run."""
    try:
        found = os.stat(path)
    except OSError:
        return "none"
    return f"{found.st_size} {found.st_mode & 0o100}" if os.path.isfile(path) else "folder"


def there(path: str) -> str:
    """Whether there is something."""
    return str(os.access(path, os.F_OK))


def names(folder: str, ending: str = "") -> str:
    """Names in a directory that end so."""
    try:
        return " ".join(sorted(one for one in os.listdir(folder) if one.endswith(ending)))
    except OSError:
        return "none"


def walk(folder: str) -> str:
    """Files below a directory."""
    found = [os.path.join(top, name) for top, _, files in os.walk(folder) for name in files]
    return " ".join(sorted(found))


def leads(path: str) -> str:
    """Where a link leads."""
    try:
        return os.readlink(path)
    except OSError:
        return "none"


def newer(path: str, other: str) -> str:
    """Whether a file is younger than another, as `make` asks."""
    try:
        return str(os.stat(path).st_mtime_ns > os.stat(other).st_mtime_ns)
    except OSError:
        return "none"


def variable(way: str) -> str:
    """An environment variable; `settings.py` has the ways of asking."""
    import settings  # type: ignore[import-not-found]  # noqa: PLC0415 - lies beside the copy

    return str(settings.WAYS[int(way)]())


def hour() -> str:
    """The hour of a moment in the zone of this process."""
    import time  # noqa: PLC0415

    return str(time.localtime(1_700_000_000).tm_hour)


def module(name: str) -> str:
    """What a module of the project's environment says."""
    sys.path.insert(1, ENVIRONMENT)
    return str(__import__(name).V)


def version(name: str) -> str:
    """The version of an installed distribution."""
    from importlib import metadata  # noqa: PLC0415

    sys.path.insert(1, ENVIRONMENT)
    return metadata.version(name)


def processes() -> str:
    """Look at the process table, and say nothing of it."""
    return f"processes {bool(os.listdir('/proc'))}"


def probe() -> str:
    """Make a call that the kernel refuses, as Rust's standard library does."""
    import ctypes  # noqa: PLC0415

    return f"refused {ctypes.CDLL(None).statx(0, None, 0, 0xFFF, None)}"


def fails(path: str) -> str:
    """End with an error if there is something."""
    if os.path.exists(path):
        sys.exit(f"{path} is there")
    return "goes on"


# -- deeds that write ---------------------------------------------------------------------------


def above(path: str) -> str:
    """The path, with its directory made."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    return path


def write(path: str) -> None:
    """Write a file from nothing."""
    with open(above(path), "wb") as file:
        file.write(text())


def later(*paths: str) -> None:
    """Write files, each younger than those before it, whatever the clock of files can tell."""
    import time  # noqa: PLC0415

    for path in paths:
        time.sleep(0.02)
        write(path)


def replace(path: str) -> None:
    """Write a file beside it, and move that there."""
    write(f"{path}.new")
    os.replace(f"{path}.new", path)


def fill(path: str) -> None:
    """Open without emptying, look, then put something else in, as databases do."""
    file = os.open(above(path), CREATE, 0o666)
    os.read(file, 1 << 16)
    os.lseek(file, 0, os.SEEK_SET)
    os.write(file, text())
    os.ftruncate(file, len(text()))
    os.close(file)


def update(path: str) -> None:
    """Open with `r+b` where there is something; the new content goes over the old one."""
    with open(above(path), "r+b" if os.path.exists(path) else "wb") as file:
        file.truncate()
        file.write(text())


def insert(path: str) -> None:
    """Add to what is there, after a look at it."""
    file = os.open(above(path), CREATE, 0o666)
    os.read(file, 1 << 16)
    os.write(file, text())
    os.close(file)


def append(path: str) -> None:
    """Add to what is there, without a look."""
    with open(above(path), "ab") as file:
        file.write(text())


def keep(folder: str) -> None:
    """Add a file to a history, by a name of its own."""
    import zlib  # noqa: PLC0415

    write(f"{folder}/run-{zlib.crc32(text()):010}.txt")


def private(path: str) -> None:
    """Write a file that its owner alone may read."""
    before = os.umask(0o077)
    write(path)
    os.umask(before)


def mode(path: str, bits: str) -> None:
    """Change who may do what with a file."""
    if os.path.isfile(path):
        os.chmod(path, int(bits, 8))


def link(path: str, target: str) -> None:
    """Make a link, in place of what is there."""
    if os.path.lexists(above(path)):
        os.remove(path)
    os.symlink(target, path)


def remove(path: str) -> None:
    """Remove a file."""
    if os.path.lexists(path):
        os.remove(path)


LOOKS: tuple[Callable[..., str], ...] = (
    *(read, stat, there, names, walk, leads, newer),
    *(variable, hour, module, version, processes, probe, fails),
)
WRITES: tuple[Callable[..., None], ...] = (
    *(write, later, replace, fill, update, insert, append),
    *(keep, private, mode, link, remove),
)


def main(file: str) -> None:
    """Do what a file says."""
    looks = {one.__name__: one for one in LOOKS}
    writes = {one.__name__: one for one in WRITES}
    with open(file) as lines:
        for line in lines.read().splitlines():
            word, *operands = line.split()
            if word in looks:
                SAID.append(f"{line}: {looks[word](*operands)}")
            else:
                writes[word](*operands)


if __name__ == "__main__":
    main(sys.argv[1])
