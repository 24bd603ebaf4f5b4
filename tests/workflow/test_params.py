"""Params: files, merging, --set."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.workflow.params import (
    Params,
    ParamsError,
    look_up,
    merge_params,
    missing_key,
    overridden,
    read_params,
    with_set,
)

PARAMS = {"train": {"rate": 0.1, "layers": [64, 32]}, "Seed": 1}
maps = st.recursive(
    st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner), max_leaves=6
).filter(lambda value: isinstance(value, dict))


@given(st.lists(maps, max_size=3))
def test_merging_is_the_same_in_any_grouping(sources: list[dict[str, object]]) -> None:
    one_by_one = merge_params([merge_params(sources[:1]), *sources[1:]])
    assert merge_params(sources) == one_by_one
    assert merge_params([*sources, {}]) == merge_params(sources)
    assert merge_params(sources[-1:] * 2) == merge_params(sources[-1:])


def test_merging_leaves_its_sources_alone() -> None:
    one, other = {"a": {"b": 1}}, {"a": {"c": 2}}
    assert merge_params([one, other]) == {"a": {"b": 1, "c": 2}}
    assert (one, other) == ({"a": {"b": 1}}, {"a": {"c": 2}})
    assert merge_params([{"a": {"b": 1}}, {"a": 5}, {"a": {"c": 1}}]) == {"a": {"c": 1}}


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("train.rate=0.5", "train.rate", 0.5),
        ("train.rate = 1e-3", "train.rate", 1e-3),
        ("TRAIN.Rate=fast", "train.rate", "fast"),
        ("train.rate=", "train.rate", ""),
        ("train.rate='0.5'", "train.rate", "0.5"),
        ("train.rate=a=b", "train.rate", "a=b"),
        ("train.layers=[1, 2]", "train.layers", [1, 2]),
        ("train.layers.1=16", "train.layers", [64, 16]),
        ("train={rate: 1}", "train", {"rate": 1}),
        ("seed=null", "Seed", None),
    ],
)
def test_set(setting: str, path: str, value: object) -> None:
    assert look_up(with_set(PARAMS, [setting]), path) == value
    assert PARAMS["train"] == {"rate": 0.1, "layers": [64, 32]}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.rat=1", "--set train.rat=1: params.train has no 'rat'; did you mean 'rate'?"),
        ("rate=1", "params has no 'rate'; there is 'train.rate'"),
        ("train.layers.7=1", "it is a list of 2 items"),
        ("train.rate.x=1", "it is one value"),
        ("train.rate", "write it as key=value"),
        ("=1", "write it as key=value"),
        ("*=1", "name one value"),
        ("train.rate=[1", "the value is not YAML"),
        (".=1", "params has no ''"),
    ],
)
def test_a_wrong_set_is_told(setting: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        with_set(PARAMS, [setting])
    assert message in str(caught.value)


def test_a_missing_key_is_told() -> None:
    assert missing_key(PARAMS, "train.rate") is None
    assert missing_key(PARAMS, "*") is None
    assert missing_key(PARAMS, "train.layers.1") is None
    assert missing_key({}, "a") == "params has no 'a'; it is empty"


def test_files(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text("day = 2026-01-05\nat = 10:00:00\n[a]\nb = [1.0, 2]\n")
    found = read_params(tmp_path, "p.toml")
    assert found == {"day": "2026-01-05", "at": "10:00:00", "a": {"b": [1.0, 2]}}
    (tmp_path / "p.YML").write_bytes(b"\xef\xbb\xbf1: {2: x}\nday: 2026-01-05\n")
    assert read_params(tmp_path, "p.YML") == {"1": {"2": "x"}, "day": "2026-01-05"}
    (tmp_path / "n.json").write_text("null")
    assert read_params(tmp_path, "n.json") == {}


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "big.json").write_text('{"a": "' + "x" * (4 << 20) + '"}')
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "link.yaml").symlink_to("/etc/hosts")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "directory.yaml").mkdir()
    (tmp_path / "bomb.yaml").write_text(
        "a: &a [x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
        + "".join(
            f"c{n}: &c{n} [{', '.join([f'*c{n - 1}' if n else '*b'] * 9)}]\n" for n in range(9)
        )
    )
    for name, message in {
        "big.json": "larger than 4 MiB",
        "deep.json": "deep.json",
        "link.yaml": "out of the repository",
        "loop.yaml": "cannot be read|out of the repository|no such file",
        "directory.yaml": "cannot be read: Is a directory",
        "bomb.yaml": "more than 400,000 values",
        "no/such.yaml": "there is no such file",
        "": "an empty path",
    }.items():
        with pytest.raises(ParamsError, match=message):
            read_params(tmp_path, name)


@pytest.mark.parametrize(
    ("others", "settings", "found"),
    [
        ((), (), []),
        ((), ("lr=0.1",), []),
        ((), ("lr=0.5",), [("lr", "0.1", "0.5", "--set lr=0.5")]),
        ((), ("lr=0.5", "lr=0.7"), [("lr", "0.1", "0.7", "--set lr=0.7")]),
        ((("", {"lr": 2}),), (), [("lr", "0.1", "2", "the map in params")]),
        ((("b.yaml", {"lr": 2}), ("", {"x": 1})), (), [("lr", "0.1", "2", "b.yaml")]),
        ((("b.yaml", {"train": {"seed": 1}}),), (), []),
    ],
)
def test_values_that_others_take_the_place_of(
    others: tuple[tuple[str, Params], ...], settings: tuple[str, ...], found: list[tuple[str, ...]]
) -> None:
    sources = (("a.yaml", {"lr": 0.1, "train": {"rounds": 3}}), *others)
    changed = [one for one in overridden(sources, settings) if one.file == "a.yaml"]
    assert [(one.path, one.value, one.instead, one.by) for one in changed] == found
