"""`mlpipe cache push|pull`, and `status|ls|gc --remote`: the remote cache of a workflow."""

import os
import time
from collections.abc import Mapping
from typing import Any, TextIO

from mlpipe_ci.cache.auto_gc import DAY, size
from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.cache.remote import maintenance
from mlpipe_ci.cache.remote.client import RemoteClient
from mlpipe_ci.cache.remote.connect import check, open_store, without_credentials
from mlpipe_ci.cache.remote.errors import RemoteError
from mlpipe_ci.cache.remote.layout import RECENT, RUNS, all_of
from mlpipe_ci.cache.remote.shared_store import SharedStore
from mlpipe_ci.cache.store import name_of
from mlpipe_ci.ci.screen import open_screen
from mlpipe_ci.cli.open_session import Messages, open_session, read_workflow
from mlpipe_ci.cli.options import SessionOptions
from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.plan import Action
from mlpipe_ci.core.result import Producer, Result, needs
from mlpipe_ci.core.units import format_duration
from mlpipe_ci.plan.decide import make_plan
from mlpipe_ci.plan.session import Session
from mlpipe_ci.repo.location import Locations
from mlpipe_ci.report.wording import escape_controls, size_words

MOST_LISTED = 200
DAYS = 90.0
MOST_SKEW = 300.0
"""Seconds that a clock may be wrong; S3 refuses what is signed more than 15 minutes off."""
Told = tuple[dict[str, Any], list[str], int]
"""What was found: as values for JSON, as lines, and the exit code."""


def connect(
    locations: Locations, file: str | None, env: Mapping[str, str], err: TextIO
) -> RemoteClient:
    """A client of the remote cache that the workflow file names. Raises UsageError."""
    workflow = read_workflow(locations, SessionOptions(file=file), env)
    if workflow.cache.remote is None:
        raise UsageError(f"{workflow.file} names no remote cache; add: cache: {{remote: s3://…}}")
    url = workflow.cache.remote
    check(url)
    store = open_store(url, env)
    return RemoteClient(
        lambda: store, without_credentials(url), lambda text: print(f"warning: {text}", file=err)
    )


def status(client: RemoteClient) -> Told:
    """What is in it, by scope. Raises CareError."""
    found = maintenance.status(client)
    lines = [
        f"{escape_controls(one.name)}: {one.results:,} results, {one.objects:,} contents, "
        f"{size_words(one.size)}, last written {_ago(one.changed)}"
        for one in found
    ] or ["it is empty"]
    record = {"remote": client.shown, "scopes": [vars(one) for one in found]}
    return record, [*lines, client.shown], 0


def ls(client: RemoteClient) -> Told:
    """The newest results. Raises CareError."""
    rows = maintenance.results(client, MOST_LISTED)
    lines = [
        "  ".join(
            (
                row.result.key[:12],
                escape_controls(row.scope),
                escape_controls(row.result.step),
                size_words(row.size),
                _ago(row.result.finished),
                _by(row.result.producer),
            )
        )
        for row in rows
    ] or ["it is empty"]
    records = [
        {
            "key": row.result.key,
            "scope": row.scope,
            "step": escape_controls(row.result.step),
            "size": row.size,
            "finished": row.result.finished,
            "seconds": row.result.seconds,
            "producer": {
                name: escape_controls(text) for name, text in vars(row.result.producer).items()
            },
        }
        for row in rows
    ]
    return {"remote": client.shown, "results": records}, lines, 0


def _ago(moment: float) -> str:
    return f"{format_duration(max(0.0, time.time() - moment))} ago"


def _by(producer: Producer) -> str:
    words = [producer.event, producer.ref.removeprefix("refs/heads/"), producer.commit[:7]]
    return (
        escape_controls(" ".join(word for word in (*words, producer.run_url) if word)) or "unknown"
    )


def gc(client: RemoteClient, max_size: str | None, max_age: float | None, *, dry_run: bool) -> Told:
    """Remove what was used longest ago. Raises UsageError, CareError."""
    most = float("inf") if max_size is None else size(max_size)
    age = (DAYS if max_age is None else max_age) * DAY
    found = maintenance.garbage(client, time.time(), max_bytes=most, max_age=age)
    if not dry_run:
        maintenance.remove(client, found)
    record = {
        "remote": client.shown,
        "dry_run": dry_run,
        "removed": len(found.all),
        "removed_bytes": found.size,
        "kept": found.kept,
        "kept_bytes": found.kept_bytes,
    }
    verb = "would be removed" if dry_run else "removed"
    lines = [f"  {entry.path}  {size_words(entry.size)}" for entry in found.all]
    lines = lines if dry_run else []
    lines.append(f"{len(found.all):,} objects {verb}, {size_words(found.size)}")
    lines.append(f"{found.kept:,} results stay, {size_words(found.kept_bytes)}")
    return record, [*lines, client.shown], 0


def transfer(
    locations: Locations,
    file: str | None,
    env: Mapping[str, str],
    err: TextIO,
    *,
    push: bool,
    quiet: bool,
) -> Told:
    """`push`, `pull`: of the results that a run would reuse here. Raises UsageError."""
    screen = open_screen(err, env, progress="auto", quiet=quiet)
    asked = SessionOptions(file=file, push=push)
    messages = Messages(line=screen.message, progress=screen.progress)
    session = open_session(locations, asked, env, messages, readonly=True)
    store = session.cache.store
    if not isinstance(store, SharedStore):
        raise UsageError("the workflow names no remote cache; add: cache: {remote: s3://…}")
    if push and store.remote.access.writes is None:
        raise UsageError("this event may not write to the remote cache: see docs/security.md")
    found = _reused(session)
    lost = [] if push else _pull(store, found)
    for result in found:
        store.used(result)
    store.finish()
    session.cache.state.close()
    screen.close()
    return _transferred(store, found, lost)


def _reused(session: Session) -> list[Result]:
    plan = make_plan(session.workflow, session.collector(time.time()))
    return [d.result for d in plan.decisions if d.action is Action.REUSE and d.result]


def _pull(store: SharedStore, found: list[Result]) -> list[str]:
    """Bring all that the results need. Returns the steps of those that cannot be had."""
    lost = []
    for result in found:
        try:
            store.bring(needs(result))
        except (DamagedError, OSError) as error:
            lost.append(f"{result.step}: {error}")
    return lost


def _transferred(store: SharedStore, found: list[Result], lost: list[str]) -> Told:
    done = store.transfers()
    lines = [escape_controls(text) for text in lost]
    lines.append(
        f"{len(found)} results; fetched {done.fetched} contents "
        f"({size_words(done.fetched_bytes)}), sent {done.stored} ({size_words(done.stored_bytes)})"
    )
    if done.failed:
        lines.append(f"{done.failed} writes failed")
    record = {
        "remote": done.remote,
        "results": [
            {"step": escape_controls(r.step), "key": r.key, "name": name_of(r)} for r in found
        ],
        "transfers": {**vars(done), "warnings": list(done.warnings)},
        "lost": lost,
    }
    return record, [*lines, done.remote], int(bool(done.failed or lost))


def try_it(url: str, env: Mapping[str, str]) -> list[tuple[str, bool, str]]:
    """For `mlpipe doctor`: read from a remote cache, and write a scope of its own to it."""
    warnings: list[str] = []
    try:
        check(url)
        store = open_store(url, env)
    except UsageError as error:
        return [("remote", False, str(error))]
    client = RemoteClient(lambda: store, without_credentials(url), warnings.append)
    path = f"{all_of('branch/mlpipe-doctor', RUNS)}/{os.urandom(4).hex()}"
    try:
        list(client.entries(all_of("main", RECENT), 1))
    except RemoteError as error:
        return [("remote", False, f"{client.shown} cannot be read: {error}")]
    try:
        client.put(path, b"mlpipe doctor was here")
        written = next(client.entries(path.rpartition("/")[0], 1), None)
        skew = abs(written.changed - time.time()) if written else 0.0
        client.delete([path])
    except RemoteError as error:
        note = f"{client.shown} can be read, but not written with these credentials: {error}"
        return [("remote", True, note)]
    rows = [("remote", True, f"{client.shown} can be read and written")]
    if skew > MOST_SKEW:
        text = f"{skew:.0f} s from the store's; set it (timedatectl set-ntp true)"
        rows.append(("clock", False, text))
    return rows
