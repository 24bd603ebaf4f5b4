"""What a step saw, in words: each discovered input, with the rule by which it counts or not."""

from collections.abc import Callable

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.place import PLACE
from mlpipe_ci.core.platform import PLATFORM
from mlpipe_ci.tracing.discovery.kinds import (
    ABSENT,
    EXISTS,
    IGNORED,
    KEEPS,
    LOG,
    MODULES,
    NAMES,
    PREFIX,
    PROGRAM,
    STATE,
    VALUE,
    VARIABLE,
    shown_path,
)
from mlpipe_ci.tracing.discovery.make_names import MAKE
from mlpipe_ci.tracing.discovery.packages import FOUND, VERSION

DIGITS = 12
SEEN, NOT_COUNTED = "seen", "ignored"
Named = Callable[[str], str]
"""The file that names an environment variable; empty if only the command does."""


def seen_in_words(item: Input, named_in: Named) -> tuple[str, str]:
    """A label, and the words for one discovered input."""
    path, digest = shown_path(item.path), item.digest
    if digest.startswith(IGNORED):
        return NOT_COUNTED, f"{path}  {digest.removeprefix(IGNORED)}"
    if item.path == PLATFORM:
        return SEEN, f"the platform  {digest}"
    if item.path.startswith(PLACE):
        named = item.path.removeprefix(PLACE)
        return SEEN, f"{named}  names the directory of the work tree: counts for who reads it"
    if item.path.startswith(VARIABLE):
        return SEEN, _variable(item, named_in)
    if item.path.startswith(PROGRAM):
        name = item.path.removeprefix(PROGRAM)
        return SEEN, f"{name}  the program that PATH finds: {_short(digest)}"
    if item.path.startswith(PREFIX):
        return SEEN, _package(path.removeprefix(PREFIX), digest)
    return SEEN, f"{path}  {_of_path(digest)}" + ("  executable" if item.executable else "")


def _package(name: str, digest: str) -> str:
    """A distribution with version and files, or the modules that Python looked for there."""
    if digest.startswith(FOUND):
        found = digest.removeprefix(FOUND).rpartition("|")[0]
        place = name.rpartition(":")[0]
        return f"the packages of {place}  searched by Python; found: {_names(found)}"
    if digest.startswith(VERSION):
        version, _, files = digest.removeprefix(VERSION).partition(" ")
        return f"{name}  package {version}" + (f", files {files[:DIGITS]}" if files else "")
    return f"{name}  package: {_short(digest)}"


def _of_path(digest: str) -> str:
    if digest == ABSENT:
        return "is not there"
    if digest == LOG:
        return "only added to, and read by no step"
    if digest == KEEPS:
        return "its own state, which stays as it is"
    if digest.startswith(STATE):
        return f"the state of another step: {_of_path(digest.removeprefix(STATE))}"
    if digest.startswith(EXISTS):
        return f"is there: a {digest.removeprefix(EXISTS)}"
    if digest.startswith(NAMES):
        return f"the names in it: {_names(digest.removeprefix(NAMES))}"
    if digest.startswith(MODULES):
        here, _, wanted = digest.removeprefix(MODULES).rpartition("|")
        who = "make" if wanted.startswith(MAKE) else "Python"
        return f"searched by {who}; what could be meant: {_names(here)}"
    if digest.startswith("link:"):
        return f"a link to {digest.removeprefix('link:')}"
    return f"content {_short(digest)}"


def _variable(item: Input, named_in: Named) -> str:
    name = item.path.removeprefix(VARIABLE)
    if not name:
        count = len(item.digest.rpartition("|")[2].split())
        return f"{count} environment variables were set; one that is new counts if a text names it"
    known = item.digest.removeprefix(VALUE)[:DIGITS]
    value = "is not set" if item.digest == ABSENT else f"value {known}"
    where = named_in(name)
    return f"${name}  {value}" + (f", named in {where}" if where else "")


def _names(text: str) -> str:
    """Names, or how many there are and the hash of them."""
    count, mark, digest = text.partition(":")
    if mark and count.isdigit():
        return f"{count} of them, {digest[:DIGITS]}"
    return text.replace("/", ", ") or "none"


def _short(digest: str) -> str:
    kind, mark, rest = digest.partition(":")
    return kind + mark + rest[:DIGITS]
