"""The runner, with a fake executor: what it does with each decision and each ending."""

import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, Self

import pytest

from mlpipe_ci.cache.cache import Cache
from mlpipe_ci.cache.left_record import LeftRecord
from mlpipe_ci.cache.stale_outputs import StaleOutputs
from mlpipe_ci.cache.state import LocalState
from mlpipe_ci.cache.store import Store
from mlpipe_ci.cache.transaction import OutputTransaction
from mlpipe_ci.core.cache_key import Input, key_parts, step_key
from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.event import Event
from mlpipe_ci.core.plan import Decision
from mlpipe_ci.core.result import Output, Producer
from mlpipe_ci.core.run import Status, StepOutcome
from mlpipe_ci.core.workflow import SecretVariable, Step, StepInstance
from mlpipe_ci.plan.decide import Evidence
from mlpipe_ci.repo.blame import CommitAttribution
from mlpipe_ci.repo.repo import Repo
from mlpipe_ci.repo.work_tree import WorkTree
from mlpipe_ci.run.context import RunContext
from mlpipe_ci.run.executors.base import Job
from mlpipe_ci.run.runner import Runner
from mlpipe_ci.sources.external_data import ExternalData
from mlpipe_ci.sources.placement import Placement
from mlpipe_ci.sources.sources import Sources
from mlpipe_ci.tracing.discovery.check import InputChecker
from mlpipe_ci.tracing.discovery.discovery import Discovery
from mlpipe_ci.tracing.discovery.later_writes import LaterWrites
from mlpipe_ci.tracing.discovery.platform import this_platform
from mlpipe_ci.tracing.discovery.readers import Readers
from mlpipe_ci.tracing.discovery.step_variables import StepVariables
from tests.support.fakes import FakeEvidence, FakeExecutor, result, step, workflow

CLEAN = step("clean", inputs=("raw",), outputs=("clean.csv",))
TRAIN = step("train", inputs=("clean.csv",), outputs=("model",))
WITH_SIGNALS = (
    *("/run/runner.py", "/run/running.py", "/run/attempt.py", "/run/scheduler.py"),
    *("/cache/hidden_outputs.py", "/shutil.py"),
)


@pytest.fixture
def make_context(tmp_path: Path) -> Callable[..., RunContext]:
    def make(
        *steps: Step, act: Callable[[Job], int] | None = None, **evidence: Evidence
    ) -> RunContext:
        root = tmp_path / "root"
        root.mkdir(exist_ok=True)

        def write(job: Job) -> int:
            of = next(s for s in steps if s.id == job.id)
            for path in of.writes:
                (root / path).write_text(f"{path} of {job.id}")
            return 0

        tree = WorkTree(root, None, ())
        state = LocalState(tmp_path / "state.db")
        transaction = OutputTransaction(root, tmp_path / "aside")
        sources = Sources({}, tmp_path / "cache", state, lambda _text: None, lambda _text: None)
        comparison = Comparison()
        return RunContext(
            workflow=workflow(*steps),
            evidence=FakeEvidence(**evidence),
            repo=Repo(
                root=root,
                git=None,
                private=tmp_path,
                tree=tree,
                comparison=comparison,
                blame=CommitAttribution(Event(), comparison, None, None),
            ),
            cache=Cache(
                store=Store(tmp_path / "cache"),
                state=state,
                scopes=("main",),
                producer=Producer(commit="4be1c02"),
            ),
            data=ExternalData(
                sources=sources, placement=Placement(root, sources, transaction, state)
            ),
            discovery=Discovery(
                checker=InputChecker(str(root), tree, {}, LaterWrites()),
                later_writes=LaterWrites(),
                readers=Readers(),
                variables=StepVariables(str(root), {}),
            ),
            transaction=transaction,
            stale_outputs=StaleOutputs(
                root, workflow(*steps), LeftRecord(), dict, state.digest_cache.digest, tree.tracked
            ),
            executor=FakeExecutor(act or write),
            env={"PATH": "p"},
            logs=tmp_path / "logs",
        )

    return make


def outcomes(context: RunContext) -> list[StepOutcome]:
    items = list(Runner(context).run())
    context.cache.state.close()
    assert isinstance(items[0], Decision)
    assert isinstance(items[-1], StepOutcome)
    return [item for item in items if isinstance(item, StepOutcome)]


def started(context: RunContext) -> list[str]:
    assert isinstance(context.executor, FakeExecutor)
    return context.executor.started


def test_steps_run_in_order_and_their_results_are_kept(
    make_context: Callable[..., RunContext],
) -> None:
    context = make_context(CLEAN, TRAIN)
    assert [o.status for o in outcomes(context)] == ["succeeded", "succeeded"]
    assert started(context) == ["clean", "train"]
    (kept,) = context.cache.store.results(step_key(key_parts(TRAIN, ())), ("main",))
    assert kept.outputs[0].path == "model"
    assert kept.producer.commit == "4be1c02"
    assert context.cache.store.read(kept.log) == b"log of train\n"


def test_a_failure_blocks_the_rest_and_leaves_no_result(
    make_context: Callable[..., RunContext],
) -> None:
    context = make_context(CLEAN, TRAIN, act=lambda job: 3)
    (context.repo.root / "clean.csv").write_text("the last good one")
    clean, train = outcomes(context)
    assert (clean.status, clean.execution.exit_code, train.status) == (
        Status.FAILED,
        3,
        Status.BLOCKED,
    )
    assert clean.notes == ("exit code 3", "put back from before, so stale: clean.csv")
    assert clean.execution.log_tail == ("log of clean",)
    assert train.reasons == ("clean did not succeed",)
    assert (context.repo.root / "clean.csv").read_text() == "the last good one"
    assert context.cache.store.results(step_key(key_parts(CLEAN, ())), ("main",)) == ()


@pytest.mark.parametrize(
    ("of", "act", "note"),
    [
        (CLEAN, lambda job: 0, "did not write 'clean.csv'"),
        (CLEAN, lambda job: -9, "ended by signal 9"),
        (step("m", metrics=("m.json",)), lambda job: 0, "did not write 'm.json'"),
    ],
)
def test_other_failures(
    make_context: Callable[..., RunContext], of: Step, act: Callable[[Job], int], note: str
) -> None:
    (outcome,) = outcomes(make_context(of, act=act))
    assert outcome.status is Status.FAILED
    assert note in outcome.notes[0]


@pytest.mark.parametrize("text", ["{", "", "\xff"])
def test_metrics_that_cannot_be_read_fail_the_step(
    make_context: Callable[..., RunContext], text: str
) -> None:
    context = make_context(step("m", metrics=("m.json",)))
    context = replace(context, executor=FakeExecutor(lambda job: write(context, "m.json", text)))
    (outcome,) = outcomes(context)
    assert outcome.status is Status.FAILED
    assert "m.json" in outcome.notes[0]


def write(context: RunContext, name: str, text: str) -> int:
    (context.repo.root / name).write_text(text)
    return 0


def test_numbers_of_metrics_are_told(make_context: Callable[..., RunContext]) -> None:
    text = '{"auc": 0.93, "n": 5, "ok": true, "by": {"day": 1e3, "x": "y"}, "l": [1], "z": null}'
    context = make_context(step("m", metrics=("m.json",)))
    context = replace(context, executor=FakeExecutor(lambda job: write(context, "m.json", text)))
    assert outcomes(context)[0].measured.metrics == (
        *(("auc", 0.93), ("n", 5.0), ("by.day", 1000.0), ("l.0", 1.0)),
    )


def test_a_reused_step_is_restored_and_not_run(make_context: Callable[..., RunContext]) -> None:
    context = make_context(CLEAN)
    outcomes(context)
    (kept,) = context.cache.store.results(step_key(key_parts(CLEAN, ())), ("main",))
    (context.repo.root / "clean.csv").unlink()
    again = make_context(
        CLEAN, clean=Evidence(results=(kept,), parts=kept.parts, now=kept.finished)
    )
    (outcome,) = outcomes(again)
    assert (outcome.status, outcome.left.saved_seconds) == (Status.REUSED, 1.0)
    assert outcome.left.outputs == ("clean.csv",)
    assert outcome.left.provenance, "known beside what it left"
    assert outcome.left.provenance.finished == kept.finished
    assert outcome.notes == ("1 file(s) restored from the cache",)
    assert (context.repo.root / "clean.csv").read_text() == "clean.csv of clean"
    assert started(again) == []


def test_a_damaged_result_is_named_and_the_step_runs(
    make_context: Callable[..., RunContext],
) -> None:
    lost = result(CLEAN, producer=Producer(run_url="https://example.invalid/run/812"))
    context = make_context(CLEAN, clean=Evidence(results=(lost,), parts=lost.parts, key=lost.key))
    (outcome,) = outcomes(context)
    assert outcome.status is Status.SUCCEEDED
    assert "damaged" in outcome.reasons[0]
    assert "made by https://example.invalid/run/812" in outcome.reasons[0]


def test_an_input_that_changes_meanwhile_keeps_the_result_out(
    make_context: Callable[..., RunContext],
) -> None:
    before = key_parts(CLEAN, (Input(path="raw", digest="git:1"),))
    context = make_context(CLEAN, clean=Evidence(parts=before, key=step_key(before)))
    (outcome,) = outcomes(context)
    assert outcome.status is Status.SUCCEEDED
    assert outcome.notes == ("the result was not stored: raw changed while the step ran",)
    assert context.cache.store.results(step_key(before), ("main",)) == ()


def test_a_step_that_is_never_reused_is_not_stored(make_context: Callable[..., RunContext]) -> None:
    context = make_context(
        step("undeclared", outputs=("x",)), step("deploy", inputs=("a",), cache=False)
    )
    outcomes(context)
    assert not context.cache.store.directory.exists()


def test_another_result_for_the_same_key_is_told(make_context: Callable[..., RunContext]) -> None:
    context = make_context(CLEAN)
    (context.repo.root / "other").write_text("other bytes")
    digest, size = context.cache.store.save(context.repo.root / "other")
    wrote = (Output(path="clean.csv", kind="file", digest=digest, size=size),)
    first = result(CLEAN, outputs=wrote, discovered=(this_platform(),))
    context.cache.store.add(first, "main")
    (outcome,) = outcomes(context)
    assert outcome.notes == ("not deterministic: clean.csv differs from an earlier run's",)


def test_a_store_that_cannot_be_written_is_a_note(
    make_context: Callable[..., RunContext], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    context = make_context(CLEAN, TRAIN)
    context = replace(context, cache=replace(context.cache, store=Store(tmp_path / "file")))
    for outcome in outcomes(context):
        assert outcome.status is Status.SUCCEEDED
        assert outcome.notes[0].startswith("the result was not stored: ")


def test_a_log_tail_shows_the_last_state_of_a_progress_bar(
    make_context: Callable[..., RunContext], tmp_path: Path
) -> None:
    text = "start\r\n" + "\r".join(f"{n}%" for n in range(101)) + "\n\nlast \xe9\n"

    def act(job: Job) -> int:
        job.log.write_text(text, encoding="latin-1")
        return 1

    (outcome,) = outcomes(make_context(CLEAN, act=act))
    assert outcome.execution.log_tail == ("start", "100%", "last \ufffd")


def test_a_path_that_cannot_be_used_fails_its_step_and_not_the_run(
    make_context: Callable[..., RunContext],
) -> None:
    context = make_context(CLEAN, step("notify", condition="failure()"))
    (context.repo.root / "clean.csv").symlink_to("elsewhere")
    linked = step("linked", inputs=("raw",), outputs=("clean.csv/",))
    context = replace(context, workflow=workflow(linked, TRAIN))
    first, second = outcomes(context)
    assert (first.status, first.execution.exit_code, second.status) == ("failed", None, "blocked")
    assert "leads through the link 'clean.csv'" in first.notes[0]
    assert started(context) == []


def test_a_pointer_of_git_lfs_is_not_read_as_data(make_context: Callable[..., RunContext]) -> None:
    parts = key_parts(CLEAN, (Input(path="raw", digest="git:1"),))
    context = make_context(CLEAN, clean=Evidence(parts=parts, key=step_key(parts)))
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 100000\n"
    (context.repo.root / "raw").write_text(text)
    (outcome,) = outcomes(context)
    assert outcome.status is Status.FAILED
    assert "git lfs pull --include 'raw'" in outcome.notes[0]
    assert started(context) == []


def test_numbers_come_from_the_files_if_the_result_does_not_know_them(
    make_context: Callable[..., RunContext],
) -> None:
    as_output = step("m", inputs=("raw",), outputs=("m.json",))
    context = make_context(as_output)
    context = replace(
        context, executor=FakeExecutor(lambda job: write(context, "m.json", '{"auc": 1}'))
    )
    outcomes(context)
    (kept,) = context.cache.store.results(step_key(key_parts(as_output, ())), ("main",))
    as_metrics = step("m", inputs=("raw",), metrics=("m.json",))
    again = make_context(as_metrics, m=Evidence(results=(kept,), parts=kept.parts, key=kept.key))
    assert outcomes(again)[0].measured.metrics == (("auc", 1.0),)


def test_the_environment_of_a_job(make_context: Callable[..., RunContext]) -> None:
    seen: list[Job] = []

    def act(job: Job) -> int:
        seen.append(job)
        return 1

    outcomes(make_context(step("s", env=(("MODE", "fast"), ("PATH", "mine"))), act=act))
    env = dict(seen[0].env)
    assert (env["MODE"], env["PATH"], env["MLPIPE_STEP"]) == ("fast", "mine", "s")
    assert Path(env["MLPIPE_ROOT"]) == seen[0].directory


def test_a_failed_command_is_tried_again(make_context: Callable[..., RunContext]) -> None:
    waited: list[float] = []
    codes = iter([1, 1, 0])
    context = make_context(step("a", retries=3), act=lambda job: next(codes))
    context = replace(context, sleep=waited.append)
    (outcome,) = outcomes(context)
    assert (outcome.status, outcome.execution.attempts) == (Status.SUCCEEDED, 3)
    assert [round(seconds) for seconds in waited] == [1, 2]


def test_retries_end(make_context: Callable[..., RunContext]) -> None:
    context = replace(make_context(step("a", retries=1), act=lambda job: 7), sleep=lambda _: None)
    (outcome,) = outcomes(context)
    ran = outcome.execution
    assert (outcome.status, ran.attempts, ran.exit_code) == (Status.FAILED, 2, 7)


def test_what_a_failed_attempt_wrote_is_not_there_for_the_next(
    make_context: Callable[..., RunContext],
) -> None:
    context = make_context(CLEAN, act=lambda job: 0)
    (context.repo.root / "clean.csv").write_text("old")
    seen = []

    def act(job: Job) -> int:
        path = context.repo.root / "clean.csv"
        seen.append(path.exists())
        path.write_text("half")
        return 1

    of = replace(CLEAN, retries=2)
    again = replace(
        context, workflow=workflow(of), executor=FakeExecutor(act), sleep=lambda _: None
    )
    (outcome,) = outcomes(again)
    assert (seen, outcome.execution.attempts) == ([False] * 3, 3)
    assert (context.repo.root / "clean.csv").read_text() == "old"


def test_continue_on_error(make_context: Callable[..., RunContext]) -> None:
    lint = step("lint", continue_on_error=True)
    context = make_context(lint, CLEAN, act=lambda job: 1 if job.id == "lint" else write_all(job))

    def write_all(job: Job) -> int:
        (context.repo.root / "clean.csv").write_text("x")
        return 0

    first, second = outcomes(context)
    assert (first.status, second.status) == (Status.FAILED, Status.SUCCEEDED)
    assert first.facts["outcome"] == "failure"
    assert first.facts["conclusion"] == "success"
    assert not first.fails_run


@pytest.mark.parametrize(
    ("fail_fast", "second"), [(False, Status.SUCCEEDED), (True, Status.BLOCKED)]
)
def test_fail_fast_of_a_matrix(
    make_context: Callable[..., RunContext], fail_fast: bool, second: Status
) -> None:
    matrix = StepInstance(group="train", values=(), fail_fast=fail_fast)
    steps = [step(name, strategy=matrix) for name in ("a", "b")]
    context = make_context(*steps, step("after"), act=lambda job: int(job.id == "a"))
    found = [outcome.status for outcome in outcomes(context)]
    assert found == [Status.FAILED, second, Status.BLOCKED]


def jobs(context: RunContext) -> list[Job]:
    seen: list[Job] = []

    def act(job: Job) -> int:
        seen.append(job)
        return 0

    outcomes(replace(context, executor=FakeExecutor(act)))
    return seen


def test_a_secret_goes_only_to_the_step_that_names_it(
    make_context: Callable[..., RunContext],
) -> None:
    variable = SecretVariable(name="URL", parts=((False, "https://"), (True, "TOKEN")))
    deploy = step("deploy", env=(("URL", "https://${{ secrets.TOKEN }}"),), secret_env=(variable,))
    context = make_context(step("train"), deploy)
    context = replace(context, env={"PATH": "p", "TOKEN": "hunter22"})
    first, second = jobs(context)
    assert "TOKEN" not in dict(first.env)
    assert "TOKEN" not in dict(second.env)
    assert dict(second.env)["URL"] == "https://hunter22"
    assert first.secrets == second.secrets == ("hunter22",)


def test_a_secret_that_is_not_set_fails_the_step(make_context: Callable[..., RunContext]) -> None:
    variable = SecretVariable(name="TOKEN", parts=((True, "DEPLOY_TOKEN"),))
    (outcome,) = outcomes(make_context(step("deploy", secret_env=(variable,))))
    assert outcome.status is Status.FAILED
    assert "the secret DEPLOY_TOKEN is not set; give it to mlpipe" in outcome.notes[0]


def test_shell_directory_and_time_limit_reach_the_job(
    make_context: Callable[..., RunContext],
) -> None:
    own = step("r", shell="Rscript --vanilla {0}", run="print(1)", timeout_minutes=1.5)
    context = make_context(own, step("p", shell="python", working_directory="src"))
    (context.repo.root / "src").mkdir(parents=True)
    first, second = jobs(context)
    assert first.argv == (
        "Rscript",
        "--vanilla",
        str((context.repo.private / "scripts") / "r.script"),
    )
    assert Path(first.argv[2]).read_text() == "print(1)"
    assert first.timeout == 90
    assert second.argv == ("python", "-c", "run p")
    assert second.directory == context.repo.root / "src"


def test_a_working_directory_must_be_there_and_inside(
    make_context: Callable[..., RunContext],
) -> None:
    context = make_context(
        step("a", working_directory="nowhere", continue_on_error=True),
        step("b", working_directory="link"),
    )
    (context.repo.root / "link").symlink_to("/usr")
    first, second = outcomes(context)
    assert "working-directory 'nowhere' is not there" in first.notes[0]
    assert "out of the repository" in second.notes[0]


def test_a_script_that_cannot_be_written_fails_the_step(
    make_context: Callable[..., RunContext],
) -> None:
    context = make_context(step("r", shell="Rscript {0}"))
    (context.repo.private / "scripts").parent.mkdir(parents=True, exist_ok=True)
    (context.repo.private / "scripts").write_text("a file in the place of the directory")
    (outcome,) = outcomes(context)
    assert outcome.status is Status.FAILED
    assert "the command cannot be run: " in outcome.notes[0]


def test_a_signal_at_any_line_loses_nothing_and_ends(
    make_context: Callable[..., RunContext], tmp_path: Path
) -> None:
    """Between two lines of any code here: each run ends, and what was stored is told as done."""
    lines = 1
    for number in range(10_000):
        root = tmp_path / str(number)
        root.mkdir()
        codes = iter([1, 0, 0])

        def act(job: Job, codes: Iterator[int] = codes) -> int:
            for path in (CLEAN if job.id == "clean" else TRAIN).writes:
                (tmp_path / "root" / path).write_text(job.id)
            return next(codes)

        context = make_context(replace(CLEAN, retries=1), TRAIN, act=act)
        store = Store(root / "cache")
        context = replace(context, sleep=lambda _: None, cache=replace(context.cache, store=store))
        runner = Runner(context)
        with InterruptAt(context, number) as signal_:
            try:
                list(runner.run())
            except KeyboardInterrupt:
                context.interrupts.ending(lambda: None)
                runner.cancel()
                list(runner.end())
                list(runner.cancelled({}))
        if not signal_.sent:
            break
        lines += 1
        told = {o.step.id: o.status for o in runner.outcomes}
        notes = [note for o in runner.outcomes for note in o.notes if note != "exit code 1"]
        assert not [note for note in notes if not note.startswith("put back")], notes
        assert list(told) == ["clean", "train"], f"line {number}: {told}"
        for one in context.workflow.steps:
            kept = store.results(step_key(key_parts(one, ())), ("main",))
            assert bool(kept) == (told[one.id] is Status.SUCCEEDED), f"line {number}: {told}"
    assert lines > 100


class InterruptAt:
    """Sends a signal before one line, by its number among those that run in WITH_SIGNALS."""

    def __init__(self, context: RunContext, number: int) -> None:
        self._context, self._left, self.sent = context, number, False

    def __enter__(self) -> Self:
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _call(self, frame: FrameType, _event: str, _of: object) -> Any:
        return self._line if frame.f_code.co_filename.endswith(WITH_SIGNALS) else None

    def _line(self, frame: FrameType, event: str, _of: object) -> Any:
        if event == "line" and not self.sent:
            self._left -= 1
            if self._left < 0:
                self.sent = True
                self._context.interrupts._handle(signal.SIGINT, frame)
        return self._line
