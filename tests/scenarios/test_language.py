"""The workflow language, as a user meets it: real commands in a real repository."""

import json

from tests.support.repository import Repo

WORKFLOW = """
params: params.yaml
steps:
  - name: prepare
    run: echo "$SEED" > data.txt
    env: {SEED: "${{ params.data.seed }}"}
    inputs: [mlpipe.yml]
    outputs: [data.txt]
  - name: train
    strategy:
      matrix:
        model: ${{ params.models }}
        seed: [1, 2]
        exclude: [{model: forest, seed: 2}]
    run: |
      echo "${{ matrix.model }} ${{ params.rate[matrix.model] }} $(cat data.txt)" > \\
        m/${{ matrix.model }}-${{ matrix.seed }}
    inputs: [data.txt]
    outputs: ["m/${{ matrix.model }}-${{ matrix.seed }}"]
  - name: evaluate
    shell: python
    run: |
      import json, pathlib
      count = len(list(pathlib.Path("m").iterdir()))
      json.dump({"auc": count / 4}, open("metrics.json", "w"))
    inputs: [m/*]
    metrics: [metrics.json]
  - name: deploy
    if: steps.evaluate.metrics.auc >= 0.75 && steps.train.outcome == 'success'
    run: cp metrics.json deployed.json
    cache: false
"""
PARAMS = "data: {seed: 42}\nmodels: [forest, linear]\nrate: {forest: 0.1, linear: 0.2}\nnote: a\n"


def actions(repo: Repo, *options: str) -> dict[str, tuple[str, list[str]]]:
    plan = json.loads(repo.mlpipe("plan", "--json", *options).stdout)
    return {step["name"]: (step["action"], step["reasons"]) for step in plan["steps"]}


def test_params_matrix_and_conditions_work_together(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": WORKFLOW, "params.yaml": PARAMS, ".gitignore": "m\n*.txt\n*.json\n"})
    before = actions(repo)
    assert list(before) == [
        "prepare",
        "train (model=forest, seed=1)",
        "train (model=linear, seed=1)",
        "train (model=linear, seed=2)",
        "evaluate",
        "deploy",
    ]
    assert before["deploy"][0] == "maybe"
    assert "if: asks how evaluate ends" in before["deploy"][1]
    repo.mlpipe("run")
    assert repo.read("m/linear-2") == "linear 0.2 42\n"
    assert json.loads(repo.read("deployed.json")) == {"auc": 0.75}
    assert {name: action for name, (action, _) in actions(repo).items()} == {
        "prepare": "reuse",
        "train (model=forest, seed=1)": "reuse",
        "train (model=linear, seed=1)": "reuse",
        "train (model=linear, seed=2)": "reuse",
        "evaluate": "reuse",
        "deploy": "run",
    }


def test_only_params_that_a_step_uses_count(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": WORKFLOW, "params.yaml": PARAMS, ".gitignore": "m\n*.txt\n*.json\n"})
    repo.mlpipe("run")
    repo.write({"params.yaml": PARAMS.replace("note: a", "note: b")})
    assert {action for action, _ in actions(repo).values()} == {"reuse", "run"}
    repo.write({"params.yaml": PARAMS.replace("linear: 0.2", "linear: 0.5")})
    found = actions(repo)
    assert found["train (model=forest, seed=1)"][0] == "reuse"
    assert found["train (model=linear, seed=1)"] == (
        "run",
        ["params.rate.linear 0.2 → 0.5 since the last run here"],
    )
    by_option = actions(repo, "--set", "rate.linear=0.2", "--set", "rate.forest=1")
    assert by_option["train (model=linear, seed=1)"][0] == "reuse"
    assert by_option["train (model=forest, seed=1)"] == (
        "run",
        ["params.rate.forest 0.1 → 1 since the last run here"],
    )


def test_a_matrix_that_grows_runs_only_what_is_new(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": WORKFLOW, "params.yaml": PARAMS, ".gitignore": "m\n*.txt\n*.json\n"})
    repo.mlpipe("run")
    more = PARAMS.replace("[forest, linear]", "[forest, linear, knn]")
    repo.write({"params.yaml": more.replace("linear: 0.2", "linear: 0.2, knn: 3")})
    found = {name: action for name, (action, _) in actions(repo).items()}
    new = [name for name, action in found.items() if action == "run"]
    assert new == ["train (model=knn, seed=1)", "train (model=knn, seed=2)"]
    assert (found["evaluate"], found["deploy"]) == ("maybe", "maybe")
    assert found["train (model=linear, seed=2)"] == "reuse"


DEPLOY = """
steps:
  - name: deploy
    run: |
      echo "token=$TOKEN"; printf 'hun'; sleep 0.1; printf 'ter22\\n'
      printenv TOKEN | wc -c
    env: {TOKEN: "Bearer ${{ secrets.DEPLOY_TOKEN }}"}
    inputs: [mlpipe.yml]
    outputs: [out.txt]
  - name: other
    run: printenv | grep DEPLOY_TOKEN || echo "is not there"
"""


def test_a_secret_is_passed_and_never_shown(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": DEPLOY.replace("wc -c", "wc -c | tee out.txt")})
    done = repo.mlpipe("run", DEPLOY_TOKEN="hunter22")
    assert "token=Bearer ***\n***\n16\n" in done.stdout
    assert "is not there" in done.stdout
    assert "hunter22" not in done.stdout + done.stderr
    again = repo.mlpipe("run", DEPLOY_TOKEN="another")
    assert "deploy  reused" in again.stdout, "of a secret its name counts, not its value"
    for path in (repo.root / ".git" / "mlpipe").rglob("*"):
        assert not path.is_file() or b"hunter22" not in path.read_bytes(), path


def test_a_secret_that_is_not_set_is_told_also_with_q(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": DEPLOY})
    done = repo.mlpipe("run", "-q", code=2)
    words = "the secret DEPLOY_TOKEN is not set; give it to mlpipe"
    assert f"step 'deploy': {words}" in done.stderr
    assert words in repo.mlpipe("plan").stdout
    going_on = repo.mlpipe("run", "--keep-going", code=2)
    assert f"warning: step 'deploy': {words}" in going_on.stderr + going_on.stdout
    assert "✖ deploy  failed" in going_on.stdout


TRAIN_FIRST = """
steps:
  - {name: train, run: cp raw model, inputs: [raw], outputs: [model]}
  - name: deploy
    run: ./deploy.sh
    if: {condition}
    env: {TOKEN: "${{ secrets.DEPLOY_TOKEN }}"}
    inputs: [model]
    cache: false
"""


def test_a_missing_secret_stops_a_run_before_its_first_command(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": TRAIN_FIRST.replace("{condition}", "true"), "raw": "1"})
    assert "the secret DEPLOY_TOKEN is not set" in repo.mlpipe("plan").stdout
    done = repo.mlpipe("run", code=2)
    assert "step 'deploy': the secret DEPLOY_TOKEN is not set" in done.stderr
    assert not (repo.root / "model").exists(), "nothing was run"
    repo.mlpipe("run", "train")
    assert "is not set" not in repo.mlpipe("plan", "train").stdout


def test_a_secret_that_may_be_needed_is_told_before_the_first_command(repo: Repo) -> None:
    maybe = "steps.train.conclusion == 'failure'"
    repo.commit({"mlpipe.yml": TRAIN_FIRST.replace("{condition}", maybe), "raw": "1"})
    assert "the secret DEPLOY_TOKEN is not set" in repo.mlpipe("plan").stdout
    done = repo.mlpipe("run")
    said = done.stdout + done.stderr
    assert "warning: step 'deploy': the secret DEPLOY_TOKEN is not set" in said
    assert "train  succeeded" in done.stdout
    never = TRAIN_FIRST.replace("{condition}", "github.event_name == 'push'")
    repo.commit({"mlpipe.yml": never})
    assert "is not set" not in repo.mlpipe("plan").stdout


ENDINGS = """
steps:
  - {name: lint, run: exit 3, continue-on-error: true}
  - {name: slow, run: sleep 60, timeout-minutes: 0.005, continue-on-error: true}
  - name: flaky
    run: "test -e again || { touch again; exit 1; }"
    retries: 2
  - name: tell
    run: echo told
    if: steps.lint.outcome == 'failure' && steps.lint.conclusion == 'success'
"""


def test_failures_that_are_meant_to_be_borne(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": ENDINGS})
    run = json.loads(repo.mlpipe("run", "--json").stdout)
    found = {step["name"]: (step["status"], step["attempts"]) for step in run["steps"]}
    assert found == {
        "lint": ("failed", 1),
        "slow": ("timed-out", 1),
        "flaky": ("succeeded", 2),
        "tell": ("succeeded", 1),
    }
    assert run["result"] == "success"
    slow = next(step for step in run["steps"] if step["name"] == "slow")
    assert slow["notes"][0] == "ended after 0.005 min, its timeout-minutes"


def test_a_github_value_reaches_the_command_through_env_alone(repo: Repo) -> None:
    text = "steps: [{name: a, run: 'echo \"ref=$REF\"', env: {REF: '${{ github.ref }}'}}]"
    repo.commit({"mlpipe.yml": text})
    assert "ref=refs/heads/main\n" in repo.mlpipe("run").stdout


def test_graph(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": WORKFLOW, "params.yaml": PARAMS})
    text = repo.mlpipe("graph").stdout
    assert text.splitlines()[:2] == ["prepare", "└── train (3 combinations)"]
    found = json.loads(repo.mlpipe("graph", "--json").stdout)
    assert {edge["kind"] for edge in found["edges"]} == {"data", "order"}
    assert repo.mlpipe("graph", "--format", "mermaid").stdout.startswith("flowchart TD\n")
    assert repo.mlpipe("graph", "--format", "dot").stdout.startswith("digraph ")
    repo.write({"params.yaml": PARAMS.replace("linear: 0.2", "linear: 0.2, knn: 1")})
    assert "train (model=knn, seed=2)" in repo.mlpipe("graph", "--set", "models=[knn]").stdout


def test_a_wrong_set_is_a_wrong_command_line(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": WORKFLOW, "params.yaml": PARAMS})
    done = repo.mlpipe("run", "--set", "rates.linear=1", code=2)
    assert "--set rates.linear=1: params has no 'rates'; did you mean 'rate'?" in done.stderr
