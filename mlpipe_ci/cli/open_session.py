"""Opens what a command works on: root, git, event, workflow, cache, state."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from mlpipe_ci import __version__
from mlpipe_ci.cache.stale_outputs import Departed
from mlpipe_ci.cache.state import State
from mlpipe_ci.cache.store import Store
from mlpipe_ci.ci.checkout import large_files, remote_for
from mlpipe_ci.ci.event import read_event
from mlpipe_ci.cli.options import Options
from mlpipe_ci.cli.step_selection import _chosen, named_steps
from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.event import DESK, Event
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.result import Producer
from mlpipe_ci.core.workflow import Workflow
from mlpipe_ci.plan.session import Workspace, note_writers
from mlpipe_ci.repo.blame import Authors
from mlpipe_ci.repo.changes import compare
from mlpipe_ci.repo.each_files import Items, on_disk
from mlpipe_ci.repo.git import History
from mlpipe_ci.repo.location import Place
from mlpipe_ci.repo.work_tree import Tree, digest_of
from mlpipe_ci.sources.dvc import dvc_of
from mlpipe_ci.sources.each_items import items_of
from mlpipe_ci.sources.last_known import recalled
from mlpipe_ci.sources.sources import Sources
from mlpipe_ci.tracing.discovery.check import Checker
from mlpipe_ci.workflow.load import load
from mlpipe_ci.workflow.workflow_file import Source

DEFAULT_FILE = "mlpipe.yml"
TRACER = "MLPIPE_TRACER"
PACK = "MLPIPE_PACK"
"""The environment variable that names the directory that GitHub's cache carries; for the action."""


@frozen
class Telling:
    """Who is told of what goes on: `say` a word, such as a warning; `tell` how far it is."""

    say: Callable[[str], None]
    tell: Callable[[str], None] = lambda _text: None


SILENT = Telling(say=lambda _text: None)


def open_workspace(
    place: Place,
    options: Options,
    env: Mapping[str, str],
    telling: Telling = SILENT,
    *,
    readonly: bool,
) -> Workspace:
    """Open everything. Raises an MlpipeError where something of it is wrong."""
    event = read_event(env, place.git)
    state = State(place.state, readonly=readonly)
    sources = Sources(env, place.cache, state, telling.say, telling.tell)
    items = partial(items_of, place, state, sources)
    workflow = _load(place, options, event, keep=not readonly, items=items)
    remote = remote_for(env, place.git, options.asked, fetch=options.fetch)
    history = History(place.git, remote) if place.git else None
    comparison = compare(event, place.git, history, options.base)
    if place.no_git:
        comparison = replace(comparison, how=place.no_git, warnings=(place.no_git,))
    outside = tuple(one.path for one in workflow.outside)
    dvc = dvc_of(place, state)
    tree = Tree(place.root, place.git, (*workflow.writes, *outside), state.memo, dvc)
    later = note_writers(workflow, state, tree)
    store = _store(place, options, env, (event, workflow, state), telling)
    known = partial(store.latest, event.scopes)
    digest = partial(digest_of, tree)
    departed = Departed(place.private, place.root, workflow, known, digest, tree.tracked)
    if readonly:
        tree.hide(path for paths in departed.paths().values() for path in paths)
    chosen = _chosen(workflow, options)
    sources.recall = partial(recalled, store, event.scopes)
    sources.expect(
        e for s in workflow.steps if chosen is None or s.id in chosen for e in s.external
    )
    return Workspace(
        root=place.root,
        git=place.git,
        event=event,
        comparison=comparison,
        workflow=workflow,
        tree=tree,
        checker=Checker(str(place.root), tree, env, later),
        later=later,
        departed=departed,
        store=store,
        state=state,
        private=place.private,
        producer=_producer(event),
        authors=Authors(event, comparison, place.git, history),
        chosen=chosen,
        sources=sources,
        dvc=dvc,
        forced=named_steps(workflow, options.force, "--force"),
        needed_only=_needed_only(options, event, store),
        watching=_unwatched(env),
        settings=options.settings,
        readonly=readonly,
        large_files=large_files(env, place.git, options.asked),
    )


def _store(
    place: Place,
    options: Options,
    env: Mapping[str, str],
    known: tuple[Event, Workflow, State],
    telling: Telling,
) -> Store:
    """The local store, or one with another behind it."""
    event, workflow, state = known
    recall, links = state.recall(workflow.file), workflow.cache.restore == "link"
    url = workflow.cache.remote if options.remote else None
    if options.push and url is None:
        raise UsageError("--push needs a remote cache; add to the file: cache: {remote: s3://…}")
    if url is None and not env.get(PACK):
        return Store(place.cache, recall, links=links)
    # 15 ms to import, which a run without a remote store does not pay.
    from mlpipe_ci.cache.remote.open_cache import Wanted, join  # noqa: PLC0415
    from mlpipe_ci.ci.scopes import merged_scope, rights  # noqa: PLC0415

    promotes = workflow.cache.promote == "merged" and url is not None
    merged, warning = merged_scope(event, env) if promotes else (None, "")
    if warning:
        telling.say(f"warning: {warning}")
    wanted = Wanted(
        directory=place.cache,
        url=url,
        pack=Path(env[PACK]).absolute() if env.get(PACK) else None,
        rights=rights(event, push=options.push, merged=merged),
        scopes=event.scopes,
        workflow=workflow.file,
        run=str(event.run_id or os.urandom(4).hex()),
        warn=lambda text: telling.say(f"warning: {text}"),
        tell=telling.tell,
        links=links,
    )
    return join(wanted, recall, env)


def _needed_only(options: Options, event: Event, store: Store) -> bool:
    """On a runner that brings results from elsewhere, nothing comes that no step reads."""
    if options.outputs == "auto":
        return event.name != DESK and type(store) is not Store
    return options.outputs == "needed"


def _unwatched(env: Mapping[str, str]) -> str:
    """Why nothing can tell here what a step reads."""
    if sys.platform != "linux":
        return "only Linux can watch what it reads"
    return f"{TRACER} is off" if env.get(TRACER) == "off" else ""


def read_workflow(place: Place, options: Options, env: Mapping[str, str]) -> Workflow:
    """Only the workflow. Raises an MlpipeError where something of it is wrong."""
    return _load(place, options, read_event(env, place.git), keep=False)


def _load(
    place: Place, options: Options, event: Event, *, keep: bool, items: Items | None = None
) -> Workflow:
    path, shown = workflow_file(options, place.start, place.root)
    return load(
        Source(
            path=path,
            shown=shown,
            root=place.root,
            name=default_name(event, place.root),
            github=dict(event.attributes),
            settings=options.settings,
            memory=place.private,
            keep=keep,
            items=items or partial(on_disk, place.root),
        )
    )


def workflow_file(options: Options, start: Path, root: Path) -> tuple[Path, str]:
    """The workflow file: `--file` from the directory that the user is in, else at the root."""
    path = start / options.file if options.file else root / DEFAULT_FILE
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    return path, shown


def default_name(event: Event, root: Path) -> str:
    """A workflow that has no name is called as its repository, or as its directory."""
    return PurePosixPath(event.repository).name.removesuffix(".git") or root.name or "workflow"


def _producer(event: Event) -> Producer:
    return Producer(
        repository=event.repository,
        commit=event.head or "",
        ref=event.ref,
        event=event.name,
        run_url=event.run_url,
        version=__version__,
    )
