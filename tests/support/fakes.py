"""Stand-ins that tests pass in: an executor without processes, a witness without files."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from mlpipe_ci.core.cache_key import Input, key_parts, step_key
from mlpipe_ci.core.plan import StepFacts, Written
from mlpipe_ci.core.result import Output, Producer, Result
from mlpipe_ci.core.workflow import Step, Workflow
from mlpipe_ci.plan.decide import Evidence
from mlpipe_ci.run.executors.base import Job, JobResult
from mlpipe_ci.tracing.base import Trace


def step(name: str, /, **fields: object) -> Step:
    """A step with the rest of its fields as given."""
    return Step(**({"id": name, "name": name, "run": f"run {name}"} | fields))  # type: ignore[arg-type]


def workflow(*steps: Step) -> Workflow:
    """A workflow of these steps."""
    return Workflow(name="demo", file="mlpipe.yml", steps=steps)


def result(of: Step, inputs: tuple[Input, ...] = (), **fields: object) -> Result:
    """A result of a step, made a minute ago in 100 seconds."""
    parts = key_parts(of, inputs)
    given: dict[str, object] = {
        "key": step_key(parts),
        "step": of.name,
        "parts": parts,
        "discovered": (),
        "outputs": tuple(
            Output(path=path, kind="file", digest="blake3:" + "0" * 64, size=1)
            for path in of.writes
        ),
        "metrics": (),
        "log": "",
        "seconds": 100.0,
        "finished": time.time() - 60,
        "producer": Producer(ref="refs/heads/main"),
    }
    return Result(**(given | fields))  # type: ignore[arg-type]


class FakeEvidence:
    """Knows of each step the evidence that the test gives it; by default a key and nothing else."""

    def __init__(self, **evidence: Evidence) -> None:
        self.evidence = evidence
        self.asked: list[tuple[str, Mapping[str, object], tuple[str, ...]]] = []

    def collect(
        self, step: Step, written: Written, facts: StepFacts, failed: tuple[str, ...]
    ) -> Evidence:
        self.asked.append((step.id, dict(written), failed))
        if failed:
            return Evidence(condition=False, blocked_by=failed)
        waits = tuple(f"reads what {i} writes" for i, w in written.items() if w is None)
        parts = key_parts(step, ())
        default = Evidence(parts=parts, key=step_key(parts), waits_for=waits)
        return self.evidence.get(step.id, default)

    def inputs(self, step: Step) -> tuple[Input, ...]:
        return ()


class FakeExecutor:
    """Runs a function instead of a command; its answer is the exit code."""

    shares_disk = True
    can_trace = True

    def __init__(self, act: Callable[[Job], int] = lambda job: 0) -> None:
        self.started: list[str] = []
        self._act = act
        self._job: Job | None = None

    def free(self) -> int:
        return 1

    def start(self, job: Job) -> None:
        self.started.append(job.id)
        self._job = job

    def wait(self, seconds: float | None) -> bool:
        return self._job is not None

    def result(self) -> JobResult:
        job, self._job = self._job, None
        assert job is not None
        Path(job.log).parent.mkdir(parents=True, exist_ok=True)
        Path(job.log).write_text(f"log of {job.id}\n")
        return JobResult(
            job=job, exit_code=self._act(job), started=time.time(), seconds=1.0, trace=Trace()
        )

    def cancel(self, job: str) -> None:
        pass

    def close(self) -> None:
        pass

    def kill(self) -> None:
        pass
