"""Opens what a command works on: root, git, event, workflow, cache, state."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from mlpipe_ci import __version__
from mlpipe_ci.arrivals import digest_of, dvc_of, items_of, no_item, recalled
from mlpipe_ci.cache.departed import Departed
from mlpipe_ci.cache.state import State
from mlpipe_ci.cache.store import Store
from mlpipe_ci.checkout import large_files, remote_for
from mlpipe_ci.compare import Authors, compare
from mlpipe_ci.discovery.checking import Checker
from mlpipe_ci.discovery.later import Later
from mlpipe_ci.dvc import Dvc
from mlpipe_ci.errors import MissingInputError, UsageError
from mlpipe_ci.events import DESK, Event, read_event
from mlpipe_ci.evidence import Gatherer
from mlpipe_ci.files import Tree
from mlpipe_ci.frozen import frozen
from mlpipe_ci.git import Git, History, Remote
from mlpipe_ci.graph import with_dependent, with_needed
from mlpipe_ci.items import Items
from mlpipe_ci.load import load
from mlpipe_ci.options import Options
from mlpipe_ci.place import Place
from mlpipe_ci.result import Producer
from mlpipe_ci.run import Comparison
from mlpipe_ci.source import Source
from mlpipe_ci.sources import Sources
from mlpipe_ci.workflow import Workflow

DEFAULT_FILE = "mlpipe.yml"
TRACER = "MLPIPE_TRACER"
PACK = "MLPIPE_PACK"
"""The environment variable that names the directory that GitHub's cache carries; for the action."""


@frozen
class Workspace:
    """The opened parts. `private`: a directory of this work tree alone, for lock, logs, aside.

    `settings`: of `--set`; `readonly`: nothing is written.
    """

    root: Path
    git: Git | None
    event: Event
    comparison: Comparison
    workflow: Workflow
    tree: Tree
    store: Store
    state: State
    private: Path
    producer: Producer
    authors: Authors
    large_files: Remote | None
    checker: Checker
    later: Later
    departed: Departed
    sources: Sources
    dvc: Dvc | None
    forced: frozenset[str]
    chosen: frozenset[str] | None
    needed_only: bool
    watching: str
    settings: tuple[str, ...]
    readonly: bool

    def gatherer(self, now: float) -> Gatherer:
        """The witness for plan and run. `now` in seconds since 1970. Raises MissingInputError."""
        self._refuse_nothing()
        return Gatherer(
            root=self.root,
            workflow=self.workflow,
            tree=self.tree,
            store=self.store,
            state=self.state,
            checker=self.checker,
            watching=self.watching,
            scopes=self.event.scopes,
            github=dict(self.event.attributes),
            changed=self.comparison.changed or (),
            forced=self.forced,
            chosen=self.chosen,
            author=self.authors.name,
            sources=self.sources,
            repository=self.event.repository if self.event.name != DESK else "",
            now=now,
        )

    def _refuse_nothing(self) -> None:
        """A step for each of no files would be left out without a word."""
        groups = {step.group for step in self.workflow.steps}
        for wanted in self.workflow.items:
            if wanted.id not in groups and self.chosen is None:
                raise MissingInputError(no_item(self.workflow, wanted))


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
    from mlpipe_ci.remote.joining import Wanted, join  # noqa: PLC0415
    from mlpipe_ci.trust import merged_scope, rights  # noqa: PLC0415

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


def note_writers(workflow: Workflow, state: State, tree: Tree) -> Later:
    """Who writes what, as declared or as it was seen last time."""
    later = Later()
    for place, step in enumerate(workflow.steps):
        later.add(place, step.writes)
        if step.undeclared:
            paths = [path for path, _ in state.traced(workflow.file, step.id).wrote]
            tree.add_outputs(paths)
            later.add(place, paths)
    return later


def named_steps(workflow: Workflow, names: tuple[str, ...], asked_by: str) -> frozenset[str]:
    """Ids of the steps that a user named by id, name, or id of the matrix. Raises UsageError.

    An empty name means all; `asked_by`: what the names were given to.
    """
    if "" in names:
        return frozenset(step.id for step in workflow.steps)
    found: set[str] = set()
    for name in names:
        meant = {s.id for s in workflow.steps if name in {s.id, s.name, s.group}}
        if not meant:
            for wanted in workflow.items:
                if name in {wanted.id, wanted.step}:
                    raise MissingInputError(no_item(workflow, wanted))
            known = {word for s in workflow.steps for word in (s.id, s.name, s.group) if word}
            from difflib import get_close_matches  # noqa: PLC0415 - only for an error

            near = get_close_matches(name, sorted(known), 1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise UsageError(f"{asked_by} {name}: there is no such step{hint}")
        found |= meant
    return frozenset(found)


def _chosen(workflow: Workflow, options: Options) -> frozenset[str] | None:
    """Ids of the steps that the user asked for, None for all. Raises UsageError."""
    if not options.targets:
        if options.only or options.downstream:
            raise UsageError("--only and --downstream belong to steps; name one: mlpipe run STEP")
        return None
    named = named_steps(workflow, options.targets, "step")
    if options.only:
        return named
    return (with_dependent if options.downstream else with_needed)(workflow, named)


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
            items=items,
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
