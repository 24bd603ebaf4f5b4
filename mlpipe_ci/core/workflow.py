"""What the workflow file says, as frozen values. Pure."""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import field
from functools import cached_property
from typing import Any

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.patterns import may_match

SHELLS = {
    "bash": ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"),
    "sh": ("sh", "-e", "-c"),
    "python": ("python", "-c"),
}
"""How each shell is started; the command follows. `bash` is the same as GitHub's `shell: bash`."""
DEFAULT_SHELL = "bash"
GITHUB = (
    *("actor", "base_ref", "event", "event_name", "head_ref", "job", "ref", "ref_name", "ref_type"),
    *("repository", "run_attempt", "run_id", "sha", "triggering_actor", "workflow"),
)
"""Names in the context `github` of expressions; at a desk most of them are empty."""


@frozen
class StepInstance:
    """Which combination of a matrix a step is, or for which item of `each` it runs.

    `group`: the id that all its instances share. `values` of the combination may be lists and maps;
    `shown` is how they show in a name. `each`: path of the item.
    """

    group: str
    values: tuple[tuple[str, Any], ...]
    shown: str = ""
    each: str = ""
    fail_fast: bool = True
    max_parallel: int | None = None


@frozen
class ExternalInput:
    """Data that git does not have: its `url`, and the `path` to which it comes for a step.

    The URL may name many, by a pattern or a `/` at its end; then `path` is a directory and ends in
    `/`. `use_last`: where the source cannot be reached, what it had last is taken. `entry`: which
    entry of the step's inputs it is.
    """

    url: str
    path: str
    use_last: bool = False
    entry: int = field(default=0, compare=False)


@frozen
class ForEach:
    """Files for each of which a step runs once. `id` and `step`: its id and name.

    `patterns` may begin with `!`; `external`: what of them git does not have.
    """

    id: str
    step: str
    line: int
    patterns: tuple[str, ...]
    external: tuple[ExternalInput, ...] = ()


@frozen
class Plot:
    """A table or a picture that a step writes, and how it is drawn. `y`: names of columns.

    `spec`: path of the user's own Vega-Lite. `kind`: None follows from the file's name.
    """

    path: str
    kind: str | None = None
    spec: str | None = None
    x: str | None = None
    y: tuple[str, ...] = ()
    title: str | None = None
    x_label: str | None = None
    y_label: str | None = None


@frozen
class Gate:
    """A condition on metrics that must hold. `require_base`: also where there is no base."""

    text: str
    require_base: bool = False


@frozen
class Resources:
    """What a step takes of the machine. `memory` in bytes; None: not said."""

    cpus: float | None = None
    memory: int | None = None
    gpus: float | None = None


@frozen
class SecretVariable:
    """An environment variable with secrets in it. `parts`: texts, and (True) names of secrets."""

    name: str
    parts: tuple[tuple[bool, str], ...]


@frozen
class Step:
    """One command with its inputs and outputs. Paths are relative to the root, with `/`."""

    id: str
    name: str
    run: str
    description: str = ""
    shell: str = DEFAULT_SHELL
    working_directory: str = "."
    env: tuple[tuple[str, str], ...] = ()
    """Of a variable with a secret, the secret's name."""
    secret_env: tuple[SecretVariable, ...] = ()
    inputs: tuple[str, ...] = ()
    external: tuple[ExternalInput, ...] = ()
    """Data that git does not have; their paths are among the inputs."""
    shared: tuple[str, ...] = ()
    """The workflow's inputs."""
    outputs: tuple[str, ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    """Dotted path and JSON text of each that it uses."""
    needs: tuple[str, ...] = ()
    condition: str | None = None
    strategy: StepInstance | None = None
    """Which combination or item it is; None without a matrix and `each`."""
    timeout_minutes: float | None = None
    retries: int = 0
    continue_on_error: bool = False
    cache: bool | None = None
    each: tuple[str, ...] = ()
    """Patterns of the files for each of which it runs; `!` excludes."""
    metrics: tuple[str, ...] = ()
    plots: tuple[Plot, ...] = ()
    directions: tuple[tuple[str, str], ...] = ()
    """Patterns of names of metrics, and which are better: `higher` or `lower`."""
    gates: tuple[Gate, ...] = ()
    repeat: int = 1
    """How often the command runs, for the spread of its metrics."""
    resources: Resources | None = None
    tracing: str | None = None
    """None: as the workflow says."""
    state: tuple[str, ...] = ()
    """Paths that stay where they are from run to run: a tool's own memory."""
    line: int = 1
    position: int = 0
    """Which entry of the file's list it comes from."""
    strict_environment: bool = False
    """Of the environment that mlpipe was started with it gets only what every step needs."""
    portable: bool = False
    """A result that was made on another system or machine is as good."""
    names_params: bool = False
    """It has `params` of its own."""

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """All that the step declares to read, the workflow's inputs with it."""
        return tuple(dict.fromkeys(self.shared + self.inputs))

    @cached_property
    def writes(self) -> tuple[str, ...]:
        """All paths that the step declares to write: its outputs, metrics and plots.

        A file in a directory that is an output of the step itself is not named again.
        """
        directories = tuple(path for path in self.outputs if path.endswith("/"))
        files = self.metrics + tuple(plot.path for plot in self.plots)
        apart = (path for path in files if not path.startswith(directories))
        return tuple(dict.fromkeys((*self.outputs, *apart)))

    @property
    def declares_nothing(self) -> bool:
        """True if the step says neither what it reads nor what it writes.

        The workflow's inputs, metrics and plots alone declare nothing: there may be more.
        """
        return not self.inputs and not self.outputs

    @property
    def group(self) -> str:
        """The id by which `needs` names the step: that of the whole matrix, if it is of one."""
        return self.strategy.group if self.strategy else self.id


@frozen
class CacheSettings:
    """The workflow's `cache`: URL of a remote store, how files are restored, what is promoted."""

    remote: str | None = None
    restore: str = "copy"
    promote: str | None = None


@frozen
class OverriddenParam:
    """A value of a params file that is not what the workflow takes.

    `path`: dotted; `value` and `instead`: JSON text in the file, and of what counts; `by`: what
    says so, a later file or the words of the user.
    """

    file: str
    path: str
    value: str
    instead: str
    by: str


@frozen
class Workflow:
    """An ordered list of steps. `file` is the path of its file, as the user would name it.

    `params`: all values, with what `--set` changed; `params_files`: where they come from;
    `overridden`: what is not as it is there. `items`: which files steps run for once each.
    """

    name: str
    file: str
    steps: tuple[Step, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    params_files: tuple[str, ...] = ()
    overridden: tuple[OverriddenParam, ...] = ()
    items: tuple[ForEach, ...] = ()
    tracing: str = "auto"
    state: tuple[str, ...] = ()
    """Paths of any step that stay where they are from run to run."""
    cache: CacheSettings = CacheSettings()

    @cached_property
    def all_state(self) -> tuple[str, ...]:
        """Paths that stay where they are from run to run, of the file and of any step."""
        own = (path for step in self.steps for path in step.state)
        return tuple(dict.fromkeys((*self.state, *own)))

    def tracing_of(self, step: Step) -> str:
        """How a step is watched: `auto`, `strict` or `off`."""
        return step.tracing or self.tracing

    @cached_property
    def external_inputs(self) -> tuple[ExternalInput, ...]:
        """All data that git does not have, each once."""
        found = {(one.url, one.path): one for step in self.steps for one in step.external}
        return tuple(found.values())

    @cached_property
    def index_by_id(self) -> dict[str, int]:
        """Each step's place in the order of the workflow, by its id."""
        return {step.id: index for index, step in enumerate(self.steps)}

    @cached_property
    def writes(self) -> tuple[str, ...]:
        """All paths that any step declares to write."""
        return tuple(path for step in self.steps for path in step.writes)


def slug(name: str) -> str:
    """A step's default id: its name in lower case, with `-` for all but `a-z 0-9 _ -`."""
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-")


def command_line(shell: str, run: str, script: str) -> tuple[str, ...]:
    """The words that run a command in a shell. `script`: path of a file that holds the command.

    Only a shell that is given as a command line with `{0}` uses the file.
    """
    if shell in SHELLS:
        return (*SHELLS[shell], run)
    return tuple(word.replace("{0}", script) for word in shlex.split(shell))


def externals_of(workflow: Workflow, patterns: Iterable[str]) -> tuple[ExternalInput, ...]:
    """Data of a workflow that git does not have, and that patterns may mean."""
    wanted = tuple(patterns)
    return tuple(
        e for e in workflow.external_inputs if any(may_match(one, e.path) for one in wanted)
    )


def no_items_message(workflow: Workflow, each: ForEach) -> str:
    """What to say of `each` where no file matches."""
    return (
        f"{workflow.file}:{each.line}: step '{each.step}': each: no file matches "
        f"'{', '.join(each.patterns)}'; add a file, or correct the pattern"
    )
