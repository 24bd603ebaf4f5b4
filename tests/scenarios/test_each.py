"""A step for each of many files: what a file costs that comes, changes or goes."""

import json
import os
import shutil
from typing import Any

import pytest

from tests.support.repository import Repo

CLEAN = (
    'mkdir -p build; echo "${{ each.stem }}" >> "$RUNS"; '
    'cp "${{ each.path }}" "build/${{ each.stem }}.txt"'
)
WORKFLOW: dict[str, Any] = {
    "steps": [
        {
            "name": "clean",
            "each": "data/*.csv",
            "run": CLEAN,
            "outputs": ["build/${{ each.stem }}.txt"],
        },
        {
            "name": "sum",
            "run": 'echo sum >> "$RUNS"; cat build/*.txt > sum.txt',
            "inputs": ["build/*.txt"],
            "outputs": ["sum.txt"],
        },
    ]
}
IGNORED = "build/\nsum.txt\n"


@pytest.fixture
def weeks(repo: Repo) -> Repo:
    data = {f"data/{name}.csv": f"{name}\n" for name in ("a", "b", "c")}
    repo.commit({"mlpipe.yml": json.dumps(WORKFLOW), ".gitignore": IGNORED, **data})
    assert ran(repo) == ["a", "b", "c", "sum"]
    return repo


def ran(repo: Repo, *arguments: str, code: int = 0, **env: str) -> list[str]:
    """What was started."""
    runs = repo.root.parent / "runs"
    runs.write_text("")
    repo.mlpipe("run", *arguments, code=code, RUNS=str(runs), **env)
    return runs.read_text().split()


def planned(repo: Repo, *arguments: str) -> dict[str, str]:
    told = json.loads(repo.mlpipe("plan", "--json", *arguments).stdout)
    return {one["name"]: f"{one['action']}: {', '.join(one['reasons'])}" for one in told["steps"]}


def test_a_file_that_comes_or_changes_costs_itself(weeks: Repo) -> None:
    assert ran(weeks) == []
    weeks.write({"data/d.csv": "d\n"})
    assert planned(weeks)["clean (d.csv)"].startswith("run: data/d.csv added since ")
    assert ran(weeks) == ["d", "sum"]
    weeks.write({"data/a.csv": "A\n"})
    assert planned(weeks)["clean (a.csv)"] == "run: data/a.csv changed since the last run here"
    assert ran(weeks) == ["a", "sum"]
    assert weeks.read("sum.txt") == "A\nb\nc\nd\n"
    weeks.write({"data/d.csv": "a\n"})
    weeks.write({"data/a.csv": "a\n"})
    assert ran(weeks) == ["d", "sum"], "what a was before is known"


def test_what_a_file_wrote_that_is_gone_goes_and_what_read_it_runs(weeks: Repo) -> None:
    (weeks.root / "data/b.csv").unlink()
    assert planned(weeks)["sum"] == "run: build/b.txt removed since the last run here"
    assert (weeks.root / "build/b.txt").exists(), "a plan does nothing"
    done = weeks.mlpipe("run", RUNS=os.devnull)
    assert "build/b.txt belongs to an item that no longer exists; moved to" in done.stdout
    assert (weeks.root / ".git/mlpipe/aside/previous/clean/build/b.txt").read_text() == "b\n"
    assert weeks.read("sum.txt") == "a\nc\n"
    assert ran(weeks) == []
    weeks.write({"data/b.csv": "b\n"})
    assert ran(weeks) == [], "both are known: nothing is done again"
    assert weeks.read("sum.txt") == "a\nb\nc\n"


def test_a_file_that_is_called_otherwise_leaves_nothing_behind(weeks: Repo) -> None:
    item = {
        "name": "clean",
        "each": "data/*.csv",
        "env": {"ITEM": "${{ each.path }}", "OUT": "build/${{ each.stem }}.txt"},
        "run": 'cp "$ITEM" "$OUT"',
        "outputs": ["build/${{ each.stem }}.txt"],
    }
    weeks.write({"mlpipe.yml": json.dumps({"steps": [item, WORKFLOW["steps"][1]]})})
    for old, new in (("a", "week 1"), ("week 1", "week-1"), ("week-1", "Week-1"), ("Week-1", "a")):
        (weeks.root / f"data/{old}.csv").rename(weeks.root / f"data/{new}.csv")
        ran(weeks)
        assert sorted(weeks.read("sum.txt").split()) == ["a", "b", "c"], (old, new)


def test_what_an_item_writes_without_declaring_it_comes_back(weeks: Repo) -> None:
    silent = {"name": "fit", "each": "data/*.csv", "run": WORKFLOW["steps"][0]["run"]}
    weeks.write({"mlpipe.yml": json.dumps({"steps": [silent]})})
    assert ran(weeks, MLPIPE_TRACER="notify") == ["a", "b", "c"]
    made = sorted((weeks.root / "build").iterdir())
    for path in made:
        path.unlink()
    assert ran(weeks, MLPIPE_TRACER="notify") == []
    assert sorted((weeks.root / "build").iterdir()) == made


def test_one_bad_file_keeps_no_other_from_being_done(weeks: Repo) -> None:
    step = {**WORKFLOW["steps"][0], "run": f"{CLEAN}; ! grep -q b ${{{{ each.path }}}}"}
    weeks.write({"mlpipe.yml": json.dumps({"steps": [step]})})
    assert ran(weeks, code=1) == ["a", "b", "c"]
    assert ran(weeks, code=1) == ["b"]


def test_blanks_in_a_command_need_quotes(weeks: Repo) -> None:
    bare = {**WORKFLOW["steps"][0], "run": "cat ${{ each.path }} > build/${{ each.stem }}.txt"}
    weeks.write({"mlpipe.yml": json.dumps({"steps": [bare]}), "data/d e.csv": "x"})
    done = weeks.mlpipe("run", code=2)
    assert "'data/d e.csv' holds a blank; put quotes around it" in done.stderr


def test_the_name_of_the_step_means_its_items_also_where_there_are_none(weeks: Repo) -> None:
    assert weeks.mlpipe("logs", "clean").returncode == 0
    shutil.rmtree(weeks.root / "data")
    assert "each: no file matches" in weeks.mlpipe("explain", "clean", code=2).stderr


def test_also_where_nothing_is_remembered(weeks: Repo) -> None:
    shutil.rmtree(weeks.root / ".git/mlpipe")
    weeks.write({"build/mine.txt": "mine\n"})
    (weeks.root / "data/b.csv").unlink()
    assert ran(weeks) == ["sum"]
    assert weeks.read("sum.txt") == "a\nc\nmine\n"


def test_a_directory_as_an_input_knows_that_it_went_too(weeks: Repo) -> None:
    reader = dict(WORKFLOW["steps"][1], inputs=["build/"])
    weeks.write({"mlpipe.yml": json.dumps({"steps": [WORKFLOW["steps"][0], reader]})})
    ran(weeks)
    (weeks.root / "data/b.csv").unlink()
    assert planned(weeks)["sum"].startswith("run: build/b.txt removed")
    assert ran(weeks) == ["sum"] or weeks.read("sum.txt") == "a\nc\n"


def test_files_of_the_user_stay_and_those_of_a_step_that_was_taken_out_go(weeks: Repo) -> None:
    weeks.write({"build/mine.log": "mine", "data/b.csv": "b\n"})
    (weeks.root / "data/b.csv").unlink()
    ran(weeks)
    assert weeks.read("build/mine.log") == "mine"
    weeks.write({"mlpipe.yml": json.dumps({"steps": WORKFLOW["steps"][1:]}), "build/c.txt": "me"})
    done = weeks.mlpipe("run", code=0, RUNS=os.devnull)
    assert done.stdout.count("not in the file any more, and what it left goes") == 1
    assert sorted(one.name for one in (weeks.root / "build").iterdir()) == ["c.txt", "mine.log"]
    assert weeks.read("sum.txt") == "me"


def test_an_output_that_git_tracks_stays(weeks: Repo) -> None:
    weeks.git("add", "-f", "build/b.txt")
    weeks.git("commit", "-qm", "keep")
    (weeks.root / "data/b.csv").unlink()
    assert "removed" not in planned(weeks)["sum"], "a plan says what the run does"
    assert ran(weeks) == ["sum"], "git has it now, no step"
    assert ran(weeks) == []
    assert weeks.read("build/b.txt") == "b\n"
    assert weeks.read("sum.txt") == "a\nb\nc\n"


def test_a_directory_in_which_git_tracks_something_stays(weeks: Repo) -> None:
    each = {"each": "data/*.csv", "outputs": ["build/${{ each.stem }}/"]}
    run = 'd="build/${{ each.stem }}"; mkdir -p "$d"; cp ${{ each.path }} "$d/x"'
    weeks.write({"mlpipe.yml": json.dumps({"steps": [{"name": "clean", "run": run, **each}]})})
    ran(weeks)
    weeks.git("add", "-f", "build/b/x")
    weeks.git("commit", "-qm", "keep")
    for name in ("b", "c"):
        (weeks.root / f"data/{name}.csv").unlink()
    ran(weeks)
    assert weeks.read("build/b/x") == "b\n"
    assert not (weeks.root / "build/c").exists()


def test_another_value_of_a_matrix_leaves_nothing_behind_either(repo: Repo) -> None:
    def workflow(*models: str) -> str:
        train = {
            "name": "train",
            "strategy": {"matrix": {"model": list(models)}},
            "run": "echo ${{ matrix.model }} > ${{ matrix.model }}.txt",
            "inputs": ["data"],
            "outputs": ["${{ matrix.model }}.txt"],
        }
        pick = {"name": "pick", "run": "ls *.txt", "inputs": ["*.txt"], "outputs": ["best"]}
        return json.dumps({"steps": [train, pick | {"run": "ls *.txt > best"}]})

    repo.write({"mlpipe.yml": workflow("a", "b"), "data": ""})
    repo.mlpipe("run")
    assert repo.read("best") == "a.txt\nb.txt\n"
    repo.write({"mlpipe.yml": workflow("a", "c")})
    repo.mlpipe("run")
    assert repo.read("best") == "a.txt\nc.txt\n"


def test_a_fresh_clone_runs_nothing(weeks: Repo) -> None:
    other = Repo(weeks.root.parent / "other")
    weeks.git("clone", "-q", str(weeks.root), str(other.root))
    assert ran(other) == []
    assert other.read("sum.txt") == "a\nb\nc\n"
    shutil.rmtree(other.root / "build")
    (other.root / "data/a.csv").unlink()
    assert ran(other) == ["sum"]
    assert sorted(p.name for p in (other.root / "build").iterdir()) == ["b.txt", "c.txt"]


def test_the_lines_of_many_reused_items_are_one(weeks: Repo) -> None:
    weeks.write({"data/d.csv": "d\n"})
    lines = weeks.mlpipe("plan").stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "↺ clean (3 items)",
        "▶ clean (d.csv)",
        "? sum",
    ]
    lines = weeks.mlpipe("run", RUNS=os.devnull).stdout.splitlines()
    reused = [line for line in lines if line.startswith("↺")]
    assert reused[0].startswith("↺ clean (3 items)  reused")


def test_no_file_is_an_error_and_a_warning_of_validate(weeks: Repo) -> None:
    shutil.rmtree(weeks.root / "data")
    for command in ("plan", "run"):
        done = weeks.mlpipe(command, code=2)
        assert "mlpipe.yml:1: step 'clean': each: no file matches 'data/*.csv'" in done.stderr
    checked = weeks.mlpipe("validate")
    assert "warning: step 'clean': each: no file matches 'data/*.csv' now" in checked.stderr
    assert weeks.read("build/a.txt") == "a\n", "nothing is lost by it"


def test_a_hostile_name_is_refused_in_a_command_and_harmless_in_a_variable(weeks: Repo) -> None:
    weeks.write({"data/$(touch pwned).csv": "x\n"})
    done = weeks.mlpipe("run", code=2)
    assert "'data/$(touch pwned).csv' holds '$', which a shell may act on; rename it" in done.stderr
    item = {
        "name": "clean",
        "each": "data/*.csv",
        "env": {"ITEM": "${{ each.path }}"},
        "run": 'mkdir -p build; cp "$ITEM" "build/$(basename "$ITEM")"',
        "outputs": ["build/${{ each.name }}"],
    }
    weeks.write({"mlpipe.yml": json.dumps({"steps": [item]})})
    weeks.mlpipe("run")
    assert weeks.read("build/$(touch pwned).csv") == "x\n"
    assert not (weeks.root / "pwned").exists()


def test_blanks_and_other_alphabets_in_names(weeks: Repo) -> None:
    weeks.write({"data/week 1.csv": "1\n", "data/数据.csv": "2\n"})
    assert ran(weeks) == ["week", "1", "数据", "sum"]


def test_all_items_are_meant_by_the_name_of_the_step(weeks: Repo) -> None:
    needs = {"name": "after", "run": 'echo after >> "$RUNS"', "needs": ["clean"], "inputs": []}
    weeks.write({"mlpipe.yml": json.dumps({"steps": [*WORKFLOW["steps"], needs]})})
    assert ran(weeks, "clean", "--force", "clean") == ["a", "b", "c"]
    assert ran(weeks, "--only", "clean (b.csv)", "--force") == ["b"]
    assert ran(weeks, "after", "--force", "clean-a-csv") == ["a", "after"]


def test_the_base_has_the_items_that_it_had(repo: Repo) -> None:
    """Week c is new: what was measured with a and b is what the base has."""
    steps = [
        *WORKFLOW["steps"],
        {
            "name": "measure",
            "run": 'printf \'{"rows": %s}\' "$(wc -l < sum.txt)" > m.json',
            "inputs": ["sum.txt"],
            "metrics": ["m.json"],
        },
    ]
    data = {f"data/{name}.csv": f"{name}\n" for name in ("a", "b")}
    workflow = {"mlpipe.yml": json.dumps({"steps": steps}), ".gitignore": IGNORED + "m.json\n"}
    base = repo.commit({**workflow, **data})
    ran(repo)
    repo.commit({"data/c.csv": "c\n"})
    done = repo.mlpipe("run", "--base", base, RUNS=os.devnull)
    assert "rows 3 (+1)" in done.stdout


def test_items_that_run_at_once_and_one_that_fails(weeks: Repo) -> None:
    step = {
        "name": "clean",
        "each": "data/*.csv",
        "strategy": {"fail-fast": False},
        "run": 'grep -v b ${{ each.path }} > "${{ each.name }}.ok"',
        "outputs": ["${{ each.name }}.ok"],
    }
    weeks.write({"mlpipe.yml": json.dumps({"steps": [step]})})
    told = json.loads(weeks.mlpipe("run", "--jobs", "3", "--json", code=1).stdout)
    assert [one["status"] for one in told["steps"]] == ["succeeded", "failed", "succeeded"]
