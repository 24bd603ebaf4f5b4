"""`each`: a step for each file that matches. What an item is called, and what it may hold. Pure."""

import posixpath
from collections.abc import Iterator, Sequence

from blake3 import blake3

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import is_glob, literal_prefix
from mlpipe_ci.core.regex import regex
from mlpipe_ci.core.workflow import StepInstance, slug

MOST_ITEMS = 100_000
MOST_ID = 60
"""Characters of an item in an id, which names files."""
PLAIN = regex(r"[a-z0-9_-]+(\.[a-z0-9]+)?")
"""Names that no other is mistaken for once they are part of an id."""
SHELL = regex(r"[^\w./+=@%,: -]")
"""Characters that a shell could take for more than a part of a name."""


class ItemError(Exception):
    """A file that matches cannot be an item."""


@frozen(kw_only=False)
class Strategy:
    """What `strategy` says beside the matrix."""

    fail_fast: bool = True
    max_parallel: int | None = None


def instances(
    group: str, patterns: Sequence[str], paths: Sequence[str], strategy: Strategy
) -> Iterator[tuple[str, StepInstance]]:
    """Id and instance of each item. Another item changes the id of none. Raises ItemError."""
    if len(paths) > MOST_ITEMS:
        raise ItemError(f"{len(paths):,} files match; {MOST_ITEMS:,} is the most")
    prefix = _common(patterns)
    plain = [_short(path, prefix) for path in paths]
    slugs = [slug(one) for one in plain]
    seen: dict[str, int] = {}
    for one in slugs:
        seen[one] = seen.get(one, 0) + 1
    for path, short, one in zip(paths, plain, slugs, strict=True):
        _check(path)
        plain_enough = PLAIN.fullmatch(short) and len(one) <= MOST_ID and seen[one] == 1
        distinct = one if plain_enough else f"{one[:MOST_ID]}-{_mark(path)}"
        yield (
            f"{group}-{distinct or _mark(path)}",
            StepInstance(
                group=group,
                values=(),
                shown=f"({short})",
                each=path,
                fail_fast=strategy.fail_fast,
                max_parallel=strategy.max_parallel,
            ),
        )


def shell_fault(path: str) -> str:
    """Why the name of an item must not stand in a command; empty if it may."""
    if path.startswith("-"):
        return f"'{path}' begins with -, which a command takes for an option"
    found = SHELL.search(path)
    return f"'{path}' holds {found[0]!r}, which a shell may act on" if found else ""


def command_fault(path: str, before: str, shown: str) -> str:
    """Why an item must not stand in a command behind this text; empty if it may.

    A shell must find neither a command in it nor two words. `shown`: the expression that names it.
    """
    if fault := shell_fault(path):
        return (
            f'{fault}; rename it, or write env: {{ITEM: "${{{{ {shown} }}}}"}} at the '
            'step, and "$ITEM" in the command'
        )
    quoted = before.count('"') % 2 or before.count("'") % 2
    if " " in path and not quoted:
        return f"'{path}' holds a blank; put quotes around it: \"${{{{ {shown} }}}}\""
    return ""


def _check(path: str) -> None:
    if not path.isprintable() or is_glob(path) or "\\" in path or path.startswith("!"):
        raise ItemError(
            f"{path!r} holds characters that have a meaning in patterns, or cannot be shown; "
            "rename the file, or leave it out with a pattern that begins with !"
        )


def _common(patterns: Sequence[str]) -> str:
    """The directory in which all items lie, as far as the patterns say it."""
    prefixes = [literal_prefix(p) if is_glob(p) else p.rstrip("/") for p in patterns]
    wanted = [p for p, pattern in zip(prefixes, patterns, strict=True) if pattern[:1] != "!"]
    return posixpath.commonpath(wanted) if wanted and all(wanted) else ""


def _short(path: str, prefix: str) -> str:
    return path.removeprefix(f"{prefix}/") if prefix else path


def _mark(path: str) -> str:
    return blake3(path.encode("utf-8", "surrogateescape")).hexdigest()[:8]
