"""A `Result` as a file, and back. What does not verify or parse is no result.

The first line is the BLAKE3 of the rest, 64 hexadecimal digits; the second is JSON. A flipped digit
of a number would still be JSON, and a lie.
"""

import json
import math
from typing import Any

from blake3 import blake3

from mlpipe_ci.cache.objects import ALL_BITS
from mlpipe_ci.core.cache_key import Input, KeyParts, as_record
from mlpipe_ci.core.paths import normal, path_fault
from mlpipe_ci.core.regex import regex
from mlpipe_ci.core.result import Output, Producer, Result, plain_number

VERSION = 4
READABLE = (VERSION,)
"""Versions that are read. From 4 on the last two are: see docs/decisions/0019."""
NOT_FINITE = ("NaN", "Infinity", "-Infinity")
KINDS = ("file", "link", "directory")
DIGEST = regex(r"blake3:[0-9a-f]{64}")
SEAL = 65
"""Bytes of the first line."""


def encode_result(result: Result) -> bytes:
    """The result as one line of JSON (ASCII, sorted keys), below the line that vouches for it."""
    record = {"version": VERSION, **vars(result)}
    record["discovered"] = [vars(item) for item in result.discovered]
    record["outputs"] = [vars(output) for output in result.outputs]
    record["producer"] = vars(result.producer)
    if parts := result.parts:
        record["parts"] = vars(parts) | {"inputs": [vars(item) for item in parts.inputs]}
    record["metrics"] = [(name, plain_number(value)) for name, value in result.metrics]
    record["samples"] = [(name, list(map(plain_number, many))) for name, many in result.samples]
    text = json.dumps(record, sort_keys=True, allow_nan=False).encode("ascii")
    return _seal(text) + text


def decode_result(data: bytes) -> Result | None:
    """The result, or None if the bytes are damaged or of another version."""
    seal, text = data[:SEAL], data[SEAL:]
    if seal != _seal(text):
        return None
    try:
        record = json.loads(text)
        if record.pop("version") not in READABLE:
            return None
        record["parts"] = decode_parts(record["parts"])
        record["discovered"] = tuple(_input(item) for item in record["discovered"])
        record["outputs"] = tuple(_output(item) for item in record["outputs"])
        record["metrics"] = tuple(
            (_text(name), _metric(value)) for name, value in record["metrics"]
        )
        record["samples"] = tuple(
            (_text(name), tuple(_metric(value) for value in many))
            for name, many in record.get("samples", ())
        )
        record["producer"] = Producer(**{k: _text(v) for k, v in record["producer"].items()})
        record |= {name: _text(record[name]) for name in ("key", "step", "log")}
        record |= {name: _number(record[name]) for name in ("seconds", "finished")}
        return Result(**record)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return None


def is_earlier(data: bytes) -> bool:
    """True for a result, whole, of an earlier version that is not read any more."""
    seal, text = data[:SEAL], data[SEAL:]
    if seal != _seal(text):
        return False
    try:
        return int(json.loads(text)["version"]) < min(READABLE)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _seal(text: bytes) -> bytes:
    return blake3(text).hexdigest().encode("ascii") + b"\n"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _json(value: object) -> str:
    text = _text(value)
    json.loads(text)
    return text


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(value)
    if not math.isfinite(number := float(value)):
        raise ValueError(value)
    return number


def _metric(value: object) -> float:
    return float(value) if value in NOT_FINITE else _number(value)


def _input(item: dict[str, Any]) -> Input:
    return Input(
        path=_text(item["path"]), digest=_text(item["digest"]), executable=bool(item["executable"])
    )


def _output(item: dict[str, Any]) -> Output:
    output = Output(**item)
    _text(output.path), _text(output.kind), _text(output.digest), _text(output.pack)
    numbers = (output.size, output.offset, output.mode, output.order)
    if any(type(number) is not int or number < 0 for number in numbers):
        raise TypeError(numbers)
    if output.mode > ALL_BITS:
        raise ValueError(output.mode)
    if output.kind not in KINDS or path_fault(output.path) or normal(output.path) != output.path:
        raise ValueError(output.path)
    if output.kind == "file" and not DIGEST.fullmatch(output.digest):
        raise ValueError(output.digest)
    if output.pack and not DIGEST.fullmatch(output.pack):
        raise ValueError(output.pack)
    return output


def encode_parts(parts: KeyParts) -> str:
    """The parts of a key as JSON text."""
    return json.dumps(as_record(parts), sort_keys=True)


def decode_parts(record: dict[str, Any]) -> KeyParts:
    """The parts of a key from parsed JSON. Raises TypeError, KeyError or ValueError on damage."""
    return KeyParts(
        run=str(record["run"]),
        shell=_text(record["shell"]),
        directory=_text(record["directory"]),
        params=tuple((_text(path), _json(text)) for path, text in record["params"]),
        env=tuple((str(name), str(value)) for name, value in record["env"]),
        outputs=tuple(record["outputs"]),
        inputs=tuple(_input(item) for item in record["inputs"]),
        repeat=int(record.get("repeat", 1)),
    )
