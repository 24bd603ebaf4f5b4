"""Keys: what is in them, and nothing else."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import Field, fields, replace
from random import Random
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.core.cache_key import (
    Input,
    KeyParts,
    differences,
    encode,
    json_text,
    key_parts,
    step_key,
)
from tests.support.fakes import step
from tests.support.random_cases import cases
from tests.support.random_repo import call
from tests.support.repository import Repo

T = TypeVar("T")
texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=8)  # surrogates too
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
).map(json_text)
inputs = st.builds(Input, path=texts, digest=texts, executable=st.booleans())
parts = st.builds(
    KeyParts,
    run=texts,
    shell=texts,
    directory=texts,
    params=st.dictionaries(texts, values, max_size=3).map(lambda d: tuple(sorted(d.items()))),
    env=st.dictionaries(texts, texts, max_size=3).map(lambda d: tuple(sorted(d.items()))),
    outputs=st.lists(texts, max_size=3, unique=True).map(lambda x: tuple(sorted(x))),
    inputs=st.lists(inputs, max_size=3, unique_by=lambda i: i.path).map(lambda x: tuple(sorted(x))),
)
A = Input(path="a", digest="git:1")
B = Input(path="b", digest="git:2")


@given(parts, parts)
def test_two_keys_are_equal_only_if_all_parts_are(one: KeyParts, other: KeyParts) -> None:
    assert (step_key(one) == step_key(other)) == (one == other)
    assert (differences(one, other) == ()) == (one == other)


@given(parts, parts, st.sampled_from(fields(KeyParts)))
def test_a_key_changes_if_and_only_if_one_part_does(
    one: KeyParts, other: KeyParts, part: Field[object]
) -> None:
    """Two parts drawn at random differ in all: here they differ in one at most."""
    changed = replace(one, **{part.name: getattr(other, part.name)})
    assert (step_key(changed) == step_key(one)) == (changed == one)
    assert (differences(one, changed) == ()) == (changed == one)


@given(parts, st.data())
def test_a_key_changes_with_each_field_of_each_input(one: KeyParts, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, max(0, len(one.inputs) - 1)))
    field = data.draw(st.sampled_from(fields(Input)))
    drawn = data.draw(inputs)
    new = tuple(
        replace(item, **{field.name: getattr(drawn, field.name)}) if n == number else item
        for n, item in enumerate(one.inputs)
    )
    assert (step_key(replace(one, inputs=new)) == step_key(one)) == (new == one.inputs)


@given(parts, st.randoms(use_true_random=False))
def test_the_order_of_lists_changes_no_key(one: KeyParts, chance: Random) -> None:
    def shuffled(items: Sequence[T]) -> tuple[T, ...]:
        return tuple(chance.sample(items, len(items)))

    def key(env: tuple[tuple[str, str], ...], out: tuple[str, ...], read: Sequence[Input]) -> str:
        made = step("a", run=one.run, env=env, outputs=out, params=one.params)
        return step_key(key_parts(made, tuple(read)))

    mixed = key(shuffled(one.env), shuffled(one.outputs), shuffled(one.inputs))
    assert mixed == key(one.env, one.outputs, one.inputs)


LISTS = {
    "inputs": ["a", "b", "data/", "more/*.txt", "!more/b.txt"],
    "outputs": ["x", "y", "z/"],
    "metrics": ["m.json", "n.json"],
    "params": ["train", "rate", "seed"],
}
ENV = {"A": "1", "B": "${{ params.seed }}", "C": "2"}


@given(st.fixed_dictionaries({n: st.permutations(v) for n, v in LISTS.items()}), st.data())
@cases(10)
def test_the_order_of_lists_in_a_file_changes_no_key(
    repo: Repo, lists: dict[str, list[str]], data: st.DataObject
) -> None:
    def key(step: Mapping[str, object], env: dict[str, str]) -> str:
        params = {"seed": 1, "rate": 0.1, "train": {"b": 1, "a": 2}}
        text = json.dumps({"params": params, "steps": [{**step, "env": env}]})
        repo.write({"mlpipe.yml": text})
        planned = json.loads(call(repo.root, "plan")[1])
        return str(planned["steps"][0]["key"])

    head: dict[str, object] = {"name": "one", "run": "echo ${{ params.rate }}"}
    repo.write({"a": "1", "b": "2", "more/b.txt": "3", "more/c.txt": "4", "data/d": "5"})
    usual = key(head | LISTS, ENV)
    assert len(usual) == 64
    mixed = dict(data.draw(st.permutations(list(ENV.items()))))
    assert key(dict(reversed((head | lists).items())), mixed) == usual
    assert key(head | LISTS, ENV | {"C": "3"}) != usual


@given(parts)
def test_the_encoding_is_ascii_and_has_a_version(one: KeyParts) -> None:
    assert encode(one).isascii()
    assert b'"version":3' in encode(one)


def test_a_worked_example_does_not_change() -> None:
    """A change of this number makes every cache in the world useless: raise VERSION then."""
    made = key_parts(step("train", env=(("SEED", "0"),), outputs=("model.pkl",)), (A, B))
    assert step_key(made) == "2e4063c4db88e9f00d3a8086265fe8fe55f935f940e5aa0cb004b57a247e6a50"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({"rate": 0.1}, {"rate": 0.05}, ["params.train.rate 0.1 → 0.05"]),
        ({"a": 1}, {"b": 1}, ["params.train.a 1 → none", "params.train.b none → 1"]),
        ({"a": 42}, {"a": 42.0}, ["params.train.a 42 → 42.0"]),
        ({"a": 42}, {"a": "42"}, ['params.train.a 42 → "42"']),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["params.train.a [1,2] → [1,3]"]),
        ({"a": {}}, {"a": None}, ["params.train.a {} → null"]),
        ({"a": "x" * 50}, {"a": ""}, [f'params.train.a "{"x" * 39}… → ""']),
    ],
)
def test_params_are_told_apart_leaf_by_leaf(old: object, new: object, words: list[str]) -> None:
    one, other = (
        key_parts(step("a", params=(("train", json_text(value)),)), ()) for value in (old, new)
    )
    assert list(differences(one, other)) == words
    assert step_key(one) != step_key(other)


def test_a_command_that_changed_only_with_its_params_is_not_named_twice() -> None:
    def parts_of(rate: float, script: str) -> KeyParts:
        run = f"python {script} --rate {rate}"
        return key_parts(step("a", run=run, params=(("rate", json_text(rate)),)), ())

    old = parts_of(0.1, "a.py")
    assert differences(old, parts_of(0.5, "a.py")) == ("params.rate 0.1 → 0.5",)
    both = ("params.rate 0.1 → 0.5", "command changed")
    assert differences(old, parts_of(0.5, "b.py")) == both


def test_order_of_lists_names_and_notes_do_not_count() -> None:
    one = step("train", outputs=("x", "y"), env=(("A", "1"), ("B", "2")))
    other = step("other", outputs=("y", "x"), env=(("B", "2"), ("A", "1")), line=9, run=one.run)
    assert step_key(key_parts(one, (A, B))) == step_key(key_parts(other, (B, A)))


def test_the_order_of_a_commands_words_counts() -> None:
    one, other = step("a", run="cp a b"), step("a", run="cp b a")
    assert step_key(key_parts(one, ())) != step_key(key_parts(other, ()))


def test_two_files_that_swap_contents_change_the_key() -> None:
    swapped = (replace(A, digest=B.digest), replace(B, digest=A.digest))
    assert step_key(key_parts(step("a"), (A, B))) != step_key(key_parts(step("a"), swapped))


def test_metrics_are_outputs_for_the_key() -> None:
    as_metrics, as_outputs = step("a", metrics=("m.json",)), step("a", outputs=("m.json",))
    assert step_key(key_parts(as_metrics, ())) == step_key(key_parts(as_outputs, ()))


def test_differences_are_told_in_words() -> None:
    old = key_parts(step("a", env=(("MODE", "x" * 99), ("GONE", "1"))), (A, B))
    new = key_parts(
        step("a", run="other", env=(("MODE", ""),), outputs=("o",)),
        (replace(A, digest="git:9"), Input(path="c", digest="git:3"), replace(A, path="d")),
    )
    long = "x" * 40
    assert differences(old, new) == (
        "a changed",
        "b removed",
        "c added",
        "d added",
        "command changed",
        "env GONE '1' → unset",
        f"env MODE '{long}…' → ''",
        "declared outputs changed",
    )
    assert differences(
        key_parts(step("a"), (A,)), key_parts(step("a"), (replace(A, executable=True),))
    ) == ("a is executable",)
