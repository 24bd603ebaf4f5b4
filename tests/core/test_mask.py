"""Masks: a secret is never shown, however it is written and the output is cut into pieces."""

import base64
import json
import textwrap
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.core.errors import Diagnostic, PathError, WorkflowError
from mlpipe_ci.core.mask import Mask
from mlpipe_ci.core.plot_data import PlotData
from mlpipe_ci.core.run import Execution, Measurements, Run, Status, StepOutcome
from tests.support.fakes import step
from tests.support.sample_runs import run_of
from tests.support.secret_forms import core, forms

VALUE = 'Zq"7/w+rd=&x9 K2\\é'
printable = st.text(
    st.characters(exclude_categories=("C", "Z"), include_characters=" "), min_size=4, max_size=40
).filter(lambda text: len(text.strip()) == len(text))


def masked(secrets: tuple[str, ...], *chunks: bytes) -> bytes:
    stream = Mask(secrets).stream()
    return b"".join(stream.feed(chunk) for chunk in chunks) + stream.flush()


@given(printable)
def test_no_form_of_a_secret_is_shown(secret: str) -> None:
    mask = Mask((secret,))
    for name, form in forms(secret).items():
        assert mask.text(f"« {form} »") == "« *** »", name


@given(printable, st.binary(max_size=80), st.binary(max_size=80), st.sampled_from([64, 76]))
def test_nor_where_it_stands_within_base64(
    secret: str, before: bytes, after: bytes, width: int
) -> None:
    data = before + secret.encode() + after
    mask = Mask((secret,))
    for text in (base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()):
        lines = textwrap.wrap(text, width)
        for break_ in ("\n", "\r\n", "\\n"):
            shown = mask.text(break_.join(lines)).replace(break_, "")
            plain = shown.replace("-", "+").replace("_", "/")
            assert core(secret, len(before)) not in plain


@given(printable, st.integers(0, 14), st.data())
def test_no_cut_lets_a_form_through(secret: str, which: int, data: st.DataObject) -> None:
    form = list(forms(secret).values())[which].encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(form)), max_size=4)))
    pieces = [form[a:b] for a, b in zip([0, *cuts], [*cuts, len(form)], strict=True)]
    assert masked((secret,), b"<", *pieces, b">") == b"<***>"


@given(
    st.text("abc\n", min_size=4, max_size=7).filter(lambda text: len(text.strip()) >= 4),
    st.lists(st.text("abcx\n", max_size=6), max_size=6),
)
def test_no_cut_lets_a_secret_through(secret: str, chunks: list[str]) -> None:
    data = [chunk.encode() for chunk in chunks]
    shown = masked((secret,), *data)
    assert secret.strip().encode() not in shown.replace(b"***", b"-")
    lines = any(len(line.strip()) >= 4 for line in secret.splitlines())
    if secret.strip() not in "".join(chunks) and not lines:
        assert shown == b"".join(data)


def test_nothing_is_held_back_that_cannot_be_a_secret() -> None:
    stream = Mask(("hunter22",)).stream()
    assert stream.feed(b"progress 10% h") == b"progress 10% "
    assert stream.feed(b"ey\r") == b"hey\r"
    assert stream.feed(b"hunter2") == b""
    assert stream.feed(b"2!") == b"***!"


def test_lines_of_a_long_secret_are_masked_one_by_one() -> None:
    key = "-----BEGIN-----\nabcdef\nno\n-----END-----\n"
    assert masked((key,), b"abcdef and no") == b"*** and no"
    assert masked((key,), key.encode()) == b"***\n"
    assert Mask((key,)).text(json.dumps(key)) == '"***\\n"'
    whole = base64.encodebytes(key.encode()).decode()
    assert core("abcdef", 16) not in Mask((key,)).text(whole)


def test_longer_secrets_go_first_and_short_ones_hide_nothing() -> None:
    assert masked(("pass", "password", "", " ", "abc"), b"a password") == b"a ***"
    assert masked(("pass", "password"), b"a pass", b"word and a pass") == b"a *** and a ***"
    assert masked((), b"as it is") == b"as it is"
    assert masked((" abc ",), b"x abc y") == b"x abc y"


def test_a_whole_run_is_masked_with_the_names_in_it() -> None:
    outcome = StepOutcome(
        step=step("train"),
        status=Status.FAILED,
        reasons=(f"{VALUE}.csv changed",),
        execution=Execution(seconds=2, exit_code=1, log_tail=(f"a {quote(VALUE)}", "b")),
        measured=Measurements(metrics=((VALUE, 1.0),)),
    )
    run = run_of(outcome, url=f"https://host/{VALUE}")
    found = Mask((VALUE,)).value(run)
    assert isinstance(found, Run)
    assert VALUE not in repr(found)
    assert found.url == "https://host/***"
    assert found.outcomes[0].status is Status.FAILED
    assert found.outcomes[0].execution.log_tail == ("a ***", "b")
    assert found.outcomes[0].measured.metrics == (("***", 1.0),)
    assert Mask(()).value(run) is run
    assert Mask(("another value",)).value(run) is run


def test_a_picture_that_holds_a_secret_is_left_out() -> None:
    picture = "data:image/svg+xml;base64," + base64.b64encode(f"<svg>{VALUE}".encode()).decode()
    plot = PlotData(path="a.svg", kind="image", title="a", picture=picture)
    found = Mask((VALUE,)).value(plot)
    assert (found.picture, found.notes) == ("", ("left out: it holds the value of a secret",))


def test_what_an_error_says_is_masked() -> None:
    error = PathError(f"no '{VALUE}' here")
    Mask((VALUE,)).error(error)
    assert str(error) == "no '***' here"
    fault = Diagnostic(file="mlpipe.yml", line=1, column=1, message=VALUE, source=VALUE)
    wrong = WorkflowError((fault,))
    Mask((VALUE,)).error(wrong)
    assert VALUE not in str(wrong) + repr(wrong.diagnostics)


def test_a_text_that_is_no_unicode_is_masked() -> None:
    assert Mask(("caf\udce9 12",)).text("a caf\udce9 12 \ud800") == "a *** \ud800"
    assert masked(("caf\udce9 12",), b"a caf\xe9 12") == b"a ***"
