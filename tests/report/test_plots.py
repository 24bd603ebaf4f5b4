"""Plots in a report."""

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.report.plots import resampled
from tests.support.repository import Repo

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), max_size=80))
def test_resampled_values_stay_within_the_range(points: list[tuple[float, float]]) -> None:
    values = resampled(tuple(points))
    assert len(values) <= 24
    for value in values:
        low, high = min(y for _, y in points), max(y for _, y in points)
        assert low - 1e-3 <= value <= high + 1e-3


def flow() -> str:
    plots = [
        {"path": "roc.csv", "x": "fpr", "y": "tpr", "title": "ROC | <b>"},
        {"path": "pairs.csv", "kind": "confusion"},
        "picture.png",
    ]
    run = (
        "cp picture.src picture.png;"
        "printf 'fpr,tpr\\n0,0\\n0.5,0.%s\\n1,1\\n' $(cat in) > roc.csv;"
        "printf 'actual,predicted\\nyes,no\\nyes,yes\\n' > pairs.csv"
    )
    one = {"name": "e", "run": run, "inputs": ["in"], "plots": plots}
    return json.dumps({"steps": [one]})


def test_the_report_shows_head_over_base(repo: Repo) -> None:
    ignored = "roc.csv\npairs.csv\npicture.png\n"
    repo.commit({"mlpipe.yml": flow(), "in": "7", "picture.src": PNG, ".gitignore": ignored})
    repo.mlpipe("run")
    repo.write({"in": "9"})
    repo.mlpipe("run", "--html", "r.html", "--report", "r.json")
    told = json.loads(repo.read("r.json"))["steps"][0]["plots"]
    roc = {one["side"]: one["points"][1] for one in told[0]["series"]}
    assert roc == {"here": [0.5, 0.9], "base": [0.5, 0.7]}
    assert told[2]["picture"] == told[2]["base_picture"]
    page = repo.read("r.html")
    assert page.count("<img ") == 4
    text = repo.mlpipe("report", "r.json").stdout
    assert "<summary>3 plots</summary>" in text
    assert "xychart-beta" in text
    assert "| here: actual ↓ | <code>no</code> | <code>yes</code> |" in text
    repo.git("clean", "-qfdX")
    repo.mlpipe("run", "--outputs", "needed", "--report", "again.json")
    again = json.loads(repo.read("again.json"))["steps"][0]["plots"]
    assert again[0]["series"] == told[0]["series"], "of a reused step too, from the cache"
