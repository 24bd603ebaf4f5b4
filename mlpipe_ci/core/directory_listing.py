"""Many files of one directory as one input: their listing, and its digest. Pure.

A key of 100,000 files would be 15 MB, and encoding it would take longer than looking at the files.
So where more than `MOST` inputs of a step lie in one directory (in it, not below it), they are one
input: the directory with its `/`, and the BLAKE3 of a text. It holds for each file, in the order of
their names: name, digest, and `x` if it is executable, each followed by a null character.
"""

from collections.abc import Callable, Iterable

from blake3 import blake3

from mlpipe_ci.core.cache_key import Input, by_path

MOST = 100
KIND = "listing:"
LISTINGS = "\0"
"""No directory is called so."""
Text = Callable[[str], str | None]
"""The text of a listing by its digest, None if it is not known (any more)."""


def line(name: str, digest: str, *, executable: bool) -> str:
    """What a listing says of one file."""
    return f"{name}\0{digest}\0{'x' if executable else ''}\0"


def listing(directory: str, count: int, text: str) -> Input:
    """The input that stands for so many files of a directory (without `/`; the root is empty)."""
    return Input(path=f"{directory or '.'}/", digest=text_digest(count, text))


def text_digest(count: int, text: str) -> str:
    """`listing:`, the number of files, and the BLAKE3 of the text."""
    return f"{KIND}{count}:{blake3(text.encode('utf-8', 'surrogateescape')).hexdigest()}"


def is_listing(item: Input) -> bool:
    """True if an input stands for many."""
    return item.digest.startswith(KIND)


def files(item: Input, text: str) -> tuple[Input, ...]:
    """The inputs that a listing stands for."""
    prefix = item.path.removeprefix("./")
    words = text.split("\0")[:-1]
    return tuple(
        Input(path=prefix + name, digest=digest, executable=mark == "x")
        for name, digest, mark in zip(words[::3], words[1::3], words[2::3], strict=True)
    )


def grouped(inputs: Iterable[Input]) -> tuple[tuple[Input, ...], dict[str, str]]:
    """Inputs as they go into a key, sorted, and the texts of the listings among them by digest."""
    ordered = sorted(inputs, key=by_path)
    if len(ordered) <= MOST:
        return tuple(ordered), {}
    paths: dict[str, list[Input]] = {}
    for item in ordered:
        path = LISTINGS if is_listing(item) else item.path.rpartition("/")[0]
        paths.setdefault(path, []).append(item)
    found = paths.pop(LISTINGS, [])
    texts: dict[str, str] = {}
    for directory, members in paths.items():
        if len(members) <= MOST:
            found += members
            continue
        text = "".join(_line(member) for member in members)
        found.append(listing(directory, len(members), text))
        texts[found[-1].digest] = text
    return tuple(sorted(found, key=by_path)), texts


def _line(item: Input) -> str:
    return line(item.path.rpartition("/")[2], item.digest, executable=item.executable)


def opened(
    old: tuple[Input, ...], new: tuple[Input, ...], old_text: Text, new_text: Text
) -> tuple[tuple[Input, ...], tuple[Input, ...]]:
    """Both with the files of each listing that only one of them has, to show what differs.

    A directory whose files are not known for both stays as it is.
    """
    before, after = set(old) - set(new), set(new) - set(old)
    lists = {item.path for item in before | after if is_listing(item)}
    was = {i.path: _known(i, old_text) for i in before if i.path in lists}
    now = {i.path: _known(i, new_text) for i in after if i.path in lists}
    clear = {path for path in lists if None not in (was.get(path, ()), now.get(path, ()))}
    return _open(old, was, clear), _open(new, now, clear)


def _known(item: Input, text_of: Text) -> tuple[Input, ...] | None:
    text = text_of(item.digest)
    return None if text is None else files(item, text)


def _open(
    inputs: tuple[Input, ...], known: dict[str, tuple[Input, ...] | None], clear: set[str]
) -> tuple[Input, ...]:
    found: list[Input] = []
    for item in inputs:
        found += (known.get(item.path) or (item,)) if item.path in clear else (item,)
    return tuple(sorted(found, key=by_path))
