"""Results as bytes: they come back whole, or not at all."""

import json
from dataclasses import MISSING, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.cache.codec import (
    decode_parts,
    decode_result,
    encode_parts,
    encode_result,
    is_earlier,
)
from mlpipe_ci.core.cache_key import Input, KeyParts
from mlpipe_ci.core.result import Output, Producer, Result
from tests.support.fakes import result, step
from tests.support.stored import sealed

TRAIN = step("train", inputs=("a",), outputs=("model",))


@pytest.mark.parametrize(
    "change",
    [
        (b'"version": 4', b'"version": 3'),
        (b'"path": "model"', b'"path": "/etc/passwd"'),
        (b'"path": "model"', b'"path": "../x"'),
        (b'"path": "model"', b'"path": ".git/hooks/x"'),
        (b'"kind": "file"', b'"kind": "device"'),
        (b'"blake3:0000', b'"../../0000'),
        (b'"seconds": 100.0', b'"minutes": 100.0'),
        (b'"seconds": 100.0', b'"seconds": "100"'),
        (b'"seconds": 100.0', b'"seconds": 1' + b"0" * 400),
        (b'"seconds": 100.0', b'"seconds": NaN'),
        (b'"seconds": 100.0', b'"seconds": ' + b"[" * 100_000),
        (b'"ref": "refs/heads/main"', b'"ref": 5'),
        (b'"metrics": []', b'"metrics": [["auc", Infinity]]'),
        (b'"path": "model"', b'"path": "model/../x"'),
        (b'"path": "model"', b'"path": 5'),
        (b'"mode": 420', b'"mode": 4096'),
        (b'"mode": 420', b'"mode": true'),
        (b'"order": 0', b'"order": -1'),
    ],
)
def test_a_hostile_result_is_a_miss(change: tuple[bytes, bytes]) -> None:
    good = encode_result(result(TRAIN)).partition(b"\n")[2]
    assert change[0] in good
    assert decode_result(sealed(good)) is not None
    assert decode_result(sealed(good.replace(*change))) is None


def test_a_result_of_an_earlier_version_is_told_from_damage() -> None:
    text = encode_result(result(TRAIN)).partition(b"\n")[2]
    earlier = text.replace(b'"version": 4', b'"version": 3')
    assert decode_result(sealed(earlier)) is None
    assert is_earlier(sealed(earlier))
    assert not is_earlier(earlier), "no seal"
    assert not is_earlier(sealed(text))
    assert not is_earlier(sealed(text.replace(b'"version": 4', b'"version": 5')))
    assert not is_earlier(sealed(b'{"version": "x"}'))


finite = st.floats(allow_nan=False, allow_infinity=False)
paths = st.text(st.sampled_from("azAZ09é\udce9"), min_size=1, max_size=8)
outputs = st.builds(
    Output,
    path=paths,
    kind=st.just("link"),
    digest=st.text(max_size=5),
    size=st.integers(0),
    mode=st.integers(0, 0o777),
    order=st.integers(0, 9),
)


@given(st.lists(outputs, max_size=3).map(tuple), finite, st.text(max_size=5))
def test_a_result_survives_its_encoding(
    found: tuple[Output, ...], seconds: float, ref: str
) -> None:
    made: Result = result(
        TRAIN,
        outputs=found,
        seconds=seconds,
        metrics=(("auc", seconds),),
        producer=Producer(ref=ref),
        discovered=(Input(path="x", digest="y"),),
    )
    read = decode_result(encode_result(made))
    assert read == made
    assert [one.order for one in read.outputs] == [one.order for one in found]


def test_no_part_of_a_key_is_lost() -> None:
    parts = KeyParts(
        run="train",
        shell="sh",
        directory="src",
        params=(("rate", "0.1"),),
        env=(("A", "1"),),
        outputs=("model",),
        inputs=(Input(path="a", digest="git:1", executable=True),),
        repeat=5,
    )
    for field in fields(KeyParts):
        unset = ((), "", None) if field.default is MISSING else (field.default,)
        assert getattr(parts, field.name) not in unset, f"give {field.name} a value of its own here"
    assert decode_parts(json.loads(encode_parts(parts))) == parts
