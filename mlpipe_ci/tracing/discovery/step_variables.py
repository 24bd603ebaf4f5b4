"""The environment variables of a step as discovered inputs, and whether they are what they were.

The digest of `env:NAME` is `value:` and the hash of its value, or `absent`. One more input, `env:`,
holds the names of all variables that were set and may count, and which kinds of programs ran: with
them it is seen whether one that was not set has come, and is read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, lru_cache

from blake3 import blake3

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.settings import REPEAT, ROOT, STEP
from mlpipe_ci.core.step_environment import WHERE, declared_variables, passed
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.tracing.discovery import env_variables
from mlpipe_ci.tracing.discovery.exceptions import source_of
from mlpipe_ci.tracing.discovery.kinds import ABSENT, VALUE, VARIABLE
from mlpipe_ci.tracing.discovery.named_in_texts import TextSearch

SET = "set:"
OF_SYSTEM = tuple(f"/{name}/" for name in ("bin", "etc", "lib", "lib64", "proc", "sbin", "sys"))
OF_SYSTEM += ("/dev/", "/run/", "/usr/bin/", "/usr/lib/", "/usr/share/", "/usr/include/")
PACKAGES = ("/site-packages/", "/dist-packages/", "/node_modules/")
OURS = frozenset({STEP, REPEAT})
"""Given by mlpipe, by what is in the key."""


@frozen
class UsedVariables:
    """`inputs`: all that count; `named`: those that the step's texts name, for a proposal."""

    inputs: tuple[Input, ...]
    named: tuple[str, ...]


class StepVariables:
    """`env`: what all steps get of mlpipe's environment, without secrets; `root`: of the
    repository.
    """

    def __init__(self, root: str, env: Mapping[str, str]) -> None:
        given = {name: value for name, value in env.items() if name not in OURS}
        here = {ROOT: root, WHERE: root}
        self._env = {strict: passed(given, strict=strict) | here for strict in (False, True)}
        self._search = TextSearch()

    def used(self, step: Step, files: Iterable[str], ran: frozenset[str]) -> UsedVariables:
        """What a step used. `files`: full paths of what it read and is its own; `ran`: see
        `env_variables.kinds`.
        """
        known = self._known(step)
        own = _own_text(step)
        named = self._search.named(known, own, files)
        by_themselves = {name for name in known if env_variables.reader_of(name) in ran}
        counted = {*named, *by_themselves, *self._where(step)}
        digest = f"{SET}{','.join(sorted(ran))}|{' '.join(sorted(known))}"
        inputs = [Input(path=VARIABLE + name, digest=self._value(name, step)) for name in counted]
        return UsedVariables(
            inputs=(*inputs, Input(path=VARIABLE, digest=digest)),
            named=tuple(sorted(one for one in named if not env_variables.reader_of(one))),
        )

    def current(self, item: Input, step: Step) -> Input:
        """What an input of one variable is now."""
        return Input(path=item.path, digest=self._value(item.path.removeprefix(VARIABLE), step))

    def new(
        self, step: Step, before: str, files: Callable[[], Iterable[str]]
    ) -> Iterator[tuple[Input, Input]]:
        """Variables that a step would read and that were not set, each with what it was and is.

        `before`: the digest of `env:`; `files`: what the step read, asked for where a name is new.
        """
        ran, _, names = before.removeprefix(SET).partition("|")
        fresh = self._known(step).difference(names.split(" "))
        if not fresh:
            return
        found = {name for name in fresh if env_variables.reader_of(name) in ran.split(",")}
        if rest := fresh - found:
            found |= self._search.named(rest, _own_text(step), files())
        for name in sorted(found):
            absent = Input(path=VARIABLE + name, digest=ABSENT)
            yield absent, Input(path=absent.path, digest=self._value(name, step))

    @cached_property
    def _may_count(self) -> dict[bool, frozenset[str]]:
        """Names of the variables that are set and may count, also for a strict environment."""
        return {
            strict: frozenset(name for name in env if env_variables.may_count(name))
            for strict, env in self._env.items()
        }

    def _known(self, step: Step) -> frozenset[str]:
        """Those of them that the step does not declare."""
        return self._may_count[step.strict_environment] - declared_variables(step)

    def _where(self, step: Step) -> set[str]:
        names = env_variables.where_named((step.run, *dict(step.env).values()))
        return names - declared_variables(step) - OURS

    def _value(self, name: str, step: Step) -> str:
        """The digest of a variable's value."""
        value = self._env[step.strict_environment].get(name)
        return ABSENT if value is None else _digest(value)


@lru_cache(1024)
def _digest(value: str) -> str:
    return VALUE + blake3(value.encode("utf-8", "surrogateescape")).hexdigest()


def could_be_declared(item: Input) -> bool:
    """True for a variable that is set and that a step's own texts name."""
    if not (item.path.startswith(VARIABLE) and item.digest.startswith(VALUE)):
        return False  # as most inputs, of which there may be thousands
    name = item.path.removeprefix(VARIABLE)
    return env_variables.may_count(name) and not env_variables.reader_of(name)


def own_texts(paths: Iterable[str]) -> Iterator[str]:
    """Of the files that a step read (full paths), those that may name a variable: no packages, no
    files of the system. Of byte code, the source.
    """
    for path in paths:
        if not path.startswith(OF_SYSTEM) and not any(one in path for one in PACKAGES):
            yield source_of(path) or path


def _own_text(step: Step) -> str:
    return "\n".join((step.run, step.shell, *dict(step.env).values()))
