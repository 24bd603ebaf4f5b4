"""Which paths are state, and which step keeps them. Pure."""

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.state_paths import is_declared, is_remade, is_state
from mlpipe_ci.tracing.discovery.later_writes import LaterWrites


@frozen
class KnownState:
    """`patterns`: paths that are declared to be state. `keepers`: who keeps which; None: state is
    not looked at, as that of another commit is not known.
    """

    patterns: tuple[str, ...] = ()
    keepers: LaterWrites | None = None

    def has(self, path: str) -> bool:
        """True for what is state by its name, or declared."""
        return is_state(path, self.patterns)

    def is_declared(self, path: str) -> bool:
        """True for what is declared to be state."""
        return is_declared(path, self.patterns)

    def is_anothers(self, path: str, index: int) -> bool:
        """True for state that counts for the step number `index` of the workflow: neither it nor a
        later one keeps it.
        """
        if self.keepers is None or is_remade(path):
            return False
        return not self.keepers.is_own_or_later(path, index)
