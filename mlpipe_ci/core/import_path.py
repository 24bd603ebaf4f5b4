"""Objects named by their import path, `package.module:name`.

A table of such names imports nothing until an entry is used.
"""

from importlib import import_module
from typing import Any


def load_object(path: str) -> Any:
    """Import the module and return the object of that name in it."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
