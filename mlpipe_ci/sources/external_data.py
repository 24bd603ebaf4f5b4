"""The opened data that git does not have: sources, DVC, Git LFS."""

from collections.abc import Callable

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.sources.dvc import Dvc
from mlpipe_ci.sources.placement import Placement
from mlpipe_ci.sources.sources import Sources


@frozen
class ExternalData:
    """Where data comes from that a commit only names.

    `sources`: URLs that steps read. `dvc`: what DVC tracks; None where it tracks nothing.
    `placement`: puts contents of sources into the work tree. `fetch_lfs`: puts the content of Git
    LFS files, named by their paths, in the place of their pointers; None where that is left to the
    user.
    """

    sources: Sources
    placement: Placement
    dvc: Dvc | None = None
    fetch_lfs: Callable[[tuple[str, ...]], None] | None = None
