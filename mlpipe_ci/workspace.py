"""Opens what a command works on: root, git, event, workflow, cache, state."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from blake3 import blake3

from mlpipe_ci import __version__
from mlpipe_ci.cache.state import State
from mlpipe_ci.cache.store import Store
from mlpipe_ci.checkout import Asked, directory_for, fulfil, large_files, remote_for, request
from mlpipe_ci.compare import Authors, compare
from mlpipe_ci.discovery.checking import Checker
from mlpipe_ci.discovery.later import Later
from mlpipe_ci.errors import NoGitError, UsageError
from mlpipe_ci.events import Event, in_actions, read_event
from mlpipe_ci.evidence import Gatherer
from mlpipe_ci.files import Tree
from mlpipe_ci.frozen import frozen
from mlpipe_ci.git import Git, History, Remote, open_git
from mlpipe_ci.graph import with_dependent, with_needed
from mlpipe_ci.load import load
from mlpipe_ci.lock import hold
from mlpipe_ci.result import Producer
from mlpipe_ci.run import Comparison
from mlpipe_ci.source import Source
from mlpipe_ci.workflow import Workflow

NOTHING = Asked()
HERE = "."
DEFAULT_FILE = "mlpipe.yml"
TRACER = "MLPIPE_TRACER"


@frozen
class Options:
    """What the user asked for on the command line."""

    directory: str = HERE
    file: str | None = None
    base: str | None = None
    json: bool = False
    quiet: bool = False
    settings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    format: str = "text"
    action: str = ""
    max_size: str | None = None
    max_age: float | None = None
    outputs: str = "all"
    asked: Asked = NOTHING
    force: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    only: bool = False
    downstream: bool = False
    allow_untrusted: bool = False
    comment: bool = True
    write: bool = False


@frozen
class Workspace:
    """The opened parts. `private`: a directory of this work tree alone, for lock, logs, aside."""

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
    forced: frozenset[str]
    chosen: frozenset[str] | None
    needed_only: bool
    watching: str

    def gatherer(self, now: float) -> Gatherer:
        """The witness for plan and run. `now` in seconds since 1970."""
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
            now=now,
        )


@frozen
class Place:
    """Where a command works, before anything of it is read."""

    start: Path
    root: Path
    git: Git | None
    private: Path
    state: Path
    cache: Path
    no_git: str = ""


def provide(options: Options, env: Mapping[str, str], say: Callable[[str], None]) -> Place:
    """As `find_place`, after the repository was checked out if nobody else did that.

    Raises UsageError, GitError.
    """
    start = Path(options.directory).resolve()
    if options.asked.repo and options.directory == HERE:
        start = directory_for(options.asked, start)
    needed = request(options.asked, env, start)
    if needed:
        outside = _outside(cache_directory(env), needed.directory)
        with hold(outside / "checkout.lock", say):
            needed = request(options.asked, env, start)  # another one may have done it meanwhile
            if needed:
                fulfil(needed, say)
    return find_place(replace(options, directory=str(start)), env)


def find_place(options: Options, env: Mapping[str, str]) -> Place:
    """Find the repository and mlpipe's own directories. Raises UsageError, GitError."""
    start = start_directory(options.directory)
    git, no_git = find_git(start, env)
    root, cache = git.root if git else start, cache_directory(env)
    outside = _outside(cache, root)
    return Place(
        start=start,
        root=root,
        git=git,
        no_git=no_git,
        private=git.directory / "mlpipe" if git else outside,
        state=(git.common / "mlpipe" if git else outside) / "state.db",
        cache=cache,
    )


def find_git(start: Path, env: Mapping[str, str]) -> tuple[Git | None, str]:
    """The work tree around a directory; without git, None and a word about that."""
    try:
        return open_git(start, trusted=in_actions(env)), ""
    except NoGitError as error:
        return None, str(error)


def _outside(cache: Path, root: Path) -> Path:
    """Mlpipe's directory for a work tree that has no git directory."""
    return cache / "v1" / "trees" / blake3(os.fsencode(root)).hexdigest()[:16]


def open_workspace(
    place: Place, options: Options, env: Mapping[str, str], *, readonly: bool
) -> Workspace:
    """Open everything. Raises an MlpipeError where something of it is wrong."""
    event = read_event(env, place.git)
    workflow = _load(place, options, event, keep=not readonly)
    remote = remote_for(env, place.git, options.asked)
    history = History(place.git, remote) if place.git else None
    comparison = compare(event, place.git, history, options.base)
    if place.no_git:
        comparison = replace(comparison, how=place.no_git, warnings=(place.no_git,))
    state = State(place.state, readonly=readonly)
    tree = Tree(place.root, place.git, workflow.writes, state.memo)
    later = _later(workflow, state, tree)
    return Workspace(
        root=place.root,
        git=place.git,
        event=event,
        comparison=comparison,
        workflow=workflow,
        tree=tree,
        checker=Checker(str(place.root), tree, env, later),
        later=later,
        store=Store(
            place.cache, state.recall(workflow.file), links=workflow.cache.restore == "link"
        ),
        state=state,
        private=place.private,
        producer=_producer(event),
        authors=Authors(event, comparison, place.git, history),
        chosen=_chosen(workflow, options),
        forced=named_steps(workflow, options.force, "--force"),
        needed_only=options.outputs == "needed",
        watching=_unwatched(env),
        large_files=large_files(env, place.git, options.asked),
    )


def _unwatched(env: Mapping[str, str]) -> str:
    """Why nothing can tell here what a step reads."""
    if sys.platform != "linux":
        return "only Linux can watch what it reads"
    return f"{TRACER} is off" if env.get(TRACER) == "off" else ""


def _later(workflow: Workflow, state: State, tree: Tree) -> Later:
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


def _load(place: Place, options: Options, event: Event, *, keep: bool) -> Workflow:
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


def cache_directory(env: Mapping[str, str]) -> Path:
    """`MLPIPE_CACHE_DIR`, else `mlpipe` in the user's cache directory. Raises UsageError."""
    chosen = env.get("MLPIPE_CACHE_DIR")
    try:
        if chosen:
            return Path(chosen).expanduser().resolve()
        from platformdirs import user_cache_path  # noqa: PLC0415 - 3 ms, if it is not said

        return user_cache_path("mlpipe")
    except (RuntimeError, KeyError) as error:
        text = f"no place for the cache: {error}; set MLPIPE_CACHE_DIR to a directory"
        raise UsageError(text) from error


def start_directory(directory: str) -> Path:
    """The directory that the user is in, or asked for with -C. Raises UsageError."""
    start = Path(directory).resolve()
    if not start.is_dir():
        raise UsageError(f"{directory}: there is no such directory")
    return start


def _producer(event: Event) -> Producer:
    return Producer(
        repository=event.repository,
        commit=event.head or "",
        ref=event.ref,
        event=event.name,
        run_url=event.run_url,
        version=__version__,
    )
