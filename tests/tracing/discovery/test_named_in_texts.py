"""Names in texts, as whole words, however spelled."""

from pathlib import Path

import pytest

from mlpipe_ci.tracing.discovery import named_in_texts
from mlpipe_ci.tracing.discovery.named_in_texts import TextSearch


@pytest.mark.parametrize(
    ("text", "is_named"),
    [
        (b"os.environ['LR']", True),
        (b"lr: float", True),
        (b"${oc.env:Lr}", True),
        (b'"source": ["import os\\nLR = 1"]', True),
        (b"%LR%", True),
        ("é=LR".encode(), True),
        (b"LR_2 = my_LR + xlr + lrs", False),
        (b"\0LR", False),
        (b" " * 9000 + b"LR\0", True),
        (b"", False),
    ],
)
def test_whole_words_of_texts(tmp_path: Path, text: bytes, is_named: bool) -> None:
    (tmp_path / "x").write_bytes(text)
    found = TextSearch().named(["LR", "OTHER"], "", [str(tmp_path / "x")])
    assert found == ({"LR"} if is_named else set())


def test_a_changed_file_is_searched_again(tmp_path: Path) -> None:
    search, path = TextSearch(), tmp_path / "x"
    path.write_text("one")
    assert not search.named(["LR"], "", [str(path)])
    path.write_text("LR")
    assert search.named(["LR"], "", [str(path)]) == {"LR"}


def test_what_is_no_text_of_usual_size_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"LR " * (2 << 20))
    found = TextSearch().named(["LR"], "", [str(tmp_path / "large"), str(tmp_path), "/nowhere"])
    assert not found


def test_all_names_count_beyond_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_in_texts, "BUDGET", 10)
    files = []
    for number in range(3):
        (tmp_path / str(number)).write_text("data")
        files.append(str(tmp_path / str(number)))
    assert not TextSearch().named(["LR"], "", files[:2])
    assert TextSearch().named(["LR"], "", files) == {"LR"}
