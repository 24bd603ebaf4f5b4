"""Settings from environment variables, in one table; and the names of variables that are passed on.

docs/reference/environment.md is written from here. Not in the table: what GitHub Actions says of an
event (see `ci`), and the variables of git and of the object stores' own clients.
"""

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Generic, Self, TypeVar, overload

from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.units import byte_count

T = TypeVar("T")

TOKEN = "MLPIPE_TOKEN"  # noqa: S105 - the name of a variable
PACK = "MLPIPE_PACK"
STEP = "MLPIPE_STEP"
ROOT = "MLPIPE_ROOT"
REPEAT = "MLPIPE_REPEAT"
GPUS = "CUDA_VISIBLE_DEVICES"
INPUT_PREFIX = "MLPIPE_INPUT_"
"""Of the action's inputs: see action.yml."""
FOR_STEPS = {
    STEP: "The id of the step.",
    ROOT: "The root of the work tree.",
    REPEAT: "With `repeat`: which repetition this is, from 1.",
    GPUS: "With `resources.gpus`: the GPUs that the step may use.",
}
"""What mlpipe adds to the environment of a step."""
NOT_FOR_STEPS = (
    TOKEN,
    PACK,
    "ACTIONS_RUNTIME_TOKEN",
    "ACTIONS_CACHE_URL",
    "ACTIONS_RESULTS_URL",
)
"""Never passed to a step: they are mlpipe's or the runner's own, not the user's."""


@frozen
class Variable(Generic[T]):
    """One line of the table: an attribute of `Settings`, read from one variable.

    `default`: the text that counts if the variable is not set or empty; `parse` raises ValueError
    for a bad value, and `wrong` then says why it is bad and what to write.
    """

    name: str
    parse: Callable[[str], T]
    meaning: str
    default: str = ""
    wrong: str = ""

    @overload
    def __get__(self, settings: None, owner: type) -> Self: ...
    @overload
    def __get__(self, settings: "Settings", owner: type) -> T: ...
    def __get__(self, settings: "Settings | None", owner: type) -> Self | T:
        """The value in an environment; of the class, the line itself. Raises UsageError."""
        if settings is None:
            return self
        text = settings.env.get(self.name) or self.default
        try:
            return self.parse(text)
        except ValueError as error:
            raise UsageError(f"{self.name}={text}: {self.wrong}") from error


def _timeout(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 3600:  # noqa: PLR2004 - an hour
        raise ValueError(text)
    return seconds


@frozen
class Settings:
    """The table, read from one environment.

    A value is parsed when it is asked for: a wrong limit of the cache does not stop `mlpipe plan`.
    """

    env: Mapping[str, str] = field(repr=False)

    cache_dir = Variable(
        name="MLPIPE_CACHE_DIR",
        parse=str,
        meaning="The directory of the local cache; else `mlpipe` in the user's cache directory.",
    )
    cache_max_size = Variable(
        name="MLPIPE_CACHE_MAX_SIZE",
        parse=byte_count,
        default="20G",
        meaning="Limit of the local cache; once a day a run removes what was used longest ago.",
        wrong="it is no size of a cache; write 500M, 20G or 1.5T",
    )
    cache_max_age = Variable(
        name="MLPIPE_CACHE_MAX_AGE",
        parse=float,
        default="90",
        meaning="Days after which what is not used is removed from the local cache.",
        wrong="it is not a number of days; write 90, or 0.5",
    )
    remote_timeout = Variable(
        name="MLPIPE_REMOTE_TIMEOUT",
        parse=_timeout,
        default="30",
        meaning="Seconds for one request to a remote cache or a source of data.",
        wrong="it is not a number of seconds between 0 and 3600; write 30, or 2.5",
    )
    tracer = Variable(
        name="MLPIPE_TRACER",
        parse=str,
        default="auto",
        meaning=(
            "The only tracer that may be used, by its name in `mlpipe doctor`; `auto` takes the "
            "first that works, `off` traces nothing."
        ),
    )
    token = Variable(
        name=TOKEN,
        parse=str,
        meaning=(
            "The token for GitHub: API, commit status, comment, checkout. The action sets it from "
            "its input `token`; no step sees it."
        ),
    )
    pack = Variable(
        name=PACK,
        parse=str,
        meaning="The directory that GitHub's cache carries from run to run. The action sets it.",
    )
    no_color = Variable(
        name="NO_COLOR",
        parse=str,
        meaning="Any value: no colours ([no-color.org](https://no-color.org)).",
    )
    term = Variable(
        name="TERM",
        parse=str,
        meaning="The terminal. `dumb`: no colours, no live display; not set: no live display.",
    )


def from_env(env: Mapping[str, str]) -> Settings:
    """The settings of an environment. Nothing is parsed yet."""
    return Settings(env=env)


def table() -> tuple[Variable[object], ...]:
    """All lines of the table."""
    return tuple(line for line in vars(Settings).values() if isinstance(line, Variable))
