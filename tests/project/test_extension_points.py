"""A tracer, an executor, a kind of source and a metrics format are each one file and one line.

Each is added to a copy of the program, and used by its command line.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mlpipe_ci.core.import_path import load_object
from mlpipe_ci.tracing.select import TRACERS
from tests.support.copied_package import ProgramCopy, copied_package
from tests.support.repository import Repo

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the tracers are Linux's")


@pytest.fixture
def package(tmp_path: Path) -> ProgramCopy:
    return copied_package(tmp_path)


def ran(repo: Repo, package: ProgramCopy, *options: str, **env: str) -> dict[str, Any]:
    """The report of a run of the copy, its steps by name."""
    done = repo.mlpipe("run", "--json", *options, code=0, **package.env, **env)
    report: dict[str, Any] = json.loads(done.stdout)
    return {step["name"]: step for step in report["steps"]}


def test_each_entry_of_a_table_can_be_imported() -> None:
    for entry in TRACERS.values():
        assert callable(load_object(entry.tracer))


TOY_TRACER = '''
"""Takes each file that a command names for one that it reads, but for those of an `out`."""

from collections.abc import Mapping

from mlpipe_ci.tracing.access_log import OURS, READ
from mlpipe_ci.tracing.base import Trace, TraceRequest


class ToyTracer:
    """Watches nothing; reads the command line."""

    guards = False
    fds: tuple[int, ...] = ()

    def __init__(self, request: TraceRequest) -> None:
        self._directory = request.directory.resolve()
        self._words: tuple[str, ...] = ()

    def environment(self, env: Mapping[str, str]) -> Mapping[str, str]:
        return env

    def command(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        self._words = tuple(word for arg in argv for word in arg.split())
        return PREFIX + argv

    def started(self) -> None:
        pass

    def trace(self) -> Trace:
        files = [self._directory / word for word in self._words]
        flags = {str(f): OURS if f.name == "out" else READ for f in files if f.is_file()}
        return Trace(tracer="toy", complete=True, paths=flags)
'''
TRACER_LINE = '"toy": TracerEntry(title="a toy", tracer="mlpipe_ci.tracing.toy:ToyTracer"),'


@LINUX
def test_a_tracer(repo: Repo, package: ProgramCopy) -> None:
    package.add("tracing/toy.py", TOY_TRACER.replace("PREFIX", "()"))
    package.add_line("tracing/select.py", "TRACERS", TRACER_LINE)
    repo.commit({"mlpipe.yml": "steps: [{name: s, run: cat in > out}]", "in": "1", "other": "1"})
    first = ran(repo, package, MLPIPE_TRACER="toy")["s"]
    assert first["status"] == "succeeded"
    assert first["tracer"] == "toy"
    repo.write({"other": "2"})
    assert ran(repo, package, MLPIPE_TRACER="toy")["s"]["status"] == "reused"
    repo.write({"in": "2"})
    assert ran(repo, package, MLPIPE_TRACER="toy")["s"]["status"] == "succeeded"
    assert repo.read("out") == "2"


@LINUX
def test_the_doctor_tries_a_tracer_that_was_added(repo: Repo, package: ProgramCopy) -> None:
    package.add("tracing/toy.py", TOY_TRACER.replace("PREFIX", "()"))
    package.add("tracing/broken.py", TOY_TRACER.replace("PREFIX", '("no-such-program",)'))
    package.add_line("tracing/select.py", "TRACERS", TRACER_LINE)
    broken = TRACER_LINE.replace("toy", "broken", 1).replace("tracing.toy", "tracing.broken")
    package.add_line("tracing/select.py", "TRACERS", broken)
    said = repo.mlpipe("doctor", code=0, MLPIPE_TRACER="toy", **package.env).stdout
    assert "✔ toy       a toy\n" in said
    assert "✖ broken    a toy: it cannot be started: No such file or directory\n" in said
    assert "✔ tracing   toy is used\n" in said
    said = repo.mlpipe("doctor", code=0, MLPIPE_TRACER="broken", **package.env).stdout
    assert "✖ tracing   nothing is watched: only declared inputs count" in said


def test_a_tracer_that_there_is_not(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": "steps: [{name: s, run: 'true'}]"})
    done = repo.mlpipe("run", code=2, MLPIPE_TRACER="toy")
    known = ", ".join(("auto", "off", *TRACERS))
    assert done.stderr == f"mlpipe: MLPIPE_TRACER is 'toy'; it must be one of {known}\n"
