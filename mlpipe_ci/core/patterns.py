"""Which paths an input pattern means. Pure."""

import re
from functools import lru_cache

from mlpipe_ci.core.paths import is_glob, is_under, literal_prefix


def matches(pattern: str, path: str) -> bool:
    """True if `path` is meant by `pattern`: it fits, or lies in a directory that fits.

    As in GitHub's own patterns (`hashFiles`, the paths of actions/cache): `data/*.parquet` may be
    files, or directories of files.
    """
    if not is_glob(pattern):
        return pattern in {".", "./"} or is_under(path, pattern)
    return any(expression.fullmatch(path) for expression in _compiled(pattern))


def may_match(pattern: str, output: str) -> bool:
    """True if something at or inside of a declared output could be meant by `pattern`."""
    if matches(pattern, output.rstrip("/")):
        return True
    if not output.endswith("/"):
        return False
    prefix = literal_prefix(pattern)
    return is_under(prefix, output) or (
        is_glob(pattern) and (not prefix or is_under(output, prefix))
    )


def expressions(pattern: str) -> tuple[str, ...]:
    """Regular expressions, one of which a whole path fits if the pattern means it."""
    if is_glob(pattern):
        return tuple(one.pattern for one in _compiled(pattern))
    if pattern in {".", "./"}:
        return (".*",)
    return (re.escape(pattern.rstrip("/")) + "(?s:/.*)?",)


@lru_cache(maxsize=10_000)
def _compiled(pattern: str) -> tuple[re.Pattern[str], ...]:
    from wcmatch import glob  # noqa: PLC0415 - 10 ms, which a workflow without patterns saves

    flags = glob.GLOBSTAR | glob.DOTGLOB | glob.FORCEUNIX | glob.CASE
    included, _ = glob.translate(pattern, flags=flags)
    return tuple(re.compile(one.removesuffix("$") + "(?s:/.*)?$") for one in included)
