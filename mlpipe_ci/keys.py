"""The key of a step: the hash of all that decides what it would do."""

import json
from dataclasses import asdict, dataclass

from blake3 import blake3

from mlpipe_ci.workflow import SHELL, Step

VERSION = 1
"""Version of the encoding. Raise it whenever an older key would mean something else."""


@dataclass(frozen=True, kw_only=True, order=True)
class Input:
    """One file that a step reads: path, digest (`git:…`, `blake3:…`), executable bit."""

    path: str
    digest: str
    executable: bool = False


@dataclass(frozen=True, kw_only=True)
class KeyParts:
    """What goes into a key, kept with each result so that two keys can be told apart in words."""

    run: str
    shell: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    outputs: tuple[str, ...]
    inputs: tuple[Input, ...]


def key_parts(step: Step, inputs: tuple[Input, ...]) -> KeyParts:
    """Collect what decides a step. The order of lists in the file is not part of it."""
    return KeyParts(
        run=step.run,
        shell=SHELL,
        env=tuple(sorted(step.env)),
        outputs=tuple(sorted(step.writes)),
        inputs=tuple(sorted(inputs)),
    )


def encode(parts: KeyParts) -> bytes:
    """Canonical encoding: JSON, ASCII, sorted keys, no blanks, with a type and a version."""
    record = {"type": "mlpipe-key", "version": VERSION, **asdict(parts)}
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode("ascii")


def step_key(parts: KeyParts) -> str:
    """BLAKE3 of the canonical encoding, 64 hexadecimal digits."""
    return blake3(encode(parts)).hexdigest()


def differences(old: KeyParts, new: KeyParts) -> tuple[str, ...]:
    """What changed between two keys, in words, most telling first."""
    found = [*_input_differences(old.inputs, new.inputs)]
    if old.run != new.run:
        found.append("command changed")
    if old.shell != new.shell:
        found.append("shell changed")
    found += _env_differences(dict(old.env), dict(new.env))
    if old.outputs != new.outputs:
        found.append("declared outputs changed")
    return tuple(found)


def _input_differences(old: tuple[Input, ...], new: tuple[Input, ...]) -> list[str]:
    before, after = {i.path: i for i in old}, {i.path: i for i in new}
    found = []
    for path in sorted(before.keys() | after.keys()):
        if path not in before:
            found.append(f"{path} added")
        elif path not in after:
            found.append(f"{path} removed")
        elif before[path].digest != after[path].digest:
            found.append(f"{path} changed")
        elif before[path].executable != after[path].executable:
            found.append(f"{path} {'is' if after[path].executable else 'no longer'} executable")
    return found


def _env_differences(old: dict[str, str], new: dict[str, str]) -> list[str]:
    return [
        f"env {name} {_quoted(old.get(name))} → {_quoted(new.get(name))}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _quoted(value: str | None) -> str:
    if value is None:
        return "unset"
    return f"'{value if len(value) <= 40 else value[:40] + '…'}'"  # noqa: PLR2004 - a line's worth
