"""What is known of data that git does not have, before a step is decided: items, versions, DVC."""

from mlpipe_ci.addresses import address_of, identity
from mlpipe_ci.cache.state import State
from mlpipe_ci.cache.store import Store
from mlpipe_ci.dvc import Dvc
from mlpipe_ci.errors import PathError
from mlpipe_ci.files import Tree
from mlpipe_ci.items import chosen, included, on_disk
from mlpipe_ci.keys import Input
from mlpipe_ci.paths import is_under
from mlpipe_ci.patterns import matches
from mlpipe_ci.place import Place
from mlpipe_ci.sources import Sources
from mlpipe_ci.sources.base import MARK
from mlpipe_ci.workflow import Each, External, Workflow


def dvc_of(place: Place, state: State) -> Dvc | None:
    """What DVC tracks, if it is used."""
    git = place.git
    if git is None or not (place.root / ".dvc").is_dir():
        return None

    def text(path: str) -> str | None:
        try:
            return (place.root / path).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    return Dvc(place.root, lambda: (*git.index(), *git.look().untracked), text, state.md5)


def no_item(workflow: Workflow, wanted: Each) -> str:
    """What to say of `each` where no file matches."""
    return (
        f"{workflow.file}:{wanted.line}: step '{wanted.step}': each: no file matches "
        f"'{', '.join(wanted.patterns)}'; add a file, or correct the pattern"
    )


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


def digest_of(tree: Tree, path: str) -> str:
    """The digest of what is at a path now, as an output has it; empty if that cannot be told."""
    tree.add_outputs([path])
    try:
        found = tree.known(path)
    except PathError:
        return ""
    return found.digest if found else ""


def recalled(store: Store, scopes: tuple[str, ...], external: External) -> tuple[Input, ...]:
    """What the newest result that read a source says of it."""
    newest: tuple[float, tuple[Input, ...]] = (0.0, ())
    for result in store.latest(scopes).values():
        inputs = result.parts.inputs if result.parts else ()
        here = (one for one in inputs if one.digest.startswith(MARK))
        found = tuple(
            one
            for one in here
            if is_under(one.path, external.path)
            and one.digest.endswith(f":{identity(address_of(external, one.path))}")
        )
        if found and result.finished > newest[0]:
            newest = result.finished, found
    return newest[1]
