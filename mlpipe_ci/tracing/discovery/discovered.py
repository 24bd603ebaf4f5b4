"""What one run of a command was seen to do. Pure."""

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.frozen import frozen


@frozen
class Discovered:
    """What a command did, in the words of the workflow file; paths are relative to the root."""

    inputs: tuple[Input, ...] = ()
    """As they were when the step looked first."""
    reads: tuple[str, ...] = ()
    """Files of the inputs that it read."""
    writes: tuple[str, ...] = ()
    """Files that it wrote and did not declare; also those that it changed in place."""
    rewrites: tuple[str, ...] = ()
    """Files that it read and then changed."""
    removes: tuple[str, ...] = ()
    """Files that it removed and had not written."""
    logs: tuple[str, ...] = ()
    """Files that it only added to, and nobody else reads: they stay from run to run."""
    outside: tuple[str, ...] = ()
    """What it wrote outside of the repository."""
    environments: tuple[str, ...] = ()
    """Python environments that it made."""
    installed: tuple[str, ...] = ()
    """Directories of packages into which it has installed one."""
    meanwhile: str = ""
    """A file that somebody else changed while it ran."""
    unstorable: str = ""
    """Why it is not known what it saw."""
    variables: tuple[str, ...] = ()
    """Environment variables that it used."""
    state: tuple[Input, ...] = ()
    """What it saw of the state that other steps keep."""
