"""Values from the text of a JSON, YAML or TOML file, as JSON would have them. Plain values out."""

import datetime as dt
import json
from pathlib import PurePosixPath
from typing import Any

YAML_ENDINGS = (".yaml", ".yml")


class DataError(Exception):
    """The text is not what the file's ending says; the message names the file and the place."""


def plain_data(source: str, text: str, ending: str = "") -> Any:
    """The value of a file's text; of an empty one None. Raises DataError.

    `source` is the file's name, and says what is in it if `ending` does not.
    """
    ending = ending or PurePosixPath(source).suffix.lower()
    if ending in YAML_ENDINGS:
        return _plain(_yaml(source, text)) if text.strip() else None
    try:
        if ending == ".json":
            return json.loads(text)
        if ending == ".toml":
            import tomllib  # noqa: PLC0415 - as below

            return _plain(tomllib.loads(text))
    except (ValueError, RecursionError) as error:
        raise DataError(f"'{source}': {error}") from error
    raise DataError(f"'{source}' is not a .yaml, .yml, .json or .toml file")


def _yaml(source: str, text: str) -> Any:
    # The parser takes 0.015 s to import, which a run with metrics in JSON does not pay.
    from mlpipe_ci.core.yaml.parse import YamlError, parse  # noqa: PLC0415

    try:
        return parse(text).value
    except YamlError as error:
        problem = error.problems[0]
        if problem.message.startswith("the file is empty"):
            return None
        raise DataError(f"{source}:{problem.line}:{problem.column}: {problem.message}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"'{source}': {error}") from error


def _plain(value: Any) -> Any:
    """TOML's dates become text, and so do keys."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return value
