"""What is remembered of a success: what it looked for, changed, read and wrote."""

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.result import Output
from mlpipe_ci.run.saved_result import changed_in_place, is_watched, last_trace_of, missed
from tests.support.fakes import result, step

ANY = step("s")
DIGEST = "blake3:00"
SEEN = (
    Input(path="/~/settings", digest="absent"),
    Input(path="a.txt", digest="git:1"),
    Input(path="b.log", digest="log"),
    Input(path="env:HOME", digest="absent"),
    Input(path="gone.txt", digest="absent"),
    Input(path="mlruns/1", digest="state:blake3:11"),
    Input(path="out.txt", digest="absent"),
    Input(path="program:make", digest="absent"),
    Input(path="dist:pandas", digest="absent"),
)
OUT = Output(path="out.txt", kind="file", digest=DIGEST, size=1)


def test_paths_that_were_looked_for_in_vain() -> None:
    assert missed(SEEN, ["out.txt"]) == ("gone.txt",)
    assert missed(SEEN, []) == ("gone.txt", "out.txt")


def test_what_was_there_and_is_another_now() -> None:
    assert changed_in_place(["a.txt", "new"], SEEN) == ("a.txt",)
    assert changed_in_place(["new"], SEEN, ["new"]) == ("new",)


def test_what_a_stored_result_says() -> None:
    last = last_trace_of(ANY, result(ANY, discovered=SEEN, outputs=(OUT,)))
    assert last.reads == ("a.txt",)
    assert last.wrote == (("out.txt", DIGEST),)
    assert last.logs == ("b.log",)
    assert last.missed == ("gone.txt",)
    assert last.state == ("mlruns/1",)


def test_a_step_that_declares_all_and_of_which_nothing_was_seen_was_not_watched() -> None:
    declared = step("s", inputs=("a",), outputs=("out.txt",))
    assert not is_watched(declared, result(declared, outputs=(OUT,)))
    assert is_watched(declared, result(declared, discovered=SEEN, outputs=(OUT,)))
    assert is_watched(ANY, result(ANY))
    assert last_trace_of(declared, result(declared, outputs=(OUT,))).made == 0
