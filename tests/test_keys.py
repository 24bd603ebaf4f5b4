"""Keys: what is in them, and nothing else."""

from dataclasses import replace

from fakes import step
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.keys import Input, KeyParts, differences, encode, key_parts, step_key

texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=8)  # surrogates too
inputs = st.builds(Input, path=texts, digest=texts, executable=st.booleans())
parts = st.builds(
    KeyParts,
    run=texts,
    shell=st.just(("bash",)),
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


@given(parts)
def test_the_encoding_is_ascii_and_has_a_version(one: KeyParts) -> None:
    assert encode(one).isascii()
    assert b'"version":1' in encode(one)


def test_a_worked_example_does_not_change() -> None:
    """A change of this number makes every cache in the world useless: raise VERSION then."""
    made = key_parts(step("train", env=(("SEED", "0"),), outputs=("model.pkl",)), (A, B))
    assert step_key(made) == "faea3700358667d76ce81f79af58baa7901243627f08dcde2a4c9b906d71c149"


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
