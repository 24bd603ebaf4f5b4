"""Opens what a command works on: root, git, event, workflow, cache, state."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from mlpipe_ci import __version__
from mlpipe_ci.cache.cache import Cache
from mlpipe_ci.cache.left_record import LeftRecord, left_file
from mlpipe_ci.cache.stale_outputs import StaleOutputs
from mlpipe_ci.cache.state import LocalState
from mlpipe_ci.cache.store import Store
from mlpipe_ci.cache.transaction import OutputTransaction
from mlpipe_ci.ci.checkout import large_files, remote_for
from mlpipe_ci.ci.event import read_event, with_checkout
from mlpipe_ci.cli.options import SessionOptions
from mlpipe_ci.cli.step_selection import selected_steps
from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.event import Event, EventKind
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.result import Producer
from mlpipe_ci.core.settings import from_env
from mlpipe_ci.core.step_environment import environment_of_steps, secret_names
from mlpipe_ci.core.workflow import Workflow
from mlpipe_ci.plan.session import Session, known_state, later_writes, readers
from mlpipe_ci.repo.blame import CommitAttribution
from mlpipe_ci.repo.changes import compare
from mlpipe_ci.repo.each_files import on_disk
from mlpipe_ci.repo.git import History, fetch_large_files
from mlpipe_ci.repo.location import Locations
from mlpipe_ci.repo.private_directory import ASIDE, WORKFLOWS
from mlpipe_ci.repo.repo import Repo
from mlpipe_ci.repo.work_tree import WorkTree
from mlpipe_ci.sources.dvc import dvc_of
from mlpipe_ci.sources.each_items import items_of
from mlpipe_ci.sources.external_data import ExternalData
from mlpipe_ci.sources.last_known import recalled
from mlpipe_ci.sources.placement import Placement
from mlpipe_ci.sources.sources import Sources
from mlpipe_ci.tracing.discovery.check import InputChecker
from mlpipe_ci.tracing.discovery.discovery import Discovery
from mlpipe_ci.tracing.discovery.step_variables import StepVariables
from mlpipe_ci.tracing.select import why_untraced
from mlpipe_ci.workflow.load import load
from mlpipe_ci.workflow.workflow_file import FindItems, LoadRequest, find_workflow_file


@frozen
class Messages:
    """Where messages go: `line` a note, such as a warning; `progress` how far a transfer is."""

    line: Callable[[str], None]
    progress: Callable[[str], None] = lambda _text: None


SILENT = Messages(line=lambda _text: None)


def open_session(
    locations: Locations,
    options: SessionOptions,
    env: Mapping[str, str],
    messages: Messages = SILENT,
    *,
    readonly: bool,
    event: Event | None = None,
) -> Session:
    """Open everything. `event`: None, if it was not read before. Raises an MlpipeError where
    something of it is wrong.
    """
    event = with_checkout(event or read_event(env), locations.git)
    state = LocalState(locations.state, locations.linked, readonly=readonly)
    sources = Sources(env, locations.cache, state, messages.line, messages.progress)
    items = partial(items_of, locations, state, sources)
    request = load_request(locations, options, event, remember=not readonly, items=items)
    workflow = load(request)
    remote = remote_for(env, locations.git, options.checkout, fetch=options.fetch)
    history = History(locations.git, remote) if locations.git else None
    comparison = compare(event, locations.git, history, options.base)
    if locations.no_git:
        comparison = replace(comparison, how=locations.no_git, warnings=(locations.no_git,))
    outside = tuple(one.path for one in workflow.external_inputs)
    dvc = dvc_of(locations, state)
    tree = WorkTree(
        locations.root, locations.git, (*workflow.writes, *outside), state.digest_cache, dvc
    )
    record = LeftRecord(left_file(locations.private, workflow.file))
    later = later_writes(workflow, state, tree, record)
    store = _store(locations, options, env, (event, workflow, state), messages)
    stale_outputs = StaleOutputs(
        locations.root,
        workflow,
        record,
        partial(store.latest, event.scopes),
        state.digest_cache.digest,
        tree.tracked,
    )
    if readonly:
        tree.hide(path for one in stale_outputs.gone() for path in one.paths)
    selection = selected_steps(workflow, options)
    sources.recall = partial(recalled, store, event.scopes)
    sources.expect(e for s in workflow.steps if selection.has(s.id) for e in s.external)
    transaction = OutputTransaction(locations.root, locations.private / ASIDE)
    transaction.keeps = record.left_empty
    secrets = secret_names(workflow)
    given = environment_of_steps(env, at_desk=event.at_desk)
    plain = {name: value for name, value in given.items() if name not in secrets}
    return Session(
        env=env,
        event=event,
        load_request=request,
        workflow=workflow,
        repo=Repo(
            root=locations.root,
            git=locations.git,
            private=locations.private,
            tree=tree,
            comparison=comparison,
            blame=CommitAttribution(event, comparison, locations.git, history),
        ),
        cache=Cache(
            store=store,
            state=state,
            scopes=event.scopes,
            producer=_producer(event),
            on_demand=_on_demand(options, event, store),
        ),
        data=ExternalData(
            sources=sources,
            placement=Placement(locations.root, sources, transaction, state),
            dvc=dvc,
            fetch_lfs=_fetch_lfs(locations, options, env),
        ),
        discovery=Discovery(
            checker=InputChecker(
                *(str(locations.root), tree, plain, later, state.records.digest),
                known_state(workflow, stale_outputs.record),
            ),
            later_writes=later,
            readers=readers(workflow, state),
            variables=StepVariables(str(locations.root), plain),
            unavailable=why_untraced(env),
        ),
        transaction=transaction,
        stale_outputs=stale_outputs,
        selection=selection,
    )


def _fetch_lfs(
    locations: Locations, options: SessionOptions, env: Mapping[str, str]
) -> Callable[[tuple[str, ...]], None] | None:
    git = locations.git
    remote = large_files(env, git, options.checkout)
    if git is None or remote is None:
        return None
    return lambda paths: fetch_large_files(git.command, remote, paths)


def _store(
    locations: Locations,
    options: SessionOptions,
    env: Mapping[str, str],
    known: tuple[Event, Workflow, LocalState],
    messages: Messages,
) -> Store:
    """The local store, or one with another behind it."""
    event, workflow, state = known
    decoded, links = state.decoded_results(workflow.file), workflow.cache.restore == "link"
    url = workflow.cache.remote if options.remote else None
    if options.push and url is None:
        raise UsageError("--push needs a remote cache; add to the file: cache: {remote: s3://…}")
    pack = from_env(env).pack
    if url is None and not pack:
        return Store(locations.cache, decoded, links=links)
    # 15 ms to import, which a run without a remote store does not pay.
    from mlpipe_ci.cache.remote.open_cache import CacheRequest, open_cache  # noqa: PLC0415
    from mlpipe_ci.ci.scopes import merged_scope, rights  # noqa: PLC0415

    promotes = workflow.cache.promote == "merged" and url is not None
    merged, warning = merged_scope(event, env) if promotes else (None, "")
    if warning:
        messages.line(f"warning: {warning}")
    request = CacheRequest(
        directory=locations.cache,
        url=url,
        pack=Path(pack).absolute() if pack else None,
        rights=rights(event, push=options.push, merged=merged),
        scopes=event.scopes,
        workflow=workflow.file,
        run=str(event.run.id or os.urandom(4).hex()),
        warn=lambda text: messages.line(f"warning: {text}"),
        progress=messages.progress,
        links=links,
    )
    return open_cache(request, decoded, env)


def _on_demand(options: SessionOptions, event: Event, store: Store) -> bool:
    """On a runner that brings results from elsewhere, nothing comes that no step reads."""
    if options.outputs == "auto":
        return event.kind is not EventKind.DESK and type(store) is not Store
    return options.outputs == "needed"


def read_workflow(
    locations: Locations, options: SessionOptions, env: Mapping[str, str]
) -> Workflow:
    """Only the workflow. Raises an MlpipeError where something of it is wrong."""
    event = with_checkout(read_event(env), locations.git)
    items = partial(on_disk, locations.root)
    return load(load_request(locations, options, event, remember=False, items=items))


def load_request(
    locations: Locations, options: SessionOptions, event: Event, *, remember: bool, items: FindItems
) -> LoadRequest:
    """How to read the workflow file that the options mean. `remember`: it may be remembered."""
    return LoadRequest(
        file=find_workflow_file(locations.start, options.file, locations.root),
        name=default_name(event, locations.root),
        github=dict(event.attributes),
        settings=options.settings,
        memory=locations.private / WORKFLOWS,
        remember=remember,
        items=items,
    )


def default_name(event: Event, root: Path) -> str:
    """A workflow that has no name is called as its repository, or as its directory."""
    return PurePosixPath(event.repository).name.removesuffix(".git") or root.name or "workflow"


def _producer(event: Event) -> Producer:
    return Producer(
        repository=event.repository,
        commit=event.head or "",
        ref=event.ref,
        event=event.name,
        run_url=event.run.url,
        version=__version__,
    )
