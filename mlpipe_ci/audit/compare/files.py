"""Says how two files differ, by what they are: the ending of the name, else the first bytes."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from mlpipe_ci.audit.compare import arrays, images, nested, pickles, tables
from mlpipe_ci.audit.compare.values import LARGE, UnreadableError, content, in_bytes, joined

Compare = Callable[[Path, Path], str]
MTIME = slice(4, 8)
"""Where gzip's header has the time."""


def _csv(old: Path, new: Path) -> str:
    return tables.delimited(old, new, ",")


def _tsv(old: Path, new: Path) -> str:
    return tables.delimited(old, new, "\t")


def _gzip(old: Path, new: Path) -> str:
    a, b = content(old), content(new)
    if pickles.opened(a) != pickles.opened(b):
        return joined("what is compressed in it differs", in_bytes(old, new))
    if a[MTIME] != b[MTIME]:
        return "equal once decompressed: only the time in its header differs"
    return "equal once decompressed: only how it was compressed differs"


def _zip(old: Path, new: Path) -> str:
    before, after = arrays.members(old), arrays.members(new)
    names = sorted(before.keys() ^ after.keys())
    names += [name for name in before if name in after and before[name] != after[name]]
    if names:
        return f"in the archive {names[0]} differs" + (", …" if len(names) > 1 else "")
    return "all files in the archive are equal: only their times, bits or order differ"


ENDINGS: dict[str, Compare] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".parquet": tables.parquet,
    ".json": nested.json_file,
    ".yaml": nested.yaml_file,
    ".yml": nested.yaml_file,
    ".npy": arrays.npy,
    ".npz": arrays.npz,
    ".pkl": pickles.pickle_file,
    ".pickle": pickles.pickle_file,
    ".joblib": pickles.pickle_file,
    ".png": images.png,
    ".jpg": images.jpeg,
    ".jpeg": images.jpeg,
    ".gz": _gzip,
    ".zip": _zip,
}
MAGIC: tuple[tuple[bytes, Compare], ...] = (
    (images.PNG, images.png),
    (images.JPEG, images.jpeg),
    (arrays.MAGIC, arrays.npy),
    (b"PAR1", tables.parquet),
    (b"PK\x03\x04", _zip),
    (b"\x1f\x8b", _gzip),
    (b"\x80", pickles.pickle_file),
)


def how_they_differ(old: Path, new: Path, name: str) -> str:
    """In words, with the place. `name`: the path that the file has in the repository.

    What cannot be read as what it seems to be is compared by its bytes, and that is said.
    """
    try:
        compare = ENDINGS.get(PurePosixPath(name).suffix.lower()) or _by_content(old)
        try:
            return compare(old, new)
        except UnreadableError as error:
            return joined(in_bytes(old, new), str(error))
    except OSError as error:
        return f"it cannot be read: {error.strerror}"


def _by_content(path: Path) -> Compare:
    with path.open("rb") as file:
        start = file.read(16)
    if path.stat().st_size > LARGE:
        return in_bytes
    known = (compare for magic, compare in MAGIC if start.startswith(magic))
    return next(known, tables.text)
