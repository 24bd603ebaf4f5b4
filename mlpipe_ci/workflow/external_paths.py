"""Places of data from outside of git: each belongs to one source alone. Pure."""

from collections.abc import Sequence

from mlpipe_ci.core import external_url
from mlpipe_ci.core.declared_outputs import DeclaredOutputs
from mlpipe_ci.core.paths import is_under
from mlpipe_ci.core.workflow import ExternalInput, Step


class ExternalPaths:
    """The places under test, in the order in which they are asked for."""

    def __init__(
        self, steps: tuple[Step, ...], declared: DeclaredOutputs, params_files: Sequence[str]
    ) -> None:
        self._steps, self._declared, self._params_files = steps, declared, params_files
        self._known: dict[str, ExternalInput] = {}

    def fault(self, external: ExternalInput) -> str:
        """What is wrong with a place; empty if it is the source's own."""
        path = external.path
        found = self._taken(path) or self._collision(external)
        self._known.setdefault(path, external)
        return found

    def _taken(self, path: str) -> str:
        for write in self._declared.overlapping(path):
            return f"path '{path}' is what step '{self._steps[write.step].name}' writes"
        if any(is_under(source, path) for source in self._params_files):
            return f"path '{path}' holds the workflow's params, which are read before any step runs"
        return ""

    def _collision(self, external: ExternalInput) -> str:
        path = external.path
        for other, known in self._known.items():
            whose = external_url.redacted(known.url)
            if other == path and known.url != external.url:
                return f"path '{path}' is the place of {whose} already"
            if other != path and (is_under(other, path) or is_under(path, other)):
                return f"path '{path}' and '{other}' of {whose} lie inside one another"
        return ""
