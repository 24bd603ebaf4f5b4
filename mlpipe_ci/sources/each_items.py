"""What is known of data that git does not have, before a step is decided: items, versions, DVC."""

from mlpipe_ci.cache.state import State
from mlpipe_ci.core.paths import is_under
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.workflow import Each
from mlpipe_ci.repo.each_files import chosen, included, on_disk
from mlpipe_ci.repo.location import Place
from mlpipe_ci.sources.dvc import dvc_of
from mlpipe_ci.sources.sources import Sources


def items_of(place: Place, state: State, sources: Sources, wanted: Each) -> tuple[str, ...]:
    """The files of `each`: of the work tree, and of what git does not have. Raises MlpipeError."""
    places = [one.path for one in wanted.external]
    found = on_disk(place.root, wanted)
    here = [path for path in found if not any(is_under(path, place) for place in places)]
    if dvc := dvc_of(place, state):
        tracked = (out for one in included(wanted.patterns) for out in dvc.meant(one))
        here += (out.path for out in tracked if not out.is_directory)
    sources.expect(wanted.external)
    there = (item.path for one in wanted.external for item in sources.items(one))
    meant = (p for p in there if any(matches(one, p) for one in included(wanted.patterns)))
    return chosen(wanted.patterns, {*here, *meant})
