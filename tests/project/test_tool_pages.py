"""The pages of docs/tools show the files of the zoo, and leave no tool of it out."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import ROOT

TOOLS = ROOT / "docs" / "tools"
PROJECTS = "tests/zoo/projects"
YAML = f"{PROJECTS}/papermill/mlpipe.yml"
PAGE = "docs/tools/papermill.md"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A directory with all that docs/generate.py reads and writes."""
    for name in ("docs", "schema", PROJECTS):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def generate(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "docs/generate.py", *words]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def pages() -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in TOOLS.glob("*.md")}


def test_a_page_that_differs_from_the_zoo_is_named_and_written_anew(copy: Path) -> None:
    assert generate(copy, "--check").returncode == 0
    file = copy / YAML
    file.write_text(file.read_text().replace("-p rate 0.1", "-p rate 0.7"))
    checked = generate(copy, "--check")
    assert checked.returncode == 1
    assert checked.stderr == f"stale: {PAGE}; run: make docs\n"
    assert "-p rate 0.7" not in (copy / PAGE).read_text(), "--check writes nothing"
    assert generate(copy).returncode == 0
    assert "-p rate 0.7" in (copy / PAGE).read_text()
    assert generate(copy, "--check").returncode == 0


def test_what_somebody_writes_into_the_place_of_a_file_is_stale(copy: Path) -> None:
    page = copy / PAGE
    page.write_text(page.read_text().replace("-p rate 0.1", "-p rate 0.9"))
    assert PAGE in generate(copy, "--check").stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [(f"from {YAML}", "from no/file.yml", "no/file.yml"), ("<!-- end -->", "", "needs a line")],
)
def test_a_place_without_a_file_or_an_end_is_an_error(
    copy: Path, old: str, new: str, said: str
) -> None:
    page = copy / PAGE
    page.write_text(page.read_text().replace(old, new))
    checked = generate(copy, "--check")
    assert checked.returncode == 1
    assert f"{PAGE}: " in checked.stderr
    assert said in checked.stderr


def test_each_project_of_the_zoo_is_on_a_page() -> None:
    shown = set(re.findall(rf"<!-- from {PROJECTS}/([^/]+)/\S+ -->", "".join(pages().values())))
    assert shown == {path.name for path in (ROOT / PROJECTS).iterdir()}


def test_the_index_lists_each_page_once() -> None:
    texts = pages()
    listed = re.findall(r"^\| \[[^]]+\]\(([\w-]+\.md)\) \|", texts.pop("README.md"), re.MULTILINE)
    assert sorted(listed) == sorted(texts)
