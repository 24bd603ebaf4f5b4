"""Numbers of metrics files."""

import json
import math
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.metrics.files import (
    MetricsError,
    nested_metrics,
    parse_metrics,
    read_metrics,
    together,
)

TEXTS = {
    "a.json": '{"a": {"b": {"c": 1, "e": "3"}}, "f": true, "g": null, "h": [0.5, {"i": 2}]}',
    "a.yaml": "a: {b: {c: 1, e: '3'}}\nf: true\ng: null\nh: [0.5, {i: 2}]\n",
    "a.toml": 'f = true\nh = [0.5, {i = 2}]\nd = 2026-01-01\n[a.b]\nc = 1\ne = "3"\n',
}


@pytest.mark.parametrize("name", TEXTS)
def test_nested_names_are_joined_with_dots(name: str) -> None:
    found = parse_metrics(TEXTS[name].encode(), name)
    assert dict(found) == {"a.b.c": 1, "h.0": 0.5, "h.1.i": 2}


CASES = {
    "3": ("auc.json", {"auc": 3}),
    "3\n": ("deep/loss.yaml", {"loss": 3}),
    "[]": ("a.json", {}),
    "{}": ("a.json", {}),
    json.dumps({"curve": list(range(21)), "auc": 1}): ("a.json", {"auc": 1}),
    '{"a": NaN, "b": -Infinity}': ("a.json", {"a": math.nan, "b": -math.inf}),
    "a: .nan\n": ("a.yml", {"a": math.nan}),
    '{"a": 1' + "0" * 400 + "}": ("a.json", {"a": math.inf}),
    '\ufeff{"a": 1}': ("a.json", {"a": 1}),
    "metric,value\nauc,0.9\nloss,nan\n": ("a.csv", {"auc": 0.9, "loss": math.nan}),
    "epoch,loss,note\n1,0.5,a\n2,0.25,b\n": ("a.csv", {"epoch": 2, "loss": 0.25}),
    "epoch\tloss\n1\t0.5\n": ("a.tsv", {"epoch": 1, "loss": 0.5}),
    "a,b\n": ("a.csv", {}),
    "": ("a.csv", {}),
    '{"auc": 0.5}': ("scores", {"auc": 0.5}),
    " 3": ("loss.txt", {"loss": 3}),
}


@pytest.mark.parametrize("text", CASES)
def test_odd_files(text: str) -> None:
    name, wanted = CASES[text]
    assert dict(parse_metrics(text.encode(), name)) == pytest.approx(wanted, nan_ok=True)


BROKEN = {
    "a.json": b'{"a": 1',
    "a.yaml": b"a: [1",
    "a.toml": b"a = ",
    "b.json": b"\xff\xfe",
    "c.json": b"[" * 100_000,
    "d.csv": b'a,b\n"' + b"x" * 200_000,
    "e.json": json.dumps({str(n): n for n in range(10_001)}).encode(),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named(name: str) -> None:
    with pytest.raises(MetricsError, match=name):
        parse_metrics(BROKEN[name], name)


def test_a_large_table_is_read_from_its_ends(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    with path.open("w") as file:
        file.write("step,loss\n")
        for _ in range(12):
            file.write("1,0.123456789\n" * 100_000)
        file.write("7,0.5\n")
    assert read_metrics(path, "log.csv") == (("step", 7.0), ("loss", 0.5))
    other = tmp_path / "log.json"
    path.rename(other)
    with pytest.raises(MetricsError, match="larger than 10 MiB"):
        read_metrics(other, "log.json")


def test_a_name_of_two_files_gets_theirs() -> None:
    files = {"r/train.json": (("auc", 1.0), ("n", 5.0)), "r/test.json": (("auc", 2.0),)}
    assert dict(together(files)) == {"train.auc": 1, "n": 5, "test.auc": 2}
    files = {"train/m.json": (("auc", 1.0),), "test/m.json": (("auc", 2.0),)}
    assert dict(together(files)) == {"train/m.auc": 1, "test/m.auc": 2}


@given(st.dictionaries(st.text(string.ascii_lowercase, min_size=1), st.floats(), max_size=5))
def test_what_json_can_say_is_read_as_it_is(values: dict[str, float]) -> None:
    found = dict(parse_metrics(json.dumps(values).encode(), "a.json"))
    assert found == pytest.approx(values, nan_ok=True, rel=0, abs=0)


def test_metrics_in_maps() -> None:
    assert nested_metrics({"a": 1, "b.c": 2, "b.d.e": 3}) == {"a": 1, "b": {"c": 2, "d": {"e": 3}}}
    assert nested_metrics({"a": 1, "a.b": 2})["a"] == 1
