"""Metrics beside those of the base, which is not run for it; gates, also those of the base."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlpipe_ci.cache.codec import decode_result, encode_result
from tests.support.github_runner import Hub, Job, payload
from tests.support.repository import Repo

TRAIN = "printf '%s' ${{ params.rate }} > model.txt; echo train >> \"$RUNS\""
EVALUATE = (
    'echo evaluate >> "$RUNS"; printf \'{"auc": 0.9%s, "loss": 0.5}\' "$(cat model.txt)" > m.json'
)


def workflow(*gates: Any, evaluate: dict[str, Any] | None = None) -> str:
    steps = [
        {"name": "train", "run": TRAIN, "inputs": ["data.txt"], "outputs": ["model.txt"]},
        {"name": "evaluate", "run": EVALUATE, "inputs": ["model.txt"], "metrics": ["m.json"]}
        | ({"gates": list(gates)} if gates else {})
        | (evaluate or {}),
        {
            "name": "deploy",
            "run": "cp model.txt live",
            "inputs": ["model.txt"],
            "outputs": ["live"],
        },
    ]
    return json.dumps({"params": "params.yaml", "steps": steps}, indent=1)


IGNORED = "model.txt\nm.json\nlive\n"


Files = dict[str, str | bytes]


def files(rate: int, *gates: Any, **more: Any) -> Files:
    text = workflow(*gates, **more)
    return {"mlpipe.yml": text, "params.yaml": f"rate: {rate}\n", ".gitignore": IGNORED}


def ran(repo: Repo, *arguments: str, code: int = 0, **env: str) -> dict[str, Any]:
    """Run; the report, with what was started as `ran`."""
    runs = repo.root.parent / "runs"
    runs.write_text("")
    done = repo.mlpipe("run", "--json", *arguments, code=code, RUNS=str(runs), **env)
    return dict(json.loads(done.stdout)) | {"ran": runs.read_text().split(), "said": done.stderr}


def step(told: dict[str, Any], name: str) -> dict[str, Any]:
    return next(dict(one) for one in told["steps"] if one["name"] == name)


def in_job(
    job: Job, event: str, body: dict[str, Any], code: int = 0, **more: str
) -> dict[str, Any]:
    env = job.env(event, body, GITHUB_SHA=job.git("rev-parse", "HEAD"), **more)
    return ran(job, code=code, **{name: str(value) for name, value in env.items()})


def test_at_a_desk_the_last_commit_is_the_base(repo: Repo) -> None:
    first = repo.commit(files(1) | {"data.txt": "1"})
    assert ran(repo)["ran"] == ["train", "evaluate"]
    repo.write({"params.yaml": "rate: 3\n"})
    told = ran(repo)
    base = step(told, "evaluate")["base"]
    assert base["metrics"] == {"auc": 0.91, "loss": 0.5}
    assert base["source"] == f"the result of {first[:7]}"
    assert step(told, "evaluate")["metrics"]["auc"] == 0.93
    said = repo.mlpipe("run", RUNS="/dev/null").stdout
    assert "auc 0.93 (+0.02)" in said


def test_a_base_that_never_ran_is_said_so(repo: Repo) -> None:
    first = repo.commit(files(1) | {"data.txt": "1"})
    repo.write({"params.yaml": "rate: 3\n"})
    base = step(ran(repo), "evaluate")["base"]
    assert base == {
        "metrics": {},
        "samples": {},
        "source": f"no base: evaluate never ran on {first[:7]}",
    }


def test_a_committed_metrics_file_is_the_next_best(repo: Repo) -> None:
    plain = files(1) | {".gitignore": "model.txt\nlive\n", "data.txt": "1"}
    plain["m.json"] = '{"auc": 0.5, "old": 7}'
    first = repo.commit(plain)
    repo.write({"params.yaml": "rate: 3\n"})
    told = ran(repo)
    base = step(told, "evaluate")["base"]
    assert (base["metrics"], base["source"]) == ({"auc": 0.5, "old": 7}, f"files of {first[:7]}")


@pytest.mark.parametrize("before", ["no workflow", "no such step", "another file", "no metrics"])
def test_a_metrics_file_that_was_committed_before_the_workflow_named_it(
    repo: Repo, before: str
) -> None:
    """As where a team begins to use mlpipe, or to show its numbers."""
    one = {"name": "e", "run": "cp in.json m.json", "inputs": ["in.json"]}
    earlier: dict[str, list[dict[str, Any]]] = {
        "no such step": [{"name": "other", "run": "true", "inputs": ["in.json"]}],
        "another file": [one | {"metrics": ["other.json"], "run": "cp in.json other.json"}],
        "no metrics": [one | {"outputs": ["m.json"]}],
    }
    first: Files = {"m.json": '{"auc": 0.5}', "in.json": '{"auc": 0.5}', ".gitignore": "other.json"}
    if before in earlier:
        first["mlpipe.yml"] = json.dumps({"steps": earlier[before]})
    repo.commit(first)
    if before == "no metrics":
        repo.mlpipe("run")
    gate = {"metrics": ["m.json"], "gates": ["metrics.auc >= base.auc"]}
    repo.commit({"mlpipe.yml": json.dumps({"steps": [one | gate]}), "in.json": '{"auc": 0.4}'})
    told = ran(repo, "--base", "HEAD~1", code=1)
    assert step(told, "e")["base"]["metrics"] == {"auc": 0.5}
    assert told["result"] == "gate-missed"
    said = repo.mlpipe("metrics", "HEAD~1").stdout
    assert "auc ↑    0.5   0.4  -0.1 worse" in said.replace("−", "-")


SUM = """
steps:
  - name: clean
    each: data/*.txt
    run: mkdir -p build && cp ${{ each.path }} build/${{ each.name }}
    inputs: []
    outputs: ["build/${{ each.name }}"]
  - name: total
    run: |
      total=$(cat build/*.txt | awk "{ s += \\$1 } END { print s }")
      printf '{"total": %s}' "$total" > m.json
    DECLARED
    metrics: [m.json]
    gates: [metrics.total <= base.total + 5]
"""


@pytest.mark.parametrize("declared", ["inputs: [build/*.txt]", "inputs: [build]", ""])
def test_what_steps_have_left_here_says_nothing_about_the_base(
    repo: Repo, declared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what they made of the head, nor what of that is gone or changed."""
    monkeypatch.setenv("MLPIPE_TRACER", "off" if declared else "auto")
    text = SUM.replace("DECLARED", declared)
    ignored = "build/\nm.json\n"
    data: Files = {"data/a.txt": "1\n", "data/b.txt": "2\n"}
    repo.commit(data | {"mlpipe.yml": text, ".gitignore": ignored})
    ran(repo)
    repo.commit({"data/c.txt": "100\n"})
    for _ in range(2):  # the first run makes what the second one finds
        told = ran(repo, "--base", "HEAD~1", code=1)
        assert step(told, "total")["base"]["metrics"] == {"total": 3}
    there = ("build/a.txt", "build/b.txt", "build/c.txt", "m.json")
    for chosen in range(2 ** len(there)):
        for place, path in enumerate(there):
            if chosen & 1 << place:
                repo.write({path: f"{chosen}7\n"})
            else:
                (repo.root / path).unlink(missing_ok=True)
        found = json.loads(repo.mlpipe("metrics", "--json", "HEAD~1").stdout)
        (row,) = found["metrics"]
        assert row["base"] == 3, chosen


def test_a_workflow_that_declares_nothing_has_a_base_too(repo: Repo) -> None:
    steps = [{"name": "evaluate", "run": "python3 e.py", "metrics": ["m.json"]}]
    code = 'import lib, json; json.dump({"auc": lib.AUC}, open("m.json", "w"))'
    plain: Files = {
        "mlpipe.yml": json.dumps({"steps": steps}),
        ".gitignore": "m.json\n__pycache__\n",
    }
    first = repo.commit(plain | {"e.py": code, "lib.py": "AUC = 0.7"})
    ran(repo, MLPIPE_TRACER="auto")
    repo.commit({"lib.py": "AUC = 0.80"})
    told = ran(repo, "--base", "HEAD~1", MLPIPE_TRACER="auto")
    base = step(told, "evaluate")["base"]
    assert (base["metrics"], base["source"]) == ({"auc": 0.7}, f"the result of {first[:7]}")
    assert step(told, "evaluate")["metrics"] == {"auc": 0.8}


@pytest.fixture
def pushed(hub: Hub, tmp_path: Path) -> Hub:
    """Main has run once, on a runner; its cache is what the other jobs find."""
    hub.desk.commit(files(1, "metrics.auc >= 0.9") | {"data.txt": "1", "data/a.csv": ""}, "Main")
    hub.push()
    job = hub.clone(tmp_path / "main", "main")
    told = in_job(job, "push", payload("push", ref="refs/heads/main"))
    assert told["ran"] == ["train", "evaluate"]
    return hub


def proposed(hub: Hub, tmp_path: Path, change: Files, code: int) -> dict[str, Any]:
    """What a pull request's job reports, on a default checkout."""
    hub.desk.git("checkout", "-q", "-b", "topic")
    hub.desk.commit(change, "Change")
    merge = hub.pull_request("topic")
    job = hub.clone(tmp_path / "job", merge)
    body = payload(
        "pull_request", "synchronize", pull_request={"number": 7, "base": {"ref": "main"}}
    )
    told = in_job(job, "pull_request", body, code=code, GITHUB_REF="refs/pull/7/merge")
    assert job.git("rev-list", "--count", "HEAD") == "1"
    return told


def test_a_pull_request_on_a_depth_1_clone(pushed: Hub, tmp_path: Path) -> None:
    main = pushed.desk.git("rev-parse", "main")
    told = proposed(pushed, tmp_path, {"params.yaml": "rate: 4\n"}, 0)
    evaluate = step(told, "evaluate")
    assert evaluate["metrics"]["auc"] == 0.94
    assert evaluate["base"]["metrics"]["auc"] == 0.91
    assert evaluate["base"]["source"] == f"the result of {main[:7]}"
    assert told["ran"] == ["train", "evaluate"], "nothing was run for the base"
    gate = {"gate": "metrics.auc >= 0.9", "result": "passed", "why": "metrics.auc is 0.94"}
    assert evaluate["gates"] == [gate | {"origin": "here"}]


def test_a_pull_request_cannot_lower_its_bar(pushed: Hub, tmp_path: Path) -> None:
    lowered = files(-5, "metrics.auc >= 0.1")
    lowered["mlpipe.yml"] = str(lowered["mlpipe.yml"]).replace("0.9%s", "0.5")
    told = proposed(pushed, tmp_path, lowered, 1)
    gates = step(told, "evaluate")["gates"]
    assert [(g["gate"], g["result"], g["origin"]) for g in gates] == [
        ("metrics.auc >= 0.9", "missed", "base"),
        ("metrics.auc >= 0.1", "passed", "new"),
    ]
    assert told["result"] == "gate-missed"
    assert step(told, "deploy")["status"] == "blocked"


ESCAPES: dict[str, dict[str, Any]] = {
    "continue-on-error": {"continue-on-error": True},
    "if": {"if": "github.ref == 'refs/heads/main'"},
    "name": {"name": "measure"},
}


@pytest.mark.parametrize("way", ESCAPES)
def test_nor_walk_around_it(pushed: Hub, tmp_path: Path, way: str) -> None:
    change = files(1, evaluate=ESCAPES[way])
    change["mlpipe.yml"] = str(change["mlpipe.yml"]).replace("0.9%s", "0.5")
    told = proposed(pushed, tmp_path, change, 1)
    assert told["result"] == "gate-missed", told
    assert bool(told.get("lost_gates")) is (way == "name")


def test_nor_lower_the_param_that_a_gate_names(hub: Hub, tmp_path: Path) -> None:
    gate = "metrics.auc >= params.least"
    first = files(1, gate) | {"data.txt": "1", "params.yaml": "rate: 1\nleast: 0.9\n"}
    hub.desk.commit(first, "Main")
    change = files(1, gate) | {"params.yaml": "rate: 1\nleast: 0.1\n"}
    change["mlpipe.yml"] = str(change["mlpipe.yml"]).replace("0.9%s", "0.5")
    told = proposed(hub, tmp_path, change, 1)
    assert step(told, "evaluate")["gates"][0]["result"] == "missed"


def test_a_missed_gate_keeps_the_result_and_stops_what_follows(repo: Repo) -> None:
    repo.commit(files(1, "metrics.auc >= 0.95") | {"data.txt": "1"})
    told = ran(repo, code=1)
    assert told["result"] == "gate-missed"
    assert step(told, "evaluate")["status"] == "succeeded"
    assert step(told, "deploy")["status"] == "blocked"
    assert not (repo.root / "live").exists()
    again = ran(repo, code=1)
    assert (again["ran"], step(again, "evaluate")["status"]) == ([], "reused")
    assert step(again, "deploy")["status"] == "blocked"
    plan = {one["name"]: one for one in json.loads(repo.mlpipe("plan", "--json").stdout)["steps"]}
    assert plan["evaluate"]["notes"] == ["gate missed: metrics.auc >= 0.95 (metrics.auc is 0.91)"]
    assert (plan["deploy"]["action"], plan["deploy"]["reasons"]) == (
        *("skip", ["evaluate did not succeed"]),
    )
    repo.write(files(1, "metrics.auc >= 0.9"))
    good = ran(repo)
    assert (good["ran"], step(good, "deploy")["status"]) == ([], "succeeded")


def test_a_failure_that_is_allowed_may_miss_gates(repo: Repo) -> None:
    more = {"continue-on-error": True}
    repo.commit(files(1, "metrics.auc >= 0.95", evaluate=more) | {"data.txt": "1"})
    told = ran(repo)
    assert (told["result"], step(told, "deploy")["status"]) == ("success", "succeeded")


def test_what_a_person_sees_of_a_missed_gate(repo: Repo) -> None:
    repo.commit(files(1, "metrics.auc >= 0.95") | {"data.txt": "1"})
    done = repo.mlpipe("run", "--report", "r.json", code=1, RUNS="/dev/null")
    assert "gate missed: metrics.auc >= 0.95 (metrics.auc is 0.91)" in done.stdout
    assert "1 gate missed" in done.stdout
    text = repo.mlpipe("report", "r.json").stdout
    assert "**<code>evaluate</code>** missed a gate: <code>metrics.auc" in text
    assert text.startswith("### ❌")


SPREAD = 'echo "{\\"auc\\": 0.$MLPIPE_REPEAT}" > m.json; echo $MLPIPE_REPEAT >> "$RUNS"'


def repeated(repo: Repo, run: str = SPREAD, tracing: str = "off", **more: Any) -> None:
    one = {"name": "e", "run": run, "inputs": ["a"], "metrics": ["m.json"], "repeat": 3}
    text = json.dumps({"steps": [one | more], "tracing": tracing})
    repo.write({"mlpipe.yml": text, "a": "1", ".gitignore": "m.json\n"})


@pytest.mark.parametrize("tracing", ["off", "auto"])
def test_a_command_is_repeated_for_its_spread(repo: Repo, tracing: str) -> None:
    repeated(repo, tracing=tracing)
    repo.commit()
    told = ran(repo, MLPIPE_TRACER="auto")
    assert told["ran"] == ["1", "2", "3"]
    one = step(told, "e")
    assert one["samples"] == {"auc": [0.1, 0.2, 0.3]}
    assert one["metrics"]["auc"] == pytest.approx(0.2)
    assert json.loads(repo.read("m.json")) == {"auc": 0.3}, "the last one is kept"
    again = ran(repo, MLPIPE_TRACER="auto")
    assert (again["ran"], step(again, "e")["samples"]) == ([], one["samples"])
    assert step(again, "e")["metrics"] == one["metrics"]
    repo.git("clean", "-qfdX")
    assert ran(repo, MLPIPE_TRACER="auto")["ran"] == []
    repeated(repo, tracing=tracing, repeat=2)
    told = ran(repo, MLPIPE_TRACER="auto")
    assert (told["ran"], step(told, "e")["reasons"]) == (
        ["1", "2"],
        ["repeat 3 → 2 since the last run here"],
    )
    base = step(told, "e")["base"]
    assert base["samples"] == one["samples"]


def test_what_a_repetition_reads_counts(repo: Repo) -> None:
    """Each may read something else, as a file with its seed; a change of any is seen."""
    repeated(repo, 'echo "{\\"auc\\": $(cat seeds/$MLPIPE_REPEAT)}" > m.json', tracing="auto")
    repo.commit({f"seeds/{number}": str(number) for number in range(1, 4)})
    repo.mlpipe("run", MLPIPE_TRACER="auto")
    repo.write({"seeds/2": "9"})
    told = json.loads(repo.mlpipe("plan", "--json", MLPIPE_TRACER="auto").stdout)
    assert step(told, "e")["reasons"] == ["seeds/2 changed (discovered) since the last run here"]


def test_a_repetition_that_fails_or_writes_nothing_fails_the_step(repo: Repo) -> None:
    repeated(repo, '[ $MLPIPE_REPEAT != 2 ] && echo "{}" > m.json')
    repo.commit()
    assert "exit code 1" in repo.mlpipe("run", code=1).stdout
    repeated(repo, '[ $MLPIPE_REPEAT = 2 ] || echo "{}" > m.json')
    said = repo.mlpipe("run", code=1).stdout
    assert "repetition 2 did not write this file" in said


def test_a_difference_within_noise_is_said_to_be_so(repo: Repo) -> None:
    gate = "!worse_than_base(metrics.auc, 2)"
    text = 'echo "{\\"auc\\": 0.9$MLPIPE_REPEAT$(cat a)}" > m.json'
    repeated(repo, text, gates=[gate])
    repo.commit()
    repo.mlpipe("run")
    repo.write({"a": "0"})
    repo.mlpipe("run", "--report", "r.json")
    assert "(within noise)" in repo.mlpipe("report", "r.json").stdout
    repeated(repo, text.replace("0.9", "0.1"), gates=[gate])
    told = ran(repo, code=1)
    assert step(told, "e")["gates"][0]["result"] == "missed"


def test_nor_make_the_base_look_worse(pushed: Hub, tmp_path: Path) -> None:
    """A change may write its own scope, also under the keys of the base."""
    cache = Path(os.environ["MLPIPE_CACHE_DIR"]) / "v1/results"
    for path in list((cache / "main").rglob("*.json")):
        result = decode_result(path.read_bytes())
        assert result is not None
        forged = replace(result, metrics=tuple((name, 0.01) for name, _ in result.metrics))
        place = cache / "pr" / "7" / path.relative_to(cache / "main")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(encode_result(forged))
    told = proposed(pushed, tmp_path, {"params.yaml": "rate: 4\n"}, 0)
    assert step(told, "evaluate")["base"]["metrics"]["auc"] == 0.91
