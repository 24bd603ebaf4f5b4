"""A file is a log only as long as no other step reads it."""

from mlpipe_ci.tracing.discovery.readers import Readers


def test_what_others_declare_and_were_seen_to_read() -> None:
    readers = Readers()
    readers.declare(1, ("data/*.csv", "!data/b.csv"))
    readers.add(2, ("logs/a",))
    assert readers.has_other("logs/a", 0)
    assert not readers.has_other("logs/a", 2), "its own reading is none"
    assert readers.has_other("data/a.csv", 0)
    assert not readers.has_other("data/a.csv", 1)
    assert not readers.has_other("other", 0)
