"""What `mlpipe verify` has found, as lines of a terminal and as JSON."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from mlpipe_ci.core.result import plain_number
from mlpipe_ci.core.units import format_duration
from mlpipe_ci.core.verification import Standing, StepProof, Unverified, Verification
from mlpipe_ci.report.wording import escape_controls, number

VERSION = 1
SYMBOLS = {
    Standing.VERIFIED: "✔",
    Standing.UNCLAIMED: "–",
    Standing.MISSING: "✖",
    Standing.CONTRADICTED: "✖",
}
SHOWN, SHOWN_METRICS = 3, 3


def verification_lines(found: Verification, now: float, *, strict: bool) -> list[str]:
    """One line for each step, what is not verified, and the verdict. `now`: seconds since 1970."""
    width = max((len(escape_controls(step.name)) for step in found.steps), default=0)
    lines = [line for step in found.steps for line in _step_lines(step, width, now)]
    return [*lines, *_end(found, strict=strict)]


def _step_lines(step: StepProof, width: int, now: float) -> Iterator[str]:
    start = f"{SYMBOLS[step.standing]} {escape_controls(step.name):<{width}}  {step.standing}"
    parts = [escape_controls(step.why)] if step.why else []
    if step.result is not None:
        ago = format_duration(max(0.0, now - step.result.finished))
        inputs = (f"{step.blobs} of the commit", f"{step.outputs} of earlier results")
        parts += [f"made {ago} ago", f"inputs: {', '.join(inputs)}"]
        parts.append(
            " · ".join(
                f"{escape_controls(name)} {number(value)}"
                for name, value in step.result.metrics[:SHOWN_METRICS]
            )
        )
    yield "  ".join(part for part in (start, *parts) if part)
    data = tuple(one for one in step.unverified if one.is_data)
    yield from (f"    not verified: {line}" for line in _grouped(data))
    if step.others:
        more = "result" if step.others == 1 else "results"
        yield f"    {step.others} other {more} that left something else would fit as well"


def _grouped(unverified: tuple[Unverified, ...]) -> Iterator[str]:
    """By their reason, the first few of each."""
    for why, count in Counter(one.why for one in unverified).items():
        names = [escape_controls(one.path) for one in unverified if one.why == why]
        more = f" and {count - SHOWN} more" if count > SHOWN else ""
        yield f"{', '.join(names[:SHOWN])}{more} ({why})"


def _end(found: Verification, *, strict: bool) -> Iterator[str]:
    good = found.holds(strict=strict)
    name, commit = escape_controls(found.workflow), found.commit[:7]
    count = sum(step.standing is Standing.VERIFIED for step in found.steps)
    claimed = sum(step.standing is not Standing.UNCLAIMED for step in found.steps)
    what = f"what {escape_controls(found.claims)} says of it" if found.claims else "it"
    follows = f"{count} of {claimed} steps of {commit} follow from results in the cache"
    if good:
        yield f"✔ {name}: {follows}"
    else:
        yield f"✖ {name}: {follows}" + (
            "" if count < claimed or not count else f": not all of {what}"
        )
    if found.unverified:
        files = "input is" if found.unverified == 1 else "inputs are"
        yield f"  {found.unverified} {files} neither of the commit nor of a result: see above"
    machine = {one for step in found.steps for one in step.unverified if not one.is_data}
    for line in _grouped(tuple(sorted(machine))):
        yield f"  not verified, of the machine: {line}"


def verification_json(found: Verification, *, strict: bool) -> dict[str, Any]:
    """In the shape of schema/verify.schema.json."""
    return {
        "version": VERSION,
        "workflow": escape_controls(found.workflow),
        "file": escape_controls(found.file),
        "commit": found.commit,
        "report": escape_controls(found.claims) or None,
        "holds": found.holds(strict=strict),
        "unverified": found.unverified,
        "steps": [_step_json(step) for step in found.steps],
    }


def _step_json(step: StepProof) -> dict[str, Any]:
    return {
        "id": step.id,
        "name": escape_controls(step.name),
        "standing": str(step.standing),
        "why": escape_controls(step.why) or None,
        "result": _result(step) if step.result else None,
        "blobs": step.blobs,
        "outputs": step.outputs,
        "unverified": [
            {"path": escape_controls(one.path), "why": one.why, "is_data": one.is_data}
            for one in step.unverified
        ],
        "others": step.others,
        "audited": vars(step.audited) if step.audited is not None else None,
    }


def _result(step: StepProof) -> dict[str, Any]:
    result = step.result
    if result is None:
        return {}
    by = result.producer
    return {
        "key": result.key,
        "finished": round(result.finished, 3),
        "commit": by.commit or None,
        "ref": escape_controls(by.ref) or None,
        "run_url": escape_controls(by.run_url) or None,
        "metrics": {escape_controls(n): plain_number(v) for n, v in result.metrics},
        "outputs": {escape_controls(one.path): one.digest for one in result.outputs},
    }
