"""Copies of notebooks for an artifact: from the work tree, from the cache, and what is left out."""

import json
from pathlib import Path
from typing import Any

import pytest

from mlpipe_ci.cli import notebooks
from mlpipe_ci.cli.main import main
from tests.support.repository import Repo

STEP: dict[str, Any] = {
    "name": "explore",
    "run": "mkdir -p out/a; for to in a/1.ipynb 2.ipynb 3.txt; do cp in.ipynb out/$to; done",
    "inputs": ["in.ipynb"],
    "outputs": ["out/"],
}


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_notebooks_of_this_run_and_of_reused_results(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": json.dumps({"steps": [STEP]}), "in.ipynb": "{}\n"})
    wanted = {"out/a/1.ipynb": "{}\n", "out/2.ipynb": "{}\n"}
    repo.mlpipe("run", "--notebooks", "../first", "--html", "../page.html")
    assert files(repo.root.parent / "first") == wanted
    page = (repo.root.parent / "page.html").read_text()
    assert "<li><code>out/a/1.ipynb</code> of explore</li>" in page
    assert "#artifacts" not in page
    repo.git("clean", "-xdfq")
    repo.mlpipe("run", "--outputs", "needed", "--notebooks", "../second")
    assert not (repo.root / "out").exists()
    assert files(repo.root.parent / "second") == wanted
    repo.mlpipe("run", "--notebooks", "../second")
    assert files(repo.root.parent / "second") == wanted, "over what is there"


def test_what_is_too_large_or_a_link_is_left_out_with_a_word(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step = STEP | {"run": "mkdir out; cp in.ipynb out/1.ipynb; ln -s ../in.ipynb out/2.ipynb"}
    repo.commit({"mlpipe.yml": json.dumps({"steps": [step]}), "in.ipynb": "{}\n"})
    done = repo.mlpipe("run", "--notebooks", "../copies")
    assert files(repo.root.parent / "copies") == {"out/1.ipynb": "{}\n"}
    assert "warning: out/2.ipynb is not among the notebooks of the report: it is no file" in (
        done.stdout
    )
    monkeypatch.setattr(notebooks, "MOST", 1)
    assert main(["run", "-C", str(repo.root), "--notebooks", "../none"]) == 0
    word = "warning: out/1.ipynb is not among the notebooks of the report: it is too large"
    assert word in capsys.readouterr().out
    assert not (repo.root.parent / "none").exists()


def test_a_directory_that_cannot_be_written_fails_no_run(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": json.dumps({"steps": [STEP]}), "in.ipynb": "{}\n"})
    done = repo.mlpipe("run", "--notebooks", "in.ipynb")
    assert "warning: out/2.ipynb is not among the notebooks of the report: " in done.stdout
