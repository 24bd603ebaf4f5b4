"""What is known of data that git does not have, before a step is decided: items, versions, DVC."""

from mlpipe_ci.cache.state import LocalState
from mlpipe_ci.core.paths import is_under
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.workflow import ForEach
from mlpipe_ci.repo.each_files import chosen, included, on_disk
from mlpipe_ci.repo.location import Locations
from mlpipe_ci.sources.dvc import dvc_of
from mlpipe_ci.sources.sources import Sources


def items_of(
    locations: Locations, state: LocalState, sources: Sources, each: ForEach
) -> tuple[str, ...]:
    """The files of `each`: of the work tree, and of what git does not have. Raises MlpipeError."""
    paths = [one.path for one in each.external]
    found = on_disk(locations.root, each)
    here = [path for path in found if not any(is_under(path, one) for one in paths)]
    if dvc := dvc_of(locations, state):
        tracked = (out for one in included(each.patterns) for out in dvc.meant(one))
        here += (out.path for out in tracked if not out.is_directory)
    sources.expect(each.external)
    there = (item.path for one in each.external for item in sources.items(one))
    meant = (p for p in there if any(matches(one, p) for one in included(each.patterns)))
    return chosen(each.patterns, {*here, *meant})
