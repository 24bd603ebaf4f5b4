"""The digests and paths of discovered inputs, by kind.

Digests of a discovered input: those of a declared one (`git:…`, `blake3:…`, `link:…`, `commit:…`);
`absent` for a path that was looked for in vain; `exists:file|directory|other` for one that was only
asked after; `names:…` for a directory that was listed; `modules:…|…` for one that only Python's
search for modules has listed: what in it could be one that the step asks for, and which these are;
`system` or a digest for a program that PATH finds, whose path is `program:NAME`; `value:…` of an
environment variable (see `step_variables`); `log` for a file that the step only adds to, and that
stays as it is; `state` for what it keeps as state, and `state:` before the digest of what it saw of
another step's. `packages` has those of what is installed.
"""

from mlpipe_ci.core.place import PLACE
from mlpipe_ci.core.platform import PLATFORM

ABSENT, EXISTS, NAMES, VALUE = "absent", "exists:", "names:", "value:"
MODULES = "modules:"
IGNORED = "ignored:"
"""And the reason: the step saw it, and it counts for nothing."""
LOG, READ_LOG = "log", "log that is read"
KEEPS, STATE = "state", "state:"
LISTINGS = (NAMES, MODULES)
VARIABLE, PROGRAM, PREFIX = "env:", "program:", "dist:"
"""How paths begin of an environment variable, of a program, and of what is installed."""
NOT_SEEN = (PLATFORM, PLACE)
"""How paths begin of what belongs to a result though nothing has watched its step."""
ELSEWHERE = ("/", VARIABLE, PROGRAM, PREFIX, *NOT_SEEN)
"""How paths begin that are none of the repository."""
OF_SYSTEM, OF_ENVIRONMENT = "system", "environment"
"""Programs that count by no bytes of theirs: the system's, and scripts of installed packages."""


def shown_path(path: str) -> str:
    """The path of an input as people write it: `~/data.csv`, `../conf`."""
    return path[1:] if path.startswith(("/~", "/..")) else path
