"""Which names an expression may use, by the key of the file that it stands in. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from difflib import get_close_matches
from typing import Any

from mlpipe_ci.core.expressions import (
    STATUS_FUNCTIONS,
    ExpressionError,
    Name,
    call_fault,
    calls,
    missing_key,
    names,
    parse,
)
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.step_contexts import FACTS
from mlpipe_ci.core.workflow import GITHUB

AVAILABLE = {
    "name": ("params", "matrix", "each"),
    "description": (),
    "env": ("params", "matrix", "each", "env", "github", "secrets"),
    "if": ("params", "matrix", "each", "env", "steps", "github"),
    "gates": ("metrics", "base", "params", "matrix", "each", "env"),
    "strategy": ("params",),
    "each": ("params",),
}
"""Contexts by key of a step. The keys that are not named here may use DEFAULT."""
DEFAULT = ("params", "matrix", "each", "env")
OF_STEP = ("outcome", "conclusion", "metrics")
ALL = ("params", "matrix", "each", "env", "steps", "github", "secrets", "metrics", "base")


@frozen
class KnownNames:
    """What can be named in one step.

    `params`, `env`: None if they could not be read. `matrix`: None if the step has none, empty if
    it could not be read. `each`: the step has items.
    `hidden`: variables of `env` that hold text from outside (`github`) or a secret (`secrets`).
    `before` and `after`: ids of the steps above and below in the file.
    """

    params: Mapping[str, Any] | None = None
    matrix: Mapping[str, Any] | None = None
    each: bool = False
    env: Mapping[str, Any] | None = field(default_factory=dict)
    hidden: Mapping[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def problem_with_expression(source: str, key: str, known: KnownNames) -> str | None:
    """What is wrong with an expression as far as its text shows, or None."""
    return next(_faults(source, key, known), None)


def _faults(source: str, key: str, known: KnownNames) -> Iterator[str]:
    try:
        tree = parse(source)
    except ExpressionError as error:
        yield str(error)
        return
    for call in calls(tree):
        found = call_fault(call) or _misplaced(call.name, key)
        if found:
            yield found
    for name in names(tree):
        found = _name_fault(name, key, known)
        if found:
            yield found


def _misplaced(function: str, key: str) -> str | None:
    if function.lower() == "worse_than_base":
        return None if key == "gates" else f"{function}() can be used in 'gates' only"
    if key == "if":
        return None
    if function.lower() in STATUS_FUNCTIONS:
        return f"{function}() can be used in 'if' only"
    if function.lower() == "hashfiles":
        return "hashFiles() can be used in 'if' only; files named in 'inputs' count by themselves"
    return None


def _name_fault(name: Name, key: str, known: KnownNames) -> str | None:
    root = name.root.lower()
    if root not in ALL:
        return _unknown(name.root, key)
    if root not in AVAILABLE.get(key, DEFAULT):
        return _elsewhere(name, key)
    checks = {
        "params": _params_fault,
        "matrix": _matrix_fault,
        "each": _each_fault,
        "env": _env_fault,
        "steps": _steps_fault,
        "github": _github_fault,
        "secrets": _secrets_fault,
    }
    return checks[root](name, key, known) if root in checks else None


def _unknown(root: str, key: str) -> str:
    available = AVAILABLE.get(key, DEFAULT)
    lower = {"True": "true", "False": "false", "None": "null", "TRUE": "true", "FALSE": "false"}
    if root in lower:
        return f"unknown name '{root}'; write {lower[root]}"
    if root.lower() in FOREIGN:
        return f"there is no '{root}' here; {FOREIGN[root.lower()]}"
    near = get_close_matches(root.lower(), ALL, n=1, cutoff=0.7)
    if near:
        return f"unknown name '{root}'; did you mean '{near[0]}'?"
    if "-" in root:
        return f"unknown name '{root}'; for a subtraction put blanks around the -"
    if key == "gates":
        return f"unknown name '{root}'; for the metric write metrics.{root}"
    names_ = ", ".join(available) or "none here"
    return f"unknown name '{root}'; known are {names_}; a text stands in single quotes: '{root}'"


FOREIGN = {
    "needs": "ask for an earlier step in 'if', as steps.<id>.outcome",
    "runner": "the command itself has $RUNNER_OS and the like",
    "job": "ask for an earlier step in 'if', as steps.<id>.outcome",
    "jobs": "ask for an earlier step in 'if', as steps.<id>.outcome",
    "inputs": "values that are chosen from outside are params; see --set",
    "vars": "give it to mlpipe as an environment variable; the command has it as such",
    "strategy": "the values of this step are in 'matrix'",
}
"""Contexts that GitHub has and mlpipe has not."""


def _elsewhere(name: Name, key: str) -> str:
    root, shown = name.root.lower(), ".".join((name.root, *name.keys))
    if root in {"github", "secrets"} and not name.keys:
        return f"{root} cannot be used here as a whole; pass one of its values through 'env'"
    if root in {"github", "secrets"} and key == "run":
        variable = (name.keys[-1] if name.keys else root).upper().replace("-", "_")
        github = "is text from outside, which may hold commands"
        why = github if root == "github" else "would show in the step's key and its log"
        return (
            f'{shown} {why}; write env: {{{variable}: "${{{{ {shown} }}}}"}} at the step, '
            f'and "${variable}" in the command'
        )
    return f"{shown} {ELSEWHERE.get(root, f'cannot be used in {key!r}')}"


ELSEWHERE = {
    "github": "can be used in 'if' and 'env' only: a branch must not change what a step is",
    "secrets": "can be used in 'env' only: elsewhere it would show in the key and the log",
    "steps": "can be used in 'if' only; pass data between steps as files",
    "metrics": "can be used in 'gates' only; in 'if' write steps.<id>.metrics.<name>",
    "base": "can be used in 'gates' only",
}
"""Where a context can be used, for the keys in which it cannot."""


def _params_fault(name: Name, _key: str, known: KnownNames) -> str | None:
    if known.params is None:
        return None
    if not known.params and name.keys:
        return f"{'.'.join((name.root, *name.keys))}: the file has no 'params'"
    return missing_key(known.params, name)


def _matrix_fault(name: Name, _key: str, known: KnownNames) -> str | None:
    if known.matrix is None:
        return "the step has no strategy.matrix, so there is no 'matrix'"
    if not known.matrix:
        return None  # it could not be read
    return missing_key(known.matrix, Name(name.root, name.keys[:1], whole=False))


def _each_fault(name: Name, _key: str, known: KnownNames) -> str | None:
    if not known.each:
        return "the step has no 'each', so there is no item"
    return missing_key(dict.fromkeys(FACTS), Name(name.root, name.keys[:1], whole=True))


def _env_fault(name: Name, key: str, known: KnownNames) -> str | None:
    if known.env is None:
        return None
    if not name.keys:
        return _env_as_a_whole(key, known)
    variable = next((v for v in known.env if name.keys and v.lower() == name.keys[0].lower()), None)
    if variable is None:
        known_names = dict.fromkeys(known.env, "")
        declare = "; variables of the machine are there for the command itself, as in $HOME"
        found = missing_key(known_names, name)
        return found + declare if found and "did you mean" not in found else found
    hidden = known.hidden.get(variable)
    if hidden == "secrets" or (hidden == "github" and key not in {"if", "env"}):
        what = "a secret" if hidden == "secrets" else "text from outside"
        use = (
            "name it as ${{ secrets.NAME }} here too"
            if key == "env"
            else f'write "${variable}" in the command instead'
        )
        return f"env.{variable} holds {what}; {use}"
    return None


def _env_as_a_whole(key: str, known: KnownNames) -> str | None:
    """`toJSON(env)`, `env.*` and `env[…]` may mean any variable, also one that may not be named."""
    kinds = {"secrets"} if key in {"if", "env"} else {"secrets", "github"}
    hidden = [name for name, source in known.hidden.items() if source in kinds]
    if not hidden:
        return None
    return f"env is asked as a whole, and {hidden[0]} in it may not be; name one"


def _steps_fault(name: Name, _key: str, known: KnownNames) -> str | None:
    if not name.keys:
        return None if not name.whole else "name a step: steps.<id>.outcome"
    step, *rest = name.keys
    if step in known.after:
        return f"step '{step}' comes later in the file, so nothing is known of it yet"
    if step not in known.before:
        near = get_close_matches(step, known.before, n=1)
        others = ", ".join(known.before) or "none, this is the first step"
        hint = f"did you mean '{near[0]}'?" if near else f"earlier steps are {others}"
        return f"no earlier step has the id '{step}'; {hint}"
    if rest and rest[0].lower() not in OF_STEP:
        return missing_key(dict.fromkeys(OF_STEP), Name(f"steps.{step}", (rest[0],), whole=True))
    return None


def _github_fault(name: Name, _key: str, _known: KnownNames) -> str | None:
    return missing_key(dict.fromkeys(GITHUB), Name("github", name.keys[:1], whole=True))


def _secrets_fault(name: Name, _key: str, _known: KnownNames) -> str | None:
    if len(name.keys) == 1 and name.whole:
        return None
    return "name one secret: ${{ secrets.NAME }}"
