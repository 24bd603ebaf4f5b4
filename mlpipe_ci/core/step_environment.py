"""The environment variables that a step's command is given by mlpipe. Pure."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache

from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.mask import LEAST
from mlpipe_ci.core.settings import NOT_FOR_STEPS
from mlpipe_ci.core.workflow import Step, Workflow

DEFAULTS = {"TZ": "UTC", "PYTHONHASHSEED": "0"}
"""What a step gets where the caller has none: else two machines give different bytes."""
LOCALE, NEUTRAL = ("LANG", "LANGUAGE", "LC_*"), {"LANG": "C.UTF-8"}
ALWAYS = ("PATH", "HOME", "TMPDIR", "LANG", "LC_*", *DEFAULTS)
"""What a step gets with `environment: strict`, beside its `env`."""

WHERE, BEFORE = "PWD", "OLDPWD"
"""The directory of the command, whatever that of mlpipe is; where somebody was before is nothing
to a step, and a shell looks whether it is there.
"""


def environment_of_steps(env: Mapping[str, str], *, at_desk: bool) -> dict[str, str]:
    """What all steps get of the environment that mlpipe was started with, its secrets included.

    A desk's own language says nothing about the work; what a CI system sets was chosen for it.
    """
    gone = (*NOT_FOR_STEPS, BEFORE)
    given = {name: value for name, value in env.items() if name not in gone}
    spoken = [name for name in given if fits(name, LOCALE)]
    if at_desk or not spoken:
        given = {name: value for name, value in given.items() if name not in spoken} | NEUTRAL
    return DEFAULTS | given


def passed(env: Mapping[str, str], *, strict: bool) -> dict[str, str]:
    """What one step gets of that: all, or with `environment: strict` only what every step needs."""
    return {name: env[name] for name in env if not strict or fits(name, ALWAYS)}


def secret_names(workflow: Workflow) -> frozenset[str]:
    """All secrets that the workflow names. Only a step that names one is given it."""
    return frozenset(
        text
        for step in workflow.steps
        for variable in step.secret_env
        for is_secret, text in variable.parts
        if is_secret
    )


def secret_values(workflow: Workflow, env: Mapping[str, str]) -> tuple[str, ...]:
    """The values of those that are set, to be masked. Raises UsageError for one too short for it.

    `env`: the environment of steps.
    """
    known = {name: env[name] for name in sorted(secret_names(workflow)) if env.get(name)}
    for name, value in known.items():
        if len(value.strip()) < LEAST:
            raise UsageError(
                f"the secret {name} is shorter than {LEAST} characters: masked in logs and "
                "reports, it would hide ordinary words; give it a longer value, or write it in "
                "'env' as it is if it is no secret"
            )
    return tuple(known.values())


def missing_secrets(step: Step, env: Mapping[str, str]) -> tuple[str, ...]:
    """What a step needs that is not set, or empty, in words. `env`: what all steps get."""
    names = (name for one in step.secret_env for is_secret, name in one.parts if is_secret)
    return tuple(
        f"the secret {name} is not set; give it to mlpipe as an environment variable (on GitHub: "
        f"env: {{{name}: ${{{{ secrets.{name} }}}}}})"
        for name in dict.fromkeys(names)
        if not env.get(name)
    )


def declared_variables(step: Step) -> frozenset[str]:
    """Variables that a step's `env` sets: they count in its key."""
    return frozenset(name for name, _ in step.env)  # those with secrets are among them


def fits(name: str, patterns: Iterable[str]) -> bool:
    """True if a name is one of these; `*` stands for anything, mostly an end.

    Hundreds of patterns are asked in each run: to make expressions of them takes 30 ms.
    """
    names, beginnings, others = _sorted_by_form(tuple(patterns))
    return (
        name in names
        or name.startswith(beginnings)
        or any(fnmatchcase(name, one) for one in others)
    )


@lru_cache(64)
def _sorted_by_form(
    patterns: tuple[str, ...],
) -> tuple[frozenset[str], tuple[str, ...], tuple[str, ...]]:
    """Plain names, what names begin with, and all other patterns."""
    beginnings = [one for one in patterns if one[-1] == "*" and not set("*?[") & set(one[:-1])]
    others = [one for one in patterns if set("*?[") & set(one) and one not in beginnings]
    names = frozenset(patterns).difference(beginnings, others)
    return names, tuple(one[:-1] for one in beginnings), tuple(others)
