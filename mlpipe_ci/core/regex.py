"""Regular expressions that are compiled at their first use.

A module's constants are made each time that it is imported; of its expressions a run needs few, and
to compile fifty takes 8 ms.
"""

import re
from typing import Any, AnyStr, cast


def regex(pattern: AnyStr, flags: int = 0) -> "re.Pattern[AnyStr]":
    """What `re.compile` gives, later. `re.error` for a wrong pattern comes with the first use."""
    return cast("re.Pattern[AnyStr]", _Later(pattern, flags))


class _Later:
    """Takes each method and attribute of the expression over when one is asked for."""

    def __init__(self, pattern: Any, flags: int) -> None:
        self._given = pattern, flags

    def __getattr__(self, name: str) -> Any:
        compiled = re.compile(*self._given)
        taken = {one: getattr(compiled, one) for one in dir(compiled) if not one.startswith("_")}
        self.__dict__.update(taken)
        return getattr(compiled, name)
