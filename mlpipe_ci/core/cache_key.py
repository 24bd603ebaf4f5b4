"""The key of a step: the hash of all that decides what it would do."""

import json
from collections.abc import Mapping
from typing import Any

from blake3 import blake3

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.workflow import Step

VERSION = 3
"""Version of the encoding. Raise it whenever an older key would mean something else."""
OUTSIDE = "source:"
"""What the digest of data begins with that git does not have."""
MOST_SHOWN = 40
"""Characters of a value in a reason."""
DECLARED, NOT_DECLARED = "declared now", "no longer declared"
"""Said of an input that may be what it was, and of which only the file says something else."""


@frozen(order=True)
class Input:
    """One file that a step reads: path, digest (`git:…`, `blake3:…`), executable bit.

    Or many files of one directory: see `directory_listing`.
    """

    path: str
    digest: str
    executable: bool = False


Inputs = Mapping[str, Input]
"""By their paths."""
NO_INPUTS: Inputs = {}


@frozen
class KeyParts:
    """What goes into a key, saved with each result so that two keys can be compared in words.

    `params`: dotted path and canonical JSON text (see `json_text`) of each that the step uses.
    """

    run: str
    shell: str
    directory: str
    params: tuple[tuple[str, str], ...]
    env: tuple[tuple[str, str], ...]
    outputs: tuple[str, ...]
    inputs: tuple[Input, ...]
    repeat: int = 1


def key_parts(step: Step, inputs: tuple[Input, ...]) -> KeyParts:
    """Collect what decides a step. The order of lists in the file is not part of it."""
    return KeyParts(
        run=step.run,
        shell=step.shell,
        directory=step.working_directory,
        params=step.params,
        env=tuple(sorted(step.env)),
        outputs=tuple(sorted(step.writes)),
        inputs=tuple(sorted(inputs, key=by_path)),
        repeat=step.repeat,
    )


def by_path(item: Input) -> tuple[str, str, bool]:
    """The order of inputs: comparing them as they are takes ten times as long."""
    return item.path, item.digest, item.executable


def encode(parts: KeyParts) -> bytes:
    """Canonical encoding: JSON, ASCII, sorted keys, no blanks, with a type and a version."""
    record = {"type": "mlpipe-key", "version": VERSION, **as_record(parts)}
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode("ascii")


def as_record(parts: KeyParts) -> dict[str, Any]:
    """The parts as values that JSON takes; ten times as fast as `asdict`."""
    record = vars(parts) | {"inputs": [vars(item) for item in parts.inputs]}
    if parts.repeat == 1:  # as before there was such a key
        del record["repeat"]
    return record


def step_key(parts: KeyParts) -> str:
    """BLAKE3 of the canonical encoding, 64 hexadecimal digits."""
    return blake3(encode(parts)).hexdigest()


def differences(
    old: KeyParts, new: KeyParts, reads: tuple[str, ...] | None = None, seen: Inputs = NO_INPUTS
) -> tuple[str, ...]:
    """What changed between two keys, in words, the most important first.

    `reads`: the input patterns of the new one, if they are known, and `seen`: by path, what was
    read without being declared when the old one was made. They tell a file that is new from one
    that is only declared now.
    """
    found = _input_differences(old.inputs, new.inputs, reads, seen)
    values = _param_differences(dict(old.params), dict(new.params))
    found += [f"params.{path} {_value(a)} → {_value(b)}" for path, a, b in values]
    if old.params != new.params and not values:
        found.append("other params are named")
    if old.run != new.run and not _explained(old.run, new.run, values):
        found.append("command changed")
    if old.shell != new.shell:
        found.append(f"shell '{old.shell}' → '{new.shell}'")
    if old.directory != new.directory:
        found.append(f"working-directory {old.directory} → {new.directory}")
    found += _env_differences(dict(old.env), dict(new.env))
    if old.repeat != new.repeat:
        found.append(f"repeat {old.repeat} → {new.repeat}")
    if old.outputs != new.outputs:
        found.append("declared outputs changed")
    return tuple(found)


def changed_inputs(old: KeyParts, new: KeyParts) -> list[str]:
    """Paths of the inputs that differ between two keys: the first of `differences`, one each."""
    before, after = {i.path: i for i in old.inputs}, {i.path: i for i in new.inputs}
    paths = sorted(before.keys() | after.keys())
    return [path for path in paths if before.get(path) != after.get(path)]


def _input_differences(
    old: tuple[Input, ...], new: tuple[Input, ...], reads: tuple[str, ...] | None, seen: Inputs
) -> list[str]:
    before, after = {i.path: i for i in old}, {i.path: i for i in new}
    found = []
    for path in sorted(before.keys() | after.keys()):
        if path not in before:
            other = path in seen and seen[path] != after[path]
            word = DECLARED if _is_declared_now(path, before, reads, seen) else "added"
            found.append(f"{path} {'changed' if other else word}")
        elif path not in after:
            named = reads is None or any(matches(pattern, path) for pattern in reads)
            found.append(f"{path} {'removed' if named else NOT_DECLARED}")
        elif before[path].digest != after[path].digest:
            digests = (before[path].digest, after[path].digest)
            outside = all(digest.startswith(OUTSIDE) for digest in digests)
            found.append(f"{path} changed at its source" if outside else f"{path} changed")
        elif before[path].executable != after[path].executable:
            found.append(f"{path} {'is' if after[path].executable else 'no longer'} executable")
    return found


def _is_declared_now(
    path: str, before: Inputs, reads: tuple[str, ...] | None, seen: Inputs
) -> bool:
    """True for a file that no pattern meant before: what a pattern means has to be there."""
    if reads is None:
        return False
    if path in seen or path in reads:
        return True
    meaning = [pattern for pattern in reads if matches(pattern, path)]
    return not any(matches(pattern, one) for pattern in meaning for one in before)


def json_text(value: Any) -> str:
    """A value as canonical JSON, by which it counts in a key: `42`, `42.0` and `"42"` differ."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


Difference = tuple[str, str | None, str | None]
"""Dotted path of a leaf, and the JSON text of its old and new value; None: it is not there."""


def params_changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """What differs between all params of two workflows."""
    return _param_differences({"*": json_text(old)}, {"*": json_text(new)})


def _param_differences(old: dict[str, str], new: dict[str, str]) -> list[Difference]:
    before, after = _leaves(old), _leaves(new)
    paths = sorted(before.keys() | after.keys())
    return [(p, before.get(p), after.get(p)) for p in paths if before.get(p) != after.get(p)]


def _leaves(params: dict[str, str]) -> dict[str, str]:
    """Each leaf of the values. A list is one leaf, and so is an empty map."""
    found: dict[str, str] = {}
    level = [("" if path == "*" else path, json.loads(text)) for path, text in params.items()]
    while level:
        path, value = level.pop()
        if isinstance(value, dict) and value:
            level += [(f"{path}.{key}" if path else key, item) for key, item in value.items()]
        else:
            found[path] = json_text(value)
    return found


def _explained(old: str, new: str, values: list[Difference]) -> bool:
    """True if the commands differ only by the values of params that changed."""
    for _, before, after in values:
        if before is not None and after is not None:
            old = old.replace(_plain(before), _plain(after))
    return old == new


def _plain(text: str) -> str:
    return text[1:-1] if text.startswith('"') else text


def _value(text: str | None) -> str:
    if text is None:
        return "none"
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…"


def _env_differences(old: dict[str, str], new: dict[str, str]) -> list[str]:
    return [
        f"env {name} {_quoted(old.get(name))} → {_quoted(new.get(name))}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _quoted(value: str | None) -> str:
    if value is None:
        return "unset"
    return f"'{value if len(value) <= MOST_SHOWN else value[:MOST_SHOWN] + '…'}'"
