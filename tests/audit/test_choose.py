"""Which steps an audit takes: never audited ones first, then the oldest, within the budget."""

from mlpipe_ci.audit.choose import Choice, chosen
from mlpipe_ci.core.cache_key import KeyParts
from mlpipe_ci.core.result import Audited, Producer, Result

PARTS = KeyParts(run="", shell="", directory="", params=(), env=(), outputs=(), inputs=())


def result(seconds: float) -> Result:
    return Result(
        key="k",
        step="s",
        parts=PARTS,
        discovered=(),
        outputs=(),
        metrics=(),
        log="",
        seconds=seconds,
        finished=1.0,
        producer=Producer(),
    )


RESULTS = {"new": result(10), "old": result(20), "older": result(30)}
AUDITS = {
    "new": None,
    "old": Audited(finished=200.0, identical=True),
    "older": Audited(finished=100.0, identical=True),
}


def test_the_order_of_a_sample() -> None:
    assert chosen(RESULTS, AUDITS, Choice())[0] == ("new", "older", "old")
    taken, left = chosen(RESULTS, AUDITS, Choice(sample=2))
    assert taken == ("new", "older")
    assert left == {"old": "not in this sample"}


def test_what_is_too_long_leaves_room_for_what_is_not() -> None:
    taken, left = chosen(RESULTS, AUDITS, Choice(budget=35))
    assert taken == ("new", "old")
    assert "30 s" in left["older"]


def test_chance_decides_among_equals() -> None:
    many = {str(number): result(1) for number in range(20)}
    first = {chosen(many, {}, Choice(sample=1))[0] for _ in range(60)}
    assert len(first) > 1
