"""Random cases: how many a test draws, and from which seed.

The profile `fixed` draws the same cases each time. `fresh`, that of `make models`, draws others
each time, and twice as many. No case is timed.
"""

import pytest
from hypothesis import HealthCheck, core, settings
from hypothesis.internal.conjecture import engine

USUAL = 100
"""Cases that a test draws if it does not say how many."""
SHRINKING_SECONDS = 30
"""How long a failing case is made smaller; Hypothesis has no setting for it."""
EXAMPLE = "write the arguments of the failing case as @example(...) above the test"


def load_profiles() -> None:
    """Make both profiles known and use `fixed`; pytest's --hypothesis-profile changes that."""
    untimed = [HealthCheck.too_slow, HealthCheck.data_too_large]
    common = settings(
        deadline=None,
        database=None,
        suppress_health_check=[*untimed, HealthCheck.function_scoped_fixture],
    )
    settings.register_profile("fixed", common, derandomize=True, max_examples=USUAL)
    settings.register_profile("fresh", common, print_blob=True, max_examples=2 * USUAL)
    settings.load_profile("fixed")
    engine.MAX_SHRINKING_SECONDS = SHRINKING_SECONDS


def cases(count: int) -> settings:
    """So many cases, and as many more as the profile has more than usual."""
    return settings(max_examples=count * settings().max_examples // USUAL)


def fresh_seed() -> int | None:
    """The seed of `make models`; None in all other runs."""
    found: int | None = vars(core)["global_force_seed"]  # that of pytest's --hypothesis-seed
    return found


def seed(fixed: int) -> int:
    """For a test that draws by itself: the fixed seed, or another in each `make models`."""
    fresh = fresh_seed()
    return fixed if fresh is None else fixed ^ fresh


def advice(item: pytest.Item) -> str:
    """How the failed case is drawn again and kept, if the test draws random cases; else ""."""
    own = item.get_closest_marker("random")
    if not own and not item.get_closest_marker("hypothesis"):
        return ""
    fresh = fresh_seed()
    again = "" if fresh is None else f"Draw it again: make models SEED={fresh}\n"
    return f"{again}Keep it for `make test`: {own.args[0] if own else EXAMPLE}."
