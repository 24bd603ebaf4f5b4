"""Steps that run at the same time: what may, what must not, and what becomes of the others."""

import json
import os
import sqlite3
from pathlib import Path

import pytest

from tests.support.repository import Repo

EACH = """
  - name: {name}
    run: sleep {seconds}; cat {reads} > {name}.txt
    inputs: [{reads}]
    outputs: [{name}.txt]
"""


def workflow(*steps: str, head: str = "") -> str:
    return head + "steps:" + "".join(steps)


def each(name: str, reads: str = "in", seconds: float = 0.4, more: str = "") -> str:
    return EACH.format(name=name, reads=reads, seconds=seconds) + more


def run(repo: Repo, *arguments: str, code: int = 0, **env: str) -> dict[str, dict[str, object]]:
    done = repo.mlpipe("run", "--json", *arguments, code=code, **env)
    return {step["id"]: step for step in json.loads(done.stdout)["steps"]}


def statuses(told: dict[str, dict[str, object]]) -> str:
    return " ".join(f"{name}:{step['status']}" for name, step in told.items())


def spans(repo: Repo) -> dict[str, tuple[float, float]]:
    """When each step began and ended, by what it wrote down itself."""
    found: dict[str, list[float]] = {}
    for line in repo.read("../times").splitlines():
        name, _, when = line.partition(" ")
        found.setdefault(name, []).append(float(when))
    return {name: (times[0], times[-1]) for name, times in found.items()}


TIMED = """
  - name: {name}
    run: |
      echo {name} $(date +%s.%N) >> ../times
      sleep 0.5
      cat in > {name}.txt
      echo {name} $(date +%s.%N) >> ../times
    inputs: [in]
    outputs: [{name}.txt]
    cache: true
"""


def overlap(repo: Repo, one: str, other: str) -> bool:
    first, second = spans(repo)[one], spans(repo)[other]
    return first[0] < second[1] and second[0] < first[1]


def timed(name: str, *more: str) -> str:
    return TIMED.format(name=name) + "".join(f"    {line}\n" for line in more)


def test_what_is_independent_runs_at_once_and_the_rest_in_order(repo: Repo) -> None:
    join = each("join", "a.txt", 0).replace("cat a.txt", "cat a.txt b.txt")
    join = join.replace("[a.txt]", "[a.txt, b.txt]")
    repo.commit({"mlpipe.yml": workflow(timed("a"), timed("b"), join), "in": "1\n"})
    told = run(repo, "--jobs", "2")
    assert statuses(told) == "a:succeeded b:succeeded join:succeeded"
    assert overlap(repo, "a", "b")
    assert repo.read("join.txt") == "1\n1\n"
    assert statuses(run(repo, "--jobs", "2")) == "a:reused b:reused join:reused"


def test_by_default_one_runs_at_a_time_in_the_listed_order(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": workflow(timed("b"), timed("a")), "in": "1\n"})
    run(repo)
    assert spans(repo)["b"][1] < spans(repo)["a"][0]


@pytest.mark.parametrize(
    ("more", "together"),
    [
        (("resources: {cpus: 0.5}",), True),
        (("resources: {cpus: 1000}",), False),
        (("resources: {memory: 1MiB}",), True),
        (("resources: {memory: 1000TiB}",), False),
        (("needs: [a]",), False),
        (("if: success()",), False),
    ],
)
def test_resources_and_words_of_the_file_keep_steps_apart(
    repo: Repo, more: tuple[str, ...], together: bool
) -> None:
    first = more if more[0].startswith("resources") else ()
    text = workflow(timed("a", *first), timed("b", *more))
    repo.commit({"mlpipe.yml": text, "in": "1\n"})
    told = run(repo, "--jobs", "4")
    assert overlap(repo, "a", "b") is together
    assert ("it asks for" in str(told["a"]["notes"])) is ("1000" in more[0])


def test_no_more_than_max_parallel_of_a_matrix_run_at_once(repo: Repo) -> None:
    step = """
  - name: train
    strategy: {matrix: {n: [1, 2, 3, 4]}, max-parallel: 2}
    run: |
      touch ../on-${{ matrix.n }}; ls .. | grep -c ^on- > most-${{ matrix.n }}.txt
      sleep 0.5; rm ../on-${{ matrix.n }}
    inputs: [in]
    outputs: ["most-${{ matrix.n }}.txt"]
    cache: true
"""
    repo.commit({"mlpipe.yml": workflow(step), "in": "1\n"})
    run(repo, "--jobs", "4")
    assert max(int(repo.read(f"most-{n}.txt")) for n in range(1, 5)) == 2


def test_gpus_are_given_to_one_step_each(repo: Repo) -> None:
    steps = [
        f"""
  - name: g{n}
    run: sleep 0.3; echo $CUDA_VISIBLE_DEVICES > g{n}.txt
    inputs: [in]
    outputs: [g{n}.txt]
    resources: {{gpus: 1}}
"""
        for n in range(3)
    ]
    repo.commit({"mlpipe.yml": workflow(*steps), "in": "1\n"})
    run(repo, "--jobs", "3", CUDA_VISIBLE_DEVICES="4,7")
    assert sorted(repo.read(f"g{n}.txt").strip() for n in range(2)) == ["4", "7"]
    assert repo.read("g2.txt").strip() in {"4", "7"}


def test_a_step_that_nothing_is_known_of_runs_alone(repo: Repo) -> None:
    free = "  - name: u\n    run: cp a.txt u.txt || echo nothing > u.txt\n"
    repo.commit({"mlpipe.yml": workflow(each("a"), free, timed("b")), "in": "1\n"})
    assert statuses(run(repo, "-j4")) == "a:succeeded u:succeeded b:succeeded"
    assert repo.read("u.txt") == "1\n"


HIDDEN = """
  - name: hidden
    run: sleep {before}; cat a.txt > hidden.txt || exit 1; sleep {after}
    inputs: [in]
    outputs: [hidden.txt]
"""


@pytest.mark.parametrize(("before", "after"), [(0, 0), (0, 1), (0.6, 0)])
def test_who_reads_what_is_written_beside_it_runs_again(
    repo: Repo, before: float, after: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It declares `in` alone, and fails, or reads what was there before, or the half of it."""
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    slow = each("a", seconds=0.4)
    last = each("last", "hidden.txt", 0)
    text = workflow(slow, HIDDEN.format(before=before, after=after), last)
    repo.commit({"mlpipe.yml": text, "in": "1\n"})
    told = run(repo, "--jobs", "3")
    assert statuses(told) == "a:succeeded hidden:succeeded last:succeeded"
    assert repo.read("last.txt") == "1\n"
    again = run(repo, "--jobs", "3")
    assert statuses(again) == "a:reused hidden:reused last:reused"
    repo.write({"in": "2\n"})
    told = run(repo, "--jobs", "3")
    assert repo.read("last.txt") == "2\n"
    assert "at the same time" not in str(told), "now it is known, and they run one after the other"


def test_a_temporary_file_of_two_steps_spoils_neither(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each writes `tmp`, waits, reads it and removes it; nothing of it is left, or declared."""
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    steps = [
        f"  - name: t{n}\n    run: echo {n} > tmp; sleep 0.{3 + n}; cat tmp in > t{n}.txt; rm tmp\n"
        f"    inputs: [in]\n    outputs: [t{n}.txt]\n"
        for n in range(3)
    ]
    repo.commit({"mlpipe.yml": workflow("\n", *steps), "in": "1\n"})
    told = run(repo, "--jobs", "3")
    assert [repo.read(f"t{n}.txt") for n in range(3)] == ["0\n1\n", "1\n1\n", "2\n1\n"]
    assert statuses(run(repo, "--jobs", "3")) == "t0:reused t1:reused t2:reused"
    repo.write({"in": "2\n"})
    told = run(repo, "--jobs", "3")
    assert [repo.read(f"t{n}.txt") for n in range(3)] == ["0\n2\n", "1\n2\n", "2\n2\n"]
    assert "at the same time" not in str(told), "it is known now"


def test_who_read_what_was_there_before_says_why_it_runs_again(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    old: dict[str, str | bytes] = {
        "mlpipe.yml": workflow(each("a", seconds=0.4)),
        "in": "1\n",
        ".gitignore": "*.txt\n",
    }
    repo.commit(old)
    run(repo)
    text = workflow(each("a", seconds=0.4), HIDDEN.format(before=0, after=0.8))
    repo.write(
        {"mlpipe.yml": text.replace("cat a.txt >", "(cat a.txt || echo old) >"), "in": "2\n"}
    )
    done = repo.mlpipe("run", "--jobs", "2")
    assert done.returncode == 0, done.stdout
    assert "hidden  it used a.txt, which a wrote at the same time" in done.stdout
    assert repo.read("hidden.txt") == "2\n"


FAILS = """
  - name: bad
    run: sleep 0.2; exit 3
    inputs: [in]
    outputs: [bad.txt]
"""


def test_after_a_failure_nothing_new_starts_and_what_runs_is_kept(repo: Repo) -> None:
    text = workflow(FAILS, each("long", seconds=0.8), each("next", "long.txt", 0))
    repo.commit({"mlpipe.yml": text, "in": "1\n"})
    told = run(repo, "--jobs", "2", code=1)
    assert statuses(told) == "bad:failed long:succeeded next:blocked"
    again = run(repo, "--jobs", "2", code=1)
    assert (again["bad"]["status"], again["long"]["status"]) == ("failed", "reused")


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_keep_going_runs_all_that_does_not_need_what_failed(repo: Repo, jobs: str) -> None:
    text = workflow(
        FAILS,
        each("needs", "bad.txt"),
        each("below", "needs.txt"),
        each("free", seconds=0),
        "  - name: report\n    run: echo $WHAT > report.txt\n    inputs: [in]\n"
        "    outputs: [report.txt]\n    if: failure()\n    env: {WHAT: 'a failure'}\n",
    )
    repo.commit({"mlpipe.yml": text, "in": "1\n"})
    told = run(repo, "--keep-going", "--jobs", jobs, code=1)
    wanted = "bad:failed needs:blocked below:blocked free:succeeded report:succeeded"
    assert statuses(told) == wanted
    assert told["below"]["reasons"] == ["bad did not succeed"]


MATRIX = """
  - name: train
    strategy: {{matrix: {{n: [1, 2]}}{more}}}
    run: if [ ${{{{ matrix.n }}}} = 1 ]; then sleep 0.3; exit 1; fi; sleep 20; echo 2 > m2
    inputs: [in]
    outputs: ["m${{{{ matrix.n }}}}"]
    timeout-minutes: 0.02
"""


@pytest.mark.parametrize(
    ("more", "wanted"), [("", "cancelled"), (", fail-fast: false", "timed-out")]
)
def test_fail_fast_ends_the_other_combinations(repo: Repo, more: str, wanted: str) -> None:
    repo.commit({"mlpipe.yml": workflow(MATRIX.format(more=more)), "in": "1\n"})
    told = run(repo, "--jobs", "2", code=1)
    assert statuses(told) == f"train-1:failed train-2:{wanted}"


def test_what_needs_a_combination_that_did_not_succeed_is_not_run(repo: Repo) -> None:
    """Its old output was put back, and is stale."""
    last = "  - {name: last, run: cp m2 last, inputs: [m2], outputs: [last]}\n"
    repo.commit({"mlpipe.yml": workflow(MATRIX.format(more=""), last), "in": "1\n"})
    repo.write({"m2": "old\n"})
    told = run(repo, "--jobs", "2", "--keep-going", code=1)
    assert statuses(told) == "train-1:failed train-2:timed-out last:blocked"
    assert repo.read("m2") == "old\n"


def test_what_a_failure_stopped_that_was_none_runs_after_all(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That `a` writes `side` is known only when it ends; until then `hidden` has failed."""
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    writes = each("a", seconds=0.5).replace("> a.txt", "> a.txt; echo x > side")
    hidden = HIDDEN.format(before=0, after=0).replace("cat a.txt", "cat side")
    repo.commit({"mlpipe.yml": workflow(writes, hidden, each("other", seconds=0)), "in": "1\n"})
    told = run(repo, "--jobs", "2")
    assert statuses(told) == "a:succeeded hidden:succeeded other:succeeded"
    assert repo.read("hidden.txt") == "x\n"


def test_who_was_done_before_what_it_reads_was_written_runs_again(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`long` goes first, as all that comes after it takes longer; it reads what `a` writes."""
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    one = "\n    resources: {gpus: 1}\n"
    text = workflow(
        each("a", seconds=0) + one,
        HIDDEN.format(before=0, after=0.5).replace("|| exit 1", "|| true") + one,
    )
    repo.commit({"mlpipe.yml": text, "in": "1\n", ".gitignore": "*.txt\n"})
    run(repo)  # now it is known how long they take; what it reads is forgotten below
    repo.git("clean", "-fdxq")
    state = sqlite3.connect(repo.root / ".git/mlpipe/state.db")
    with state:
        state.execute("UPDATE steps SET traced=NULL")
    state.close()
    repo.write({"in": "2\n"})
    run(repo, "--jobs", "2")
    assert repo.read("hidden.txt") == "2\n"


UNDECLARED = """
  - name: u
    run: cat s.txt > u.txt || echo none > u.txt
    inputs: [u.in]
    outputs: [u.txt]
"""


def test_a_result_that_rests_on_what_is_being_written_is_looked_at_again(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was reused at once, and `w` wrote what it had read for the first time now."""
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    writer = "  - {name: w, run: sh w.sh, inputs: [w.sh], outputs: [w.txt]}"
    text = workflow("\n", writer, UNDECLARED)
    old: dict[str, str | bytes] = {"mlpipe.yml": text, "u.in": "", "w.sh": "echo 1 > w.txt\n"}
    repo.commit(old | {"s.txt": "old\n", ".gitignore": "*.txt\n"})
    run(repo)
    repo.write({"w.sh": "sleep 0.5; echo new > s.txt; echo 2 > w.txt\n"})
    run(repo, "--jobs", "2")
    assert repo.read("u.txt") == "new\n"


def test_who_read_what_was_restored_beside_it_runs_again(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    slow = "  - {name: z, run: sleep 0.3; cat in > z.txt, inputs: [in], outputs: [z.txt]}\n"
    late = "  - {name: a, run: cat in z.txt > a.txt, inputs: [in, z.txt], outputs: [a.txt]}\n"
    reads = "  - {name: x, run: head -1 a.txt > x.txt; sleep 1, inputs: [x.in], outputs: [x.txt]}\n"
    repo.commit({"mlpipe.yml": workflow("\n", slow, late), "in": "1\n", "x.in": ""})
    run(repo)
    repo.write({"in": "2\n"})
    run(repo)
    repo.write({"in": "1\n", "mlpipe.yml": workflow("\n", slow, late, reads)})
    run(repo, "--force", "z", "--jobs", "3")
    assert repo.read("x.txt") == "1\n"


def test_two_that_write_one_file_end_as_in_the_listed_order(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    steps = [
        f"  - name: w{n}\n    run: sleep 0.{n}; echo {n} > both; cat in > w{n}.txt\n"
        f"    inputs: [in]\n    outputs: [w{n}.txt]\n"
        for n in (1, 4)
    ]
    repo.commit({"mlpipe.yml": workflow("\n", *steps), "in": "1\n"})
    run(repo, "--jobs", "2")
    assert repo.read("both") == "4\n"
    repo.write({"in": "2\n", "mlpipe.yml": workflow("\n", *reversed(steps))})
    run(repo, "--jobs", "2")
    assert repo.read("both") == "1\n"


def test_who_read_beside_it_what_an_attempt_wrote_that_failed_runs_again(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    flaky = """
  - name: flaky
    run: |
      if [ ! -e ../tried ]; then echo x > side; touch ../tried; sleep 0.5; exit 1; fi
      cat in > a.txt
    inputs: [in]
    outputs: [a.txt]
    retries: 1
"""
    wait = "while [ ! -e ../tried ]; do sleep 0.01; done"
    reads = (
        f"  - {{name: b, run: '{wait}; cat side > b.txt || true', inputs: [b.in], "
        "outputs: [b.txt]}\n"
    )
    repo.commit({"mlpipe.yml": workflow(flaky, reads), "in": "1\n", "b.in": ""})
    run(repo, "--jobs", "2")
    assert not (repo.root / "side").exists(), "the attempt that succeeded has not written it"
    assert repo.read("b.txt") == ""


def test_a_failure_that_was_none_ends_no_other_combination(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    writer = "  - {name: w, run: sleep 0.7; echo 1 > s; cat in > w, inputs: [in], outputs: [w]}\n"
    matrix = (
        "  - name: m\n    strategy: {matrix: {n: [1, 2]}}\n"
        "    run: if [ ${{ matrix.n }} = 1 ]; then cat s > m1; else sleep 1; cat in > m2; fi\n"
        '    inputs: [in]\n    outputs: ["m${{ matrix.n }}"]\n'
    )
    repo.commit({"mlpipe.yml": workflow("\n", writer, matrix), "in": "1\n"})
    told = run(repo, "--jobs", "3")
    assert statuses(told) == "w:succeeded m-1:succeeded m-2:succeeded"


def test_a_step_that_is_tried_again_does_not_stop_the_others(repo: Repo) -> None:
    again = """
  - name: flaky
    run: |
      [ -e ../tried ] || { touch ../tried; exit 1; }
      for i in $(seq 600); do [ -e b.txt ] && break; sleep 0.1; done
      [ -e b.txt ] && cat in > flaky.txt
    inputs: [in]
    outputs: [flaky.txt]
    retries: 1
"""
    a = each("a").replace("sleep 0.4", "until [ -e ../tried ]; do sleep 0.02; done")
    repo.commit({"mlpipe.yml": workflow(again, a, each("b", "a.txt", 0)), "in": "1\n"})
    told = run(repo, "--jobs", "2")
    assert statuses(told) == "flaky:succeeded a:succeeded b:succeeded"
    assert told["flaky"]["attempts"] == 2, "b began and ended between the failure and its success"


@pytest.mark.parametrize("jobs", ["0", "-1", "many", ""])
def test_a_number_of_jobs_that_is_none_is_refused(repo: Repo, jobs: str) -> None:
    repo.commit({"mlpipe.yml": workflow(each("a")), "in": "1\n"})
    done = repo.mlpipe("run", f"--jobs={jobs}", code=2)
    assert "it must be a number above 0, or auto" in done.stderr


def test_lines_of_steps_at_once_say_whose_they_are(repo: Repo) -> None:
    steps = [
        f"  - name: p{n}\n    run: for i in $(seq 50); do echo $i {n}; done; printf 'half {n}'\n"
        f"    inputs: [in]\n    outputs: [p{n}]\n    continue-on-error: true\n"
        for n in range(2)
    ]
    repo.commit({"mlpipe.yml": workflow("\n", *steps), "in": "1\n"})
    out = repo.mlpipe("run", "--jobs", "2").stdout.splitlines()
    for n in range(2):
        mine = [line for line in out if line.startswith(f"p{n} │ ")]
        assert mine == [f"p{n} │ {i} {n}" for i in range(1, 51)] + [f"p{n} │ half {n}"]


def test_in_github_actions_the_output_of_a_step_stays_together(repo: Repo) -> None:
    steps = [
        f"  - name: p{n}\n    run: for i in 1 2 3; do echo ::error::$i {n}; sleep 0.1; done\n"
        f"    inputs: [in]\n    metrics: []\n    cache: true\n"
        for n in range(2)
    ]
    repo.commit({"mlpipe.yml": workflow("\n", *steps), "in": "1\n"})
    out = repo.mlpipe("run", "--jobs", "2", GITHUB_ACTIONS="true").stdout
    for n in range(2):
        group = out.partition(f"::group::p{n}\n::stop-commands::")[2]
        token, _, rest = group.partition("\n")
        inner = rest.partition(f"\n::{token}::")[0]
        assert inner.split() == " ".join(f"::error::{i} {n}" for i in (1, 2, 3)).split()


def test_the_environment_has_no_more_than_before(repo: Repo, tmp_path: Path) -> None:
    """Where nobody asks for GPUs, a step at once has the variables that it has alone."""
    step = "  - name: e\n    run: env | cut -d= -f1 | sort > e.txt\n    inputs: [in]\n"
    repo.commit({"mlpipe.yml": workflow("\n", step + "    outputs: [e.txt]\n"), "in": "1\n"})
    run(repo)
    alone = repo.read("e.txt")
    run(repo, "--jobs", "2", "--force")
    assert repo.read("e.txt") == alone
    assert os.environ.get("CUDA_VISIBLE_DEVICES") is None or "CUDA" in alone
