"""Opens what a command works on: root, git, event, workflow, cache, state."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from blake3 import blake3
from platformdirs import user_cache_path

from mlpipe_ci import __version__
from mlpipe_ci.cache.state import State
from mlpipe_ci.cache.store import Store
from mlpipe_ci.errors import UsageError
from mlpipe_ci.events import Event, changed_paths, read_event
from mlpipe_ci.evidence import Gatherer
from mlpipe_ci.files import Tree
from mlpipe_ci.git import Git, open_git
from mlpipe_ci.load import Source, load
from mlpipe_ci.result import Producer
from mlpipe_ci.run import Change, Comparison
from mlpipe_ci.workflow import Workflow

DEFAULT_FILE = "mlpipe.yml"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user asked for on the command line."""

    directory: str = "."
    file: str | None = None
    base: str | None = None
    json: bool = False
    quiet: bool = False
    settings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    format: str = "text"


@dataclass(frozen=True, kw_only=True)
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

    def gatherer(self, now: float) -> Gatherer:
        """The witness for plan and run. `now` in seconds since 1970."""
        return Gatherer(
            root=self.root,
            workflow=self.workflow,
            tree=self.tree,
            store=self.store,
            state=self.state,
            scopes=self.event.scopes,
            github=dict(self.event.attributes),
            changed=self.comparison.changed or (),
            now=now,
        )


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a command works, before anything of it is read."""

    start: Path
    root: Path
    git: Git | None
    private: Path
    state: Path
    cache: Path


def find_place(options: Options, env: Mapping[str, str]) -> Place:
    """Find the repository and mlpipe's own directories. Raises UsageError, GitError."""
    start = start_directory(options.directory)
    git = open_git(start)
    root, cache = git.root if git else start, cache_directory(env)
    outside = cache / "v1" / "trees" / blake3(os.fsencode(root)).hexdigest()[:16]
    return Place(
        start=start,
        root=root,
        git=git,
        private=git.directory / "mlpipe" if git else outside,
        state=(git.common / "mlpipe" if git else outside) / "state.db",
        cache=cache,
    )


def open_workspace(
    place: Place, options: Options, env: Mapping[str, str], *, readonly: bool
) -> Workspace:
    """Open everything. Raises an MlpipeError where something of it is wrong."""
    event = read_event(env, place.git, options.base)
    workflow = _load(place, options, event)
    return Workspace(
        root=place.root,
        git=place.git,
        event=event,
        comparison=_comparison(event, place.git),
        workflow=workflow,
        tree=Tree(place.root, place.git, workflow.writes),
        store=Store(place.cache),
        state=State(place.state, readonly=readonly),
        private=place.private,
        producer=_producer(event),
    )


def read_workflow(place: Place, options: Options, env: Mapping[str, str]) -> Workflow:
    """Only the workflow. Raises an MlpipeError where something of it is wrong."""
    return _load(place, options, read_event(env, place.git, options.base))


def _load(place: Place, options: Options, event: Event) -> Workflow:
    path, shown = workflow_file(options, place.start, place.root)
    return load(
        Source(
            path=path,
            shown=shown,
            root=place.root,
            name=default_name(event, place.root),
            github=dict(event.attributes),
            settings=options.settings,
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
        return Path(chosen).expanduser().resolve() if chosen else user_cache_path("mlpipe")
    except (RuntimeError, KeyError) as error:
        text = f"no place for the cache: {error}; set MLPIPE_CACHE_DIR to a directory"
        raise UsageError(text) from error


def start_directory(directory: str) -> Path:
    """The directory that the user is in, or asked for with -C. Raises UsageError."""
    start = Path(directory).resolve()
    if not start.is_dir():
        raise UsageError(f"{directory}: there is no such directory")
    return start


def _comparison(event: Event, git: Git | None) -> Comparison:
    pairs = changed_paths(event, git)
    changed = None if pairs is None else tuple(Change(path=p, change=c) for p, c in pairs)
    return Comparison(head=event.head, base=event.base, how=event.how, changed=changed)


def _producer(event: Event) -> Producer:
    return Producer(
        repository=event.repository,
        commit=event.head or "",
        ref=event.ref,
        event=event.name,
        run_url=event.run_url,
        version=__version__,
    )
