"""Masks: a secret is never shown, however the output is cut into pieces."""

from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.run.executors.mask import Mask


def masked(secrets: tuple[str, ...], *chunks: bytes) -> bytes:
    mask = Mask(secrets)
    return b"".join(mask.feed(chunk) for chunk in chunks) + mask.flush()


@given(
    st.text("abc\n", min_size=1, max_size=5).filter(str.strip),
    st.lists(st.text("abcx\n", max_size=6), max_size=6),
)
def test_no_cut_lets_a_secret_through(secret: str, chunks: list[str]) -> None:
    data = [chunk.encode() for chunk in chunks]
    shown = masked((secret,), *data)
    assert secret.encode() not in shown.replace(b"***", b"-")
    if secret not in "".join(chunks) and not any(len(s) >= 4 for s in secret.splitlines()):
        assert shown == b"".join(data)


def test_nothing_is_held_back_that_cannot_be_a_secret() -> None:
    mask = Mask(("hunter22",))
    assert mask.feed(b"progress 10% h") == b"progress 10% "
    assert mask.feed(b"ello\r") == b"hello\r"
    assert mask.feed(b"hunter2") == b""
    assert mask.feed(b"2!") == b"***!"


def test_lines_of_a_long_secret_are_masked_one_by_one() -> None:
    key = "-----BEGIN-----\nabcdef\nno\n-----END-----"
    assert masked((key,), b"abcdef and no") == b"*** and no"
    assert masked((key,), key.encode()) == b"***"


def test_longer_secrets_go_first_and_empty_ones_hide_nothing() -> None:
    assert masked(("pass", "password", "", " "), b"a password") == b"a ***"
    assert masked((), b"as it is") == b"as it is"
