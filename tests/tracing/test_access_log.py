"""What was seen of each path."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.tracing.access_log import FOUND, LISTED, NOT_FOUND, READ, STATED, AccessLog


@given(st.data())
def test_what_is_said_to_be_known_already_changes_nothing(data: st.DataObject) -> None:
    log, path, file = AccessLog(), b"/r/a", (1, 2, 3, 4, 5)
    for deed in data.draw(st.lists(st.sampled_from(sorted(DEEDS)), max_size=6)):
        DEEDS[deed](log, path)
    kind = data.draw(st.sampled_from(("file", "directory", "nothing")))
    flag = NOT_FOUND if kind == "nothing" else data.draw(st.sampled_from((FOUND, FOUND | STATED)))
    before = dict(log.paths), dict(log.first)
    known = log.has(path, flag, is_file=kind != "directory")
    log.saw(path, flag, file if kind == "file" else None)
    if known:
        assert (log.paths, log.first) == before


DEEDS: dict[str, Callable[[AccessLog, bytes], None]] = {
    "read": lambda log, path: log.saw(path, READ, (1, 2, 3, 4, 5)),
    "found": lambda log, path: log.saw(path, FOUND | STATED, (1, 2, 3, 4, 5)),
    "a directory": lambda log, path: log.saw(path, FOUND | STATED),
    "missed": lambda log, path: log.saw(path, NOT_FOUND),
    "listed": lambda log, path: log.saw(path, LISTED),
    "written": lambda log, path: log.wrote(path, was_there=False, fresh=True),
    "added to": lambda log, path: log.wrote(path, was_there=True, fresh=False, added=True),
    "made": lambda log, path: log.made(path),
    "removed": lambda log, path: log.removed(path),
}
