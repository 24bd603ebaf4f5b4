"""The JSON schemas."""

import json
from typing import Any

from mlpipe_ci.workflow.schema_errors import SCHEMA_DIR


def schema(name: str) -> dict[str, Any]:
    return dict(json.loads((SCHEMA_DIR / f"{name}.schema.json").read_text()))
