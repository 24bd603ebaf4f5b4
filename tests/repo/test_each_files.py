"""Which files `each` means."""

from pathlib import Path

from mlpipe_ci.core.workflow import ForEach
from mlpipe_ci.repo.each_files import on_disk


def test_files_are_looked_for_as_inputs_are(tmp_path: Path) -> None:
    for name in ("d/a.csv", "d/b.csv", "d/.git/c.csv", "d/e/f.csv", "d/__pycache__/g.csv", "h.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (tmp_path / "d/link").symlink_to("e")

    def meant(*patterns: str) -> list[str]:
        return list(on_disk(tmp_path, ForEach(id="a", step="a", line=1, patterns=patterns)))

    assert meant("d/*.csv") == ["d/a.csv", "d/b.csv"]
    assert meant("d/**/*.csv", "!d/b*") == ["d/a.csv", "d/e/f.csv", "d/link/f.csv"]
    assert meant("h.csv", "nothing/*.csv", "none") == ["h.csv"]
    assert meant("d/e/", "h.csv") == ["d/e/f.csv", "h.csv"]
