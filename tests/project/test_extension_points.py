"""What extends mlpipe is one file and one line of a table.

A tracer, an executor, a kind of source, a metrics format, a command and a rendering are each added
to a copy of the program, and used by its command line.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mlpipe_ci.core.external_url import SCHEMES
from mlpipe_ci.core.import_path import load_object
from mlpipe_ci.metrics.formats import FORMATS
from mlpipe_ci.report.renderings import RENDERINGS
from mlpipe_ci.run.executors import EXECUTORS
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
    paths = [entry.tracer for entry in TRACERS.values()]
    paths += EXECUTORS.values()
    paths += FORMATS.values()
    paths += [scheme.reader for scheme in SCHEMES.values()]
    assert all(callable(load_object(path)) for path in paths)


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


TOY_EXECUTOR = '''
"""Runs one command at a time here, with a variable of its own, and cannot watch it."""

from dataclasses import replace

from mlpipe_ci.run.executors.base import ExecutorContext, Job
from mlpipe_ci.run.executors.local import LocalExecutor


class ToyExecutor(LocalExecutor):
    """The local one, with less."""

    shares_disk = SHARES
    can_trace = False

    def start(self, job: Job) -> None:
        if job.watch is not None:
            raise ValueError("this executor cannot watch")
        if not self.free():
            raise ValueError("this executor runs one command at a time")
        super().start(replace(job, env=(*job.env, ("EXECUTOR", "toy"))))


def make(context: ExecutorContext) -> ToyExecutor:
    return ToyExecutor(context.printed, context.locks, 1)
'''
EXECUTOR_LINE = '"toy": "mlpipe_ci.run.executors.toy:make",'
DECLARED = """
steps:
  - {name: s, run: echo $EXECUTOR > out, inputs: [in], outputs: [out]}
"""


@pytest.fixture
def toy_executor(package: ProgramCopy) -> ProgramCopy:
    package.add("run/executors/toy.py", TOY_EXECUTOR.replace("SHARES", "True"))
    package.add_line("run/executors/__init__.py", "EXECUTORS", EXECUTOR_LINE)
    return package


def test_an_executor(repo: Repo, toy_executor: ProgramCopy) -> None:
    repo.commit({"mlpipe.yml": DECLARED, "in": "1"})
    assert ran(repo, toy_executor, "--executor", "toy")["s"]["status"] == "succeeded"
    assert repo.read("out") == "toy\n"
    assert ran(repo, toy_executor)["s"]["status"] == "reused"
    assert (
        "local, toy (default: local)" in repo.mlpipe("run", "-h", code=0, **toy_executor.env).stdout
    )


def test_a_step_of_an_executor_that_cannot_trace_is_not_watched(
    repo: Repo, toy_executor: ProgramCopy
) -> None:
    repo.commit({"mlpipe.yml": "steps: [{name: s, run: cat in > out}]", "in": "1"})
    for _ in range(2):
        step = ran(repo, toy_executor, "--executor", "toy", MLPIPE_TRACER="auto")["s"]
        assert step["status"] == "succeeded"
        assert step["reasons"] == [
            "declares no inputs, and executor toy cannot trace, so it runs each time"
        ]
    repo.write({"mlpipe.yml": f"tracing: strict\n{DECLARED}"})
    options = ("run", "--executor", "toy")
    done = repo.mlpipe(*options, code=1, MLPIPE_TRACER="auto", **toy_executor.env)
    assert "what it reads cannot be watched: the executor cannot trace" in done.stdout


RETRIED = """
steps:
  - {name: a, run: "mkdir tried && exit 1; echo > a", inputs: [in], outputs: [a], retries: 1}
  - {name: b, run: "sleep 2; echo > b", inputs: [in], outputs: [b]}
"""


def test_no_more_commands_are_started_than_an_executor_takes(
    repo: Repo, toy_executor: ProgramCopy
) -> None:
    """Also while a command waits to be tried again."""
    repo.commit({"mlpipe.yml": RETRIED, "in": "1"})
    found = ran(repo, toy_executor, "--executor", "toy", "--jobs", "2")
    assert [step["status"] for step in found.values()] == ["succeeded"] * 2
    assert found["a"]["attempts"] == 2


def test_an_executor_on_another_disk_is_refused(repo: Repo, package: ProgramCopy) -> None:
    package.add("run/executors/toy.py", TOY_EXECUTOR.replace("SHARES", "False"))
    package.add_line("run/executors/__init__.py", "EXECUTORS", EXECUTOR_LINE)
    repo.commit({"mlpipe.yml": DECLARED, "in": "1"})
    done = repo.mlpipe("run", "--executor", "toy", code=2, **package.env)
    assert "--executor toy does not see this work tree" in done.stderr
    assert not (repo.root / "out").exists()


def test_an_executor_that_there_is_not(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": DECLARED, "in": "1"})
    done = repo.mlpipe("run", "--executor", "toy", code=2)
    assert "--executor: invalid choice: 'toy' (choose from " in done.stderr
    assert all(name in done.stderr for name in EXECUTORS)


TOY_SOURCE = '''
"""Files of a directory that a variable names, each told apart by its whole content."""

from collections.abc import Mapping
from pathlib import Path

from mlpipe_ci.core.external_url import identity, key_of
from mlpipe_ci.core.workflow import ExternalInput
from mlpipe_ci.sources.base import Failure, ReaderError, SourceItem, SourceKind, SourceStream


class Toy:
    """Reads one file."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._directory = Path(env["TOY_FILES"])

    def look(self, external: ExternalInput, last: tuple[SourceItem, ...]) -> tuple[SourceItem, ...]:
        key = key_of(external.url)
        if not (self._directory / key).exists():
            raise ReaderError(Failure.MISSING, f"there is no toy {key}")
        value = (self._directory / key).read_text()
        owner = identity(external.url)
        kind = SourceKind.VERSION
        return (SourceItem(path=external.path, owner=owner, key=key, kind=kind, value=value),)

    def stream(self, item: SourceItem, start: int) -> SourceStream:
        return SourceStream(item=item, chunks=iter([(self._directory / item.key).read_bytes()]))
'''
SOURCE_LINE = '"toy": Scheme(reader="mlpipe_ci.sources.toy:Toy"),'
FETCHED = """
steps:
  - name: s
    run: cp data/in out
    inputs: [{url: toy://box/in, path: data/in}]
    outputs: [out]
"""


def test_a_kind_of_source(repo: Repo, package: ProgramCopy, tmp_path: Path) -> None:
    package.add("sources/toy.py", TOY_SOURCE)
    package.add_line("core/external_url.py", "SCHEMES", SOURCE_LINE)
    files = tmp_path / "files"
    files.mkdir()
    (files / "in").write_text("one")
    repo.commit({"mlpipe.yml": FETCHED, ".gitignore": "data/"})
    for status, text in (("succeeded", "one"), ("reused", "one"), ("succeeded", "two")):
        (files / "in").write_text(text)
        assert ran(repo, package, TOY_FILES=str(files))["s"]["status"] == status
        assert repo.read("out") == text
    (files / "in").unlink()
    done = repo.mlpipe("run", code=1, TOY_FILES=str(files), **package.env)
    assert "toy://box/in cannot be had: there is no toy in" in done.stdout + done.stderr


def test_a_scheme_that_there_is_not(repo: Repo, package: ProgramCopy) -> None:
    package.add_line("core/external_url.py", "SCHEMES", SOURCE_LINE)
    repo.commit({"mlpipe.yml": FETCHED.replace("toy://", "ftp://")})
    said = repo.mlpipe("validate", code=2, **package.env)
    known = "mlpipe knows https://, s3://, gs://, az://, file:// and toy://"
    assert known in said.stdout + said.stderr


TOY_FORMAT = '''
"""Lines of a name, two colons and a number."""

from collections.abc import Iterator


def read_toy(text: str, name: str) -> Iterator[tuple[str, float]]:
    for line in text.splitlines():
        key, _, value = line.partition("::")
        yield key, float(value)
'''
FORMAT_LINE = '".toy": "mlpipe_ci.metrics.formats.toy:read_toy",'
MEASURED = """
steps:
  - {name: s, run: cp in out.toy, inputs: [in], metrics: [out.toy]}
"""


def test_a_metrics_format(repo: Repo, package: ProgramCopy) -> None:
    package.add("metrics/formats/toy.py", TOY_FORMAT)
    package.add_line("metrics/formats/__init__.py", "FORMATS", FORMAT_LINE)
    repo.commit({"mlpipe.yml": MEASURED, "in": "auc::0.75\nloss::2\n"})
    assert ran(repo, package)["s"]["metrics"] == {"auc": 0.75, "loss": 2.0}
    repo.write({"in": "auc::high\n"})
    done = repo.mlpipe("run", code=1, **package.env)
    told = "metrics file 'out.toy' cannot be read: could not convert string to float: 'high'"
    assert told in done.stdout
    repo.write({"mlpipe.yml": MEASURED.replace("out.toy", "out.other")})
    done = repo.mlpipe("run", code=1, **package.env)
    assert "metrics file 'out.other': Expecting value: " in done.stdout
    assert f"{', '.join((*FORMATS, '.toy'))} are known" in done.stdout


COMMAND = '''"""`mlpipe toy NAME`: greet somebody."""

import argparse
from collections.abc import Mapping
from typing import TextIO

from mlpipe_ci.cli.options import CommonOptions, add_common
from mlpipe_ci.core.frozen import frozen

EXAMPLE = "mlpipe toy world --loud"


@frozen
class Options(CommonOptions):
    """What `mlpipe toy` takes."""

    name: str = ""
    loud: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Who is greeted, and how."""
    add_common(parser)
    parser.add_argument("name", metavar="NAME", help="who is greeted")
    parser.add_argument("--loud", action="store_true", help="in capital letters")


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 5, which no other command has."""
    text = f"hello {options.name} in {options.directory}"
    print(text.upper() if options.loud else text, file=out)
    return 5
'''


def test_a_command_is_one_file_and_one_line(package: ProgramCopy, tmp_path: Path) -> None:
    package.mlpipe("toy", "world", cwd=tmp_path, code=2)
    package.add("cli/commands/toy.py", COMMAND)
    package.add_line("cli/commands/__init__.py", "COMMANDS", '"toy": "greet somebody",')
    assert package.mlpipe("toy", "world", cwd=tmp_path, code=5).stdout == "hello world in .\n"
    done = package.mlpipe("toy", "world", "--loud", "-C", "x", cwd=tmp_path, code=5)
    assert done.stdout == "HELLO WORLD IN X\n"
    assert "toy       greet somebody\n" in package.mlpipe("--help", cwd=tmp_path).stdout
    text = package.mlpipe("toy", "--help", cwd=tmp_path).stdout
    assert "Greet somebody." in text
    assert "--loud" in text
    assert text.endswith("example:\n  mlpipe toy world --loud\n")
    assert "required: NAME" in package.mlpipe("toy", cwd=tmp_path, code=2).stderr


RENDERING = '''"""A run as one line for each step."""

from mlpipe_ci.core.run import Run


def report(run: Run) -> str:
    """Names and statuses."""
    return "\\n".join(f"{one.step.name}={one.status}" for one in run.outcomes)
'''


def test_a_rendering_of_the_report_is_one_file_and_one_line(
    repo: Repo, package: ProgramCopy
) -> None:
    repo.commit({"mlpipe.yml": "steps: [{name: a, run: 'true'}, {name: b, run: 'false'}]"})
    told = package.mlpipe("run", "--report", "out.toy", cwd=repo.root, code=2).stderr
    assert f"there are: {', '.join(RENDERINGS)}\n" in told
    package.add("report/toy.py", RENDERING)
    package.add_line("report/renderings.py", "RENDERINGS", '".toy": "mlpipe_ci.report.toy",')
    package.mlpipe("run", "--report", "out.toy", cwd=repo.root, code=1)
    assert repo.read("out.toy") == "a=succeeded\nb=failed\n"
    package.mlpipe("report", "--report", "told.toy", cwd=repo.root)
    assert repo.read("told.toy") == repo.read("out.toy")
    assert ".toy" in package.mlpipe("run", "--help", cwd=repo.root).stdout
