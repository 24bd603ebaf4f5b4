"""Which steps an audit runs again, and why it leaves out the others. Pure but for chance."""

import random
from collections.abc import Mapping

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.plan import Action, Decision
from mlpipe_ci.core.result import Audited, Result

SHOWN = 3


@frozen
class Choice:
    """`named`: ids of the steps that were asked for by name, None: all. `sample`: how many at most;
    `budget`: seconds that their commands may take together, by what they took before.
    """

    named: frozenset[str] | None = None
    sample: int | None = None
    budget: float | None = None


def why_not_again(decision: Decision, *, named: bool) -> str:
    """Why a step cannot be audited; empty if it can."""
    step, result = decision.step, decision.result
    if step.cache is False:
        return "cache: false: it may only run where a run says so"
    if decision.action is Action.SKIP:
        return "a run would skip it"
    reasons = ", ".join(decision.reasons[:SHOWN])
    if decision.action is Action.MAYBE:
        return f"whether it has a result is not known yet ({reasons})"
    if decision.action is not Action.REUSE or result is None:
        return f"there is no result to audit: a run would run it ({reasons})"
    if not result.outputs:
        return "its result has no outputs to compare"
    if step.secret_env and not named:
        return "it is given secrets, so it may act on something outside; name it to run it again"
    return ""


def chosen(
    results: Mapping[str, Result], audits: Mapping[str, Audited | None], choice: Choice
) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Ids of the steps to audit, and of the others why they are not of this sample.

    Never audited ones come first, then those audited longest ago; chance decides among equals.
    """
    order = list(results)
    random.shuffle(order)
    order.sort(key=lambda id_: _last(audits.get(id_)))
    taken: list[str] = []
    left_out: dict[str, str] = {}
    spent = 0.0
    for id_ in order:
        seconds = results[id_].seconds
        if choice.sample is not None and len(taken) >= choice.sample:
            left_out[id_] = "not in this sample"
        elif choice.budget is not None and spent + seconds > choice.budget:
            left_out[id_] = f"it took {seconds:.0f} s, which the budget does not have left"
        else:
            taken.append(id_)
            spent += seconds
    return tuple(taken), left_out


def _last(audit: Audited | None) -> float:
    return audit.finished if audit else 0.0
