"""Remembers decoded results by what `stat` says of their files, so that they are read once."""

import json
import os
import time
from contextlib import suppress
from typing import Any

from mlpipe_ci.cache.codec import decode_result, is_earlier
from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.result import Output, Producer, Result
from mlpipe_ci.repo.digest_cache import Signature, is_settled, signature

Stored = tuple[str, float, Result]
"""Path of a result's file, when it was used last (seconds since 1970), and what is in it."""
Record = list[Any]


class DecodedResults:
    """The results in the directories of some keys. What is recalled has no `parts`.

    `text`: what `text()` gave last time; whatever is wrong with it, files are read again.
    `earlier`: results of an earlier version of mlpipe were found, which are not read any more.
    """

    def __init__(self, text: str | None = None) -> None:
        try:
            known = json.loads(text or "{}")
        except ValueError:
            known = {}
        self._known: dict[str, Record] = known if isinstance(known, dict) else {}
        self._used: dict[str, Record] = {}
        self._changed = False
        self.earlier = False

    def results(self, folder: str) -> list[Stored]:
        """All results in a directory; none if it is not there. What cannot be read is not there."""
        try:
            now = signature(os.stat(folder))
        except OSError:
            return []
        known = self._known.get(folder)
        with suppress(Exception):  # whatever is wrong with it, it is read anew
            found = _recalled(folder, known, now) if known else None
            if known and found is not None:
                self._used[folder] = known
                return found
        return self._read(folder, now)

    def _read(self, folder: str, before: Signature) -> list[Stored]:
        found: list[Stored] = []
        record: Record = [list(before), []]
        moment = time.time_ns()
        settled = is_settled(before, moment)
        for name in _names(folder):
            path = f"{folder}/{name}"
            try:
                status = os.stat(path)
                with open(path, "rb") as file:
                    data = file.read()
            except OSError:
                continue
            result = decode_result(data)
            if result is None:
                settled = False
                self.earlier = self.earlier or is_earlier(data)
                continue
            settled = settled and is_settled(signature(status), moment)
            found.append((path, status.st_mtime, result))
            record[1].append([name, list(signature(status)), _record(result)])
        if settled:
            self._used[folder] = record
            self._changed = True
        return found

    def text(self) -> str | None:
        """All that was asked for, as text; None if that is the same as last time."""
        if not self._changed and len(self._used) == len(self._known):
            return None
        return json.dumps(self._used)


def _recalled(folder: str, known: Record, now: Signature) -> list[Stored] | None:
    """What a record says, if directory and files are as they were."""
    if tuple(known[0]) != now:
        return None
    found: list[Stored] = []
    for name, seen, record in known[1]:
        path = f"{folder}/{name}"
        status = os.stat(path)
        if tuple(seen) != signature(status):
            return None
        found.append((path, status.st_mtime, _result(record)))
    return found


def _names(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(".json"))
    except OSError:
        return []


def _record(result: Result) -> Record:
    by = result.producer
    return [
        [result.key, result.step, result.log, result.seconds, result.finished],
        [[i.path, i.digest, i.executable] for i in result.discovered],
        [
            [o.path, o.kind, o.digest, o.size, o.mode, o.pack, o.offset, o.order]
            for o in result.outputs
        ],
        [list(pair) for pair in result.metrics],
        [by.repository, by.commit, by.ref, by.event, by.run_url, by.version],
        *([[[name, *many] for name, many in result.samples]] if result.samples else ()),
    ]


def _result(record: Record) -> Result:
    (key, step, log, seconds, finished), discovered, outputs, metrics, by, *more = record
    repository, commit, ref, event, run_url, version = by
    return Result(
        key=key,
        step=step,
        parts=None,
        discovered=tuple(Input(path=p, digest=d, executable=x) for p, d, x in discovered),
        outputs=tuple(
            Output(
                path=path,
                kind=kind,
                digest=digest,
                size=size,
                mode=mode,
                pack=pack,
                offset=offset,
                order=order,
            )
            for path, kind, digest, size, mode, pack, offset, order in outputs
        ),
        metrics=tuple((name, value) for name, value in metrics),
        log=log,
        seconds=seconds,
        finished=finished,
        producer=Producer(
            repository=repository,
            commit=commit,
            ref=ref,
            event=event,
            run_url=run_url,
            version=version,
        ),
        samples=tuple((name, tuple(many)) for name, *many in (more[0] if more else ())),
    )
