"""A step as a job: shell, directory, environment with its secrets, time limit."""

import os
import re
import shlex
import shutil
from pathlib import Path

from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.patterns import expressions
from mlpipe_ci.core.settings import GPUS, REPEAT, ROOT, STEP
from mlpipe_ci.core.step_environment import (
    WHERE,
    missing_secrets,
    passed,
    secret_names,
    secret_values,
)
from mlpipe_ci.core.workflow import SHELLS, SecretVariable, Step, command_line
from mlpipe_ci.repo.private_directory import SCRIPTS
from mlpipe_ci.run.context import RunContext
from mlpipe_ci.run.executors.base import Job
from mlpipe_ci.tracing import strict
from mlpipe_ci.tracing.base import TraceRequest
from mlpipe_ci.tracing.discovery.noise import NOISE
from mlpipe_ci.tracing.select import chosen_tracer, why_untraced


def make_job(context: RunContext, step: Step, attempt: int, gpus: tuple[str, ...] = ()) -> Job:
    """The job of a step; `gpus`: the only ones that it may use, if any are named.

    Raises PathError if its directory or a secret is missing.
    """
    script = context.repo.private / SCRIPTS / f"{step.id}.script"
    if step.shell not in SHELLS:
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(step.run, "utf-8", errors="surrogateescape")
    names = secret_names(context.workflow)
    outer = passed(context.env, strict=step.strict_environment)
    env = {name: value for name, value in outer.items() if name not in names}
    env |= {GPUS: ",".join(gpus)} if gpus else {}
    env |= dict(step.env)
    if missing := missing_secrets(step, context.env):
        raise PathError(f"step '{step.name}': {missing[0]}")
    env |= {variable.name: _value(variable, context) for variable in step.secret_env}
    directory = _directory(context.repo.root, step)
    env |= {STEP: step.id, ROOT: str(context.repo.root), WHERE: str(directory)}
    return Job(
        id=step.id,
        argv=_repeated(context, step, command_line(step.shell, step.run, str(script))),
        directory=directory,
        env=tuple(env.items()),
        log=context.logs / f"{step.id}.log",
        append=attempt > 1,
        secrets=secret_values(context.workflow, context.env),
        timeout=None if step.timeout_minutes is None else step.timeout_minutes * 60,
        watch=_watch(context, step),
    )


def samples_directory(context: RunContext, step: Step) -> Path:
    """Where the metrics of all repetitions but the last are put: `1/0` is the first file's."""
    return context.logs / f"{step.id}.samples"


def _repeated(context: RunContext, step: Step, argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command so often as `repeat` says, as one: it is watched, and ended, as a whole."""
    if step.repeat == 1:
        return argv
    full_path = samples_directory(context, step)
    shutil.rmtree(full_path, ignore_errors=True)
    files = [shlex.quote(str(context.repo.root / path)) for path in step.metrics]
    words, here = shlex.join(argv), shlex.quote(str(full_path))
    missing = f"echo mlpipe: repetition ${REPEAT} did not write this file >&2; exit 1"
    lines = [f"export {REPEAT}=1", f"while [ ${REPEAT} -lt {step.repeat} ]; do"]
    lines += [f"{words} || exit", f"mkdir -p {here}/${REPEAT} || exit"]
    lines += [
        f"mv -f {file} {here}/${REPEAT}/{number} || {{ {missing}; }}"
        for number, file in enumerate(files)
    ]
    lines += [f"{REPEAT}=$(({REPEAT} + 1))", "done", f"exec {words}"]
    return "sh", "-c", "\n".join(lines)


def _watch(context: RunContext, step: Step) -> TraceRequest | None:
    """What is to be watched of a step; None where nothing can or should be."""
    mode = context.workflow.tracing_of(step)
    untraced = why_untraced(context.env) or not context.executor.can_trace
    if mode == "off" or untraced or asks_for_rights(step.run):
        return None
    log = context.logs / f"{step.id}.trace"
    rules = _rules(context, step) if mode == "strict" else ""
    directory = context.repo.root / step.working_directory
    return TraceRequest(
        root=context.repo.root,
        directory=directory,
        log=log,
        preferred=chosen_tracer(context.env),
        rules=rules,
    )


def _rules(context: RunContext, step: Step) -> str:
    """Write down what strict tracing lets the step read and write; returns the file."""
    full_path = str(context.logs / f"{step.id}.rules")
    params = [re.escape(path) for path in context.workflow.params_files]
    reads = [one for p in step.reads if not p.startswith("!") for one in expressions(p)]
    excluded = [one for p in step.reads if p.startswith("!") for one in expressions(p[1:])]
    strict.write_rules(full_path, reads + params, excluded, step.writes, NOISE)
    return full_path


def asks_for_rights(run: str) -> bool:
    """True for a command that calls `sudo`: below a filter it could gain no rights."""
    return re.search(r"(?:^|[\s;&|(`])(?:sudo|doas|pkexec|su)(?=\s)", run) is not None


def _value(variable: SecretVariable, context: RunContext) -> str:
    return "".join(context.env[text] if secret else text for secret, text in variable.parts)


def _directory(root: Path, step: Step) -> Path:
    directory = root / step.working_directory
    where = f"working-directory '{step.working_directory}'"
    if not directory.is_dir():
        raise PathError(f"{where} is not there; make it in an earlier step, or correct the path")
    if not Path(os.path.realpath(directory)).is_relative_to(os.path.realpath(root)):
        raise PathError(f"{where} leads through a link out of the repository")
    return directory
