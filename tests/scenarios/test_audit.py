"""`mlpipe audit`: what is reused is what would be made; if not, what differs, how, and why."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mlpipe_ci.cache.codec import decode_result, encode_result
from mlpipe_ci.cache.store import Store
from tests.support.logged_steps import Lab, step
from tests.support.repository import ROOT, Repo
from tests.support.schemas import schema


@pytest.fixture
def lab(repo: Repo) -> Lab:
    return Lab(repo)


def audited(lab: Lab, *arguments: str, code: int, **env: str) -> dict[str, Any]:
    """The audit as JSON."""
    done = lab.mlpipe("audit", "--json", *arguments, code=code, **env)
    report: dict[str, Any] = json.loads(done.stdout)
    Draft202012Validator(schema("audit")).validate(report)
    return report


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["verdict"] for one in report["steps"]}


def only_difference(report: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in report["steps"] if one["name"] == name]
    assert found["verdict"] == "different"
    (difference,) = found["differences"]
    return dict(difference)


def copies() -> list[Path]:
    """Copies of work trees that are there."""
    return list(Path(os.environ["MLPIPE_CACHE_DIR"]).glob("v1/audits/*"))


def tree(repo: Repo) -> dict[str, tuple[bytes, int]]:
    """All files of a work tree with their times, but for git's."""
    found = (path for path in repo.root.rglob("*") if path.is_file())
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in found
        if ".git/" not in str(path.relative_to(repo.root)) + "/"
    }


def python(code: str) -> str:
    return f"{sys.executable} - <<'END'\n{code}\nEND"


SORT = step("sort", "sort raw > sorted", "raw", "sorted")
COUNT = step("count", "wc -l < sorted > counted", "sorted", "counted")


# -- green ------------------------------------------------------------------------------------


def test_steps_that_make_the_same_again_are_identical(lab: Lab) -> None:
    lab.start(SORT, COUNT)
    lab.ran()
    before = tree(lab.repo)
    report = audited(lab, code=0)
    assert verdicts(report) == {"sort": "identical", "count": "identical"}
    assert (report["passed"], report["audited"], report["identical"]) == (True, 2, 2)
    assert tree(lab.repo) == before
    assert copies() == []
    assert lab.ran() == []
    assert " s ago: 2 of 2 identical" in lab.said


def test_the_report_of_a_run_has_the_line_in_each_form(lab: Lab) -> None:
    lab.start(SORT, COUNT)
    lab.ran()
    audited(lab, "sort", code=0)
    lab.ran("--report", "r.md", "--report", "r.html", "--report", "r.json")
    for name in ("r.md", "r.html"):
        assert "ago: 1 of 2 identical; 1 not audited yet" in lab.repo.read(name)
    report = json.loads(lab.repo.read("r.json"))
    Draft202012Validator(schema("report")).validate(report)
    by_name = {one["name"]: one for one in report["steps"]}
    assert by_name["sort"]["audited"]["identical"] is True
    assert "audited" not in by_name["count"]


def test_that_it_was_audited_goes_to_the_remote_cache(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.start(SORT, COUNT, cache={"remote": f"file://{tmp_path}/remote"})
    lab.ran("--push")
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"repository": {"full_name": "o/r", "default_branch": "main"}}))
    runner = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "schedule",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_SHA": lab.repo.git("rev-parse", "HEAD"),
    }
    for name in ("one", "two"):
        lab.repo.git("clone", "-q", str(lab.repo.root), str(tmp_path / name))
    one, two = (Lab(Repo(tmp_path / name)) for name in ("one", "two"))
    for name, value in runner.items():
        monkeypatch.setenv(name, value)
    one.mlpipe("audit", MLPIPE_CACHE_DIR=str(tmp_path / "cache one"))
    said = two.mlpipe("run", MLPIPE_CACHE_DIR=str(tmp_path / "cache two")).stdout
    assert "ago: 2 of 2 identical" in said


def test_a_result_that_was_made_anew_was_not_audited(lab: Lab) -> None:
    lab.start(SORT)
    lab.ran()
    audited(lab, code=0)
    lab.ran("--force", "sort")
    lab.ran()
    assert "audited" not in lab.said


def test_edits_that_are_not_committed_and_ignored_inputs_are_in_the_copy(lab: Lab) -> None:
    use = step("use", "cat data/*.csv new.txt raw > used", "data/*.csv new.txt raw", "used")
    lab.start(use)
    lab.repo.write({".gitignore": "used\ndata/\n", "data/a.csv": "1\n", "new.txt": "n\n"})
    lab.repo.write({"raw": "edited\n"})
    lab.ran()
    assert verdicts(audited(lab, code=0)) == {"use": "identical"}


def test_each_step_gets_what_the_results_say_and_not_what_lies_there(lab: Lab) -> None:
    """Outputs that were edited, or deleted, are those of the results in the copy."""
    lab.start(SORT, COUNT)
    lab.ran()
    lab.repo.write({"sorted": "edited\nby\nhand\n"})
    (lab.repo.root / "counted").unlink()
    assert verdicts(audited(lab, code=0)) == {"sort": "identical", "count": "identical"}
    assert lab.repo.read("sorted") == "edited\nby\nhand\n"


def test_steps_that_declare_nothing_are_audited_with_what_was_seen(lab: Lab) -> None:
    one = step("one", "mkdir -p made; cat raw ignored/x > made/one")
    two = step("two", "cat made/one > two")
    lab.start(one, two)
    lab.repo.write({".gitignore": "made\ntwo\nignored\n", "ignored/x": "x\n"})
    lab.repo.commit()
    lab.mlpipe("run", MLPIPE_TRACER="auto")
    assert "nothing new" in lab.mlpipe("run", MLPIPE_TRACER="auto").stdout
    report = audited(lab, code=0, MLPIPE_TRACER="auto")
    assert verdicts(report) == {"one": "identical", "two": "identical"}


def test_an_if_and_an_earlier_step_do_not_keep_a_step_from_being_audited(lab: Lab) -> None:
    measure = step("measure", "echo '{\"auc\": 0.9}' > m.json", "raw", metrics=["m.json"])
    good = step("good", "cat raw > good", "raw", "good")
    lab.start(measure, good | {"if": "steps.measure.metrics.auc > 0.5"})
    lab.repo.write({".gitignore": "good\nm.json\n"})
    lab.repo.commit()
    lab.ran()
    assert verdicts(audited(lab, code=0)) == {"measure": "identical", "good": "identical"}


def test_from_below_the_root_with_another_file_and_params(lab: Lab) -> None:
    text = json.dumps(
        {
            "params": {"rate": 1},
            "steps": [
                {
                    "name": "use",
                    "working-directory": "sub",
                    "inputs": ["sub/raw"],
                    "outputs": ["out/"],
                }
                | {
                    "run": "mkdir -p ../out/empty; cat raw > ../out/x; "
                    "echo ${{ params.rate }} >> ../out/x; chmod 750 ../out/x; ln -s x ../out/link"
                }
            ],
        }
    )
    lab.repo.commit({"sub/flow.yml": text, "sub/raw": "1\n", ".gitignore": "out\n"})
    words = ("-C", "sub", "--file", "flow.yml", "--set", "rate=5")
    lab.mlpipe("run", *words)
    report = audited(lab, *words, code=0)
    assert report["steps"][0]["outputs"] == 3
    assert lab.mlpipe("verify", *words).stdout.count("verified") >= 1
    lab.mlpipe("verify", *words[:-2], code=1)
    lab.mlpipe("audit", *words[:-2], code=1)


def test_without_git(tmp_path: Path) -> None:
    root = tmp_path / "plain"
    root.mkdir()
    lab = Lab(Repo(root))
    lab.file(SORT)
    lab.repo.write({"raw": "b\na\n"})
    lab.ran()
    assert verdicts(audited(lab, code=0)) == {"sort": "identical"}


def test_in_a_linked_work_tree_and_a_shallow_clone(lab: Lab, tmp_path: Path) -> None:
    asks = step(
        "asks", "git rev-parse HEAD; git status --porcelain; cat raw > asked", "raw", "asked"
    )
    lab.start(asks)
    lab.repo.commit({"raw": "2\n"})
    lab.repo.git("worktree", "add", "-q", str(tmp_path / "linked"))
    url = f"file://{lab.repo.root}"
    lab.repo.git("clone", "-q", "--depth", "1", url, str(tmp_path / "shallow"))
    for name in ("linked", "shallow"):
        other = Lab(Repo(tmp_path / name))
        other.ran()
        assert verdicts(audited(other, code=0)) == {"asks": "identical"}


def test_a_step_that_is_watched_asks_git(lab: Lab) -> None:
    lab.start(step("one", "cat raw > one", "raw", "one"), step("asks", "git log -1 > asked"))
    lab.repo.commit({".gitignore": "one\nasked\n"})
    lab.mlpipe("run", MLPIPE_TRACER="auto")
    report = audited(lab, code=0, MLPIPE_TRACER="auto")
    assert verdicts(report) == {"one": "identical", "asks": "identical"}


def test_what_a_step_does_to_git_is_not_there_for_the_next(lab: Lab) -> None:
    """Nor in the clone itself."""
    commits = "git add -f raw; git -c user.name=a -c user.email=a@e.x commit -q --allow-empty -m x"
    lab.start(
        step("commits", f"{commits}; git tag here; cat raw > one", "raw", "one"),
        step("asks", "git log -1 --format=%s > asked; git tag >> asked", "raw", "asked"),
    )
    lab.ran("asks", "--only")
    head = lab.repo.git("rev-parse", "HEAD")
    lab.ran("commits", "--only")
    lab.repo.git("tag", "-d", "here")
    lab.repo.git("reset", "-q", "--hard", head)
    report = audited(lab, code=0)
    assert verdicts(report) == {"commits": "identical", "asks": "identical"}
    assert lab.repo.git("rev-parse", "HEAD") == head
    assert lab.repo.git("tag") == ""


def test_an_editable_install_reads_the_work_tree_and_that_is_noted(lab: Lab) -> None:
    """Environments are linked, so what they point at is there."""
    lab.start(files="raw")
    venv.create(lab.repo.root / ".venv")
    (site,) = (lab.repo.root / ".venv").glob("lib/*/site-packages")
    (site / "pkg.pth").write_text(f"{lab.repo.root}/src\n")
    lab.file(step("use", ".venv/bin/python use.py"))
    use = "import pkg; open('out', 'w').write(pkg.X)"
    ignore = ".venv\n__pycache__\nout\n"
    lab.repo.commit({"use.py": use, "src/pkg.py": "X = '1'\n", ".gitignore": ignore})
    lab.mlpipe("run", MLPIPE_TRACER="auto")
    (found,) = audited(lab, code=0, MLPIPE_TRACER="auto")["steps"]
    assert found["verdict"] == "identical"
    assert [note[:42] for note in found["notes"]] == ["it read src/pkg.py of the work tree itself"]


# -- red --------------------------------------------------------------------------------------


def test_a_shuffle_without_a_seed(lab: Lab) -> None:
    code = """
import random
rows = [line.strip() for line in open("raw")]
random.shuffle(rows)
with open("shuffled.csv", "w") as file:
    file.write("name\\n" + "".join(f"{row}\\n" for row in rows))
"""
    lab.start(step("shuffle", python(code), "raw", "shuffled.csv"))
    lab.repo.write({"raw": "".join(f"{n}\n" for n in range(50))})
    lab.ran()
    found = only_difference(audited(lab, code=1), "shuffle")
    assert found["path"] == "shuffled.csv"
    assert "column 1 (name)" in found["how"]
    assert "the same rows in another order" in found["how"]
    assert len(found["causes"]) == 1
    assert "without a seed" in found["causes"][0]
    lab.ran()
    assert "0 of 1 identical; shuffle was not" in lab.said


def test_a_time_stamp_in_a_pickle(lab: Lab) -> None:
    code = """
import datetime, pickle
with open("m.pkl", "wb") as file:
    pickle.dump({"weights": [1.5], "created": datetime.datetime.now()}, file)
"""
    lab.start(step("train", python(code), "raw", "m.pkl"))
    lab.ran()
    time.sleep(1.1)  # the stamp is shown in seconds
    found = only_difference(audited(lab, code=1), "train")
    assert "the time of the run is in it" in found["causes"][0]
    assert any("with the clock fixed" in cause for cause in found["causes"])


def test_metadata_of_a_png(lab: Lab) -> None:
    code = """
import struct, time, zlib
def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
with open("plot.png", "wb") as file:
    head = struct.pack(">IIBBBBB", 2, 1, 8, 0, 0, 0, 0)
    file.write(b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", head))
    file.write(chunk(b"tEXt", b"Creation Time\\0" + time.ctime().encode()))
    file.write(chunk(b"IDAT", zlib.compress(b"\\0\\x10\\x20")) + chunk(b"IEND", b""))
"""
    lab.start(step("plot", python(code), "raw", "plot.png"))
    lab.ran()
    time.sleep(1.1)  # the stamp has seconds
    found = only_difference(audited(lab, code=1), "plot")
    assert found["how"].startswith("all pixels are equal; only metadata differ: tEXt Creation Time")
    assert "the time of the run is in it" in found["causes"][0]


def plant(content: str) -> None:
    """Let the only result say that its output has this content."""
    cache = Path(os.environ["MLPIPE_CACHE_DIR"])
    (path,) = cache.glob("v1/results/*/*/*/*.json")
    result = decode_result(path.read_bytes())
    assert result is not None
    (output,) = result.outputs
    (cache / "planted").write_text(content)
    digest, size = Store(cache).save(cache / "planted")
    changed = replace(result, outputs=(replace(output, digest=digest, size=size),))
    path.unlink()
    path.write_bytes(encode_result(changed))


def test_a_stale_result_that_was_planted(lab: Lab) -> None:
    lab.start(SORT)
    lab.ran()
    plant("stale\n")
    assert lab.ran() == []
    found = only_difference(audited(lab, code=1), "sort")
    assert "line 1: stale → raw" in found["how"]
    assert "is not what this step makes" in found["causes"][0]


def test_a_stale_result_as_an_input_is_not_declared_and_not_watched(lab: Lab) -> None:
    lab.start(step("use", "cat raw helper > used", "raw", "used"), files="raw helper other")
    lab.ran()
    lab.repo.commit({"helper": "edited\n", "unrelated": "1\n"})
    assert lab.ran() == []  # nothing watches it here, so it goes stale
    found = only_difference(audited(lab, code=1, MLPIPE_TRACER="auto"), "use")
    assert "it reads helper, changed since" in found["causes"][0]
    unwatched = only_difference(audited(lab, code=1), "use")
    assert "these changed since: " in unwatched["causes"][0]
    assert "helper" in unwatched["causes"][0]


def test_two_causes_at_once_and_none(lab: Lab) -> None:
    both = "import random, time; open('both', 'w').write(f'{time.time()} {random.random()}')"
    pid = "import os; open('pid', 'w').write(str(os.getpid()))"
    lab.start(
        step("both", python(both), "raw", "both"),
        step("pid", python(pid), "raw", "pid"),
    )
    lab.ran()
    report = audited(lab, code=1)
    assert any("more than one of" in cause for cause in only_difference(report, "both")["causes"])
    assert "a process id" in only_difference(report, "pid")["causes"][-1]


def test_an_order_of_hashes(lab: Lab) -> None:
    code = "open('names', 'w').write(' '.join({str(n) for n in range(50)}))"
    lab.start(step("hash", python(code), "raw", "names", env={"PYTHONHASHSEED": "random"}))
    lab.ran()
    assert "PYTHONHASHSEED=0" in only_difference(audited(lab, code=1), "hash")["causes"][0]


def test_the_path_of_the_clone_in_an_output(lab: Lab) -> None:
    lab.start(step("where", "pwd > where", "raw", "where"))
    lab.ran()
    found = only_difference(audited(lab, code=1), "where")
    assert found["causes"] == ["the absolute path of the work tree is in it; write relative paths"]


def test_metrics_within_a_tolerance(lab: Lab) -> None:
    code = (
        "import json, random; "
        "json.dump({'auc': 0.9 * (1 + random.random() * 1e-12)}, open('m.json', 'w'))"
    )
    lab.start(step("m", python(code), "raw", metrics=["m.json"]))
    lab.repo.write({".gitignore": "m.json\n"})
    lab.ran()
    found = only_difference(audited(lab, code=1), "m")
    assert "key auc: 0.9" in found["how"]
    assert audited(lab, "--tolerance", "1e-9", code=0)["tolerance"] == 1e-9
    said = lab.mlpipe("audit", "--tolerance", "1e-9").stdout
    assert "numbers in metrics may differ by 1e-09 of their value" in said


def test_outputs_that_come_or_go_and_bits(lab: Lab) -> None:
    come = 'if [ -e /tmp ]; then mkdir -p out; echo 1 > "out/$(date +%N)"; fi'
    bits = "echo 1 > run.sh; chmod 7$((RANDOM % 8))0 run.sh"
    lab.start(step("come", come, "raw", "out/"), step("bits", bits, "raw", "run.sh"))
    lab.ran()
    report = audited(lab, "come", code=1)
    (found,) = report["steps"]
    assert {one["how"] for one in found["differences"]} == {
        "it was not written",
        "it was written, and the result has none",
    }


# -- left out, and not possible -----------------------------------------------------------------


def test_what_is_left_out_and_why(lab: Lab) -> None:
    lab.start(
        SORT,
        step("deploy", "cat sorted > deployed", "sorted", "deployed", cache=False),
        step("secret", "cat raw > s", "raw", "s", env={"T": "${{ secrets.TOKEN }}"}),
        step("quiet", "cat raw", "raw"),
        step("never", "cat raw > n", "raw", "n") | {"if": "failure()"},
    )
    lab.ran(TOKEN="a secret value")
    report = audited(lab, code=0, TOKEN="a secret value")
    assert verdicts(report) == {
        "sort": "identical",
        **dict.fromkeys(("deploy", "secret", "quiet", "never"), "left-out"),
    }
    why = {one["name"]: one["why"] for one in report["steps"]}
    assert why["deploy"].startswith("cache: false")
    assert "secrets" in why["secret"]
    assert why["quiet"] == "its result has no outputs to compare"
    assert "skip" in why["never"]
    named = audited(lab, "secret", code=0, TOKEN="a secret value")
    assert verdicts(named) == {"secret": "identical"}
    lab.log.write_text("")
    audited(lab, code=0, TOKEN="a secret value")
    assert lab.log.read_text().split() == ["sort"]


def test_nothing_to_audit_is_no_proof(lab: Lab) -> None:
    lab.start(SORT)
    report = audited(lab, code=1)
    assert verdicts(report) == {"sort": "left-out"}
    assert "no result yet" in report["steps"][0]["why"]
    assert "nothing was audited" in lab.mlpipe("audit", code=1).stdout


def test_a_step_that_names_the_path_of_the_clone_is_not_run(lab: Lab) -> None:
    root = lab.repo.root
    script = f"# reads\nx = open('{root}/raw').read()\nopen('{root}/made', 'w').write(x)\n"
    lab.start(step("fixed", f"{sys.executable} make.py", "make.py raw", "made"))
    lab.repo.commit({"make.py": script})
    lab.ran()
    lab.log.write_text("")
    report = audited(lab, code=1)
    (found,) = report["steps"]
    assert found["verdict"] == "failed"
    assert "make.py:2" in found["why"]
    assert lab.log.read_text() == ""


def test_also_in_a_script_that_nothing_says_it_reads(lab: Lab) -> None:
    """Nothing watches it, and its inputs do not name the script."""
    lab.start(step("fixed", "sh make.sh", "raw", "made"))
    script = f"cat raw > made\ncp raw '{lab.repo.root}/made'\n"
    lab.repo.commit({"make.sh": script, "README.md": f"made in {lab.repo.root}\n"})
    lab.ran()
    lab.log.write_text("")
    (found,) = audited(lab, code=1)["steps"]
    assert "make.sh:2" in found["why"]
    assert lab.log.read_text() == ""


def test_a_step_after_one_that_runs_has_no_result_yet(lab: Lab) -> None:
    lab.start(
        step("always", "cat raw > a", "raw", "a", cache=False),
        SORT,
        step("b", "cat a > b", "a", "b"),
    )
    lab.ran()
    report = audited(lab, code=0)
    assert verdicts(report) == {"always": "left-out", "sort": "identical", "b": "left-out"}
    assert "not known yet" in report["steps"][2]["why"]


def test_a_step_that_writes_into_the_work_tree(lab: Lab) -> None:
    lab.start(step("sly", 'cat raw > made; date +%N > "$AT/note"', "raw", "made"), files="raw note")
    lab.ran(AT=".")
    aside = lab.repo.root.parent / "elsewhere"
    aside.symlink_to(lab.repo.root)
    lab.mlpipe("run", AT=str(aside))
    report = audited(lab, code=1, AT=str(aside))
    (found,) = report["steps"]
    assert found["verdict"] == "failed"
    assert "note changed in the work tree" in found["why"]


def test_what_is_written_elsewhere_is_named(lab: Lab) -> None:
    """Temporary directories are nobody's, so this one is not in them."""
    place = ROOT / "build" / f"outside-{os.getpid()}"
    place.mkdir(parents=True)
    try:
        lab.start(step("out", f"cat raw > made; cat raw > '{place}/x'", "raw", "made"))
        lab.mlpipe("run", MLPIPE_TRACER="auto")
        report = audited(lab, code=0, MLPIPE_TRACER="auto")
        assert verdicts(report) == {"out": "identical"}
        assert report["steps"][0]["notes"] == [f"it wrote outside of the copy: {place}/x"]
    finally:
        shutil.rmtree(place)


def test_a_command_that_fails_in_the_copy(lab: Lab) -> None:
    lab.start(step("needs", "cat raw hidden > made", "raw", "made"))
    lab.repo.write({".gitignore": "made\nhidden\n", "hidden": "1\n"})
    lab.ran()
    report = audited(lab, code=1)
    (found,) = report["steps"]
    assert found["verdict"] == "failed"
    assert "exit code 1" in found["why"]
    assert any("hidden" in line for line in found["log_tail"])


def test_a_stored_content_that_is_gone_or_damaged(lab: Lab) -> None:
    lab.start(SORT, COUNT)
    lab.ran()
    for path in Path(os.environ["MLPIPE_CACHE_DIR"]).glob("v1/objects/*/*"):
        path.chmod(0o600)
        path.write_bytes(b"x" * path.stat().st_size)
    (lab.repo.root / "sorted").unlink()
    report = audited(lab, code=1)
    found = {one["name"]: one for one in report["steps"]}
    assert found["sort"]["verdict"] == "identical"  # by its digest
    assert found["count"]["verdict"] == "failed"
    assert "cannot be run again" in found["count"]["why"]


def test_a_huge_file_is_compared_and_not_looked_into(lab: Lab) -> None:
    code = (
        "import random; file = open('huge.csv', 'wb'); file.truncate(300 << 20); "
        "file.write(b'%d' % random.randrange(10**9, 10**10))"
    )
    lab.start(step("huge", python(code), "raw", "huge.csv"))
    lab.ran()
    found = only_difference(audited(lab, "--budget", "20m", code=1), "huge")
    assert "first differing byte at offset" in found["how"]
    assert "larger than 256 MiB" in found["how"]


# -- which, and how long ------------------------------------------------------------------------


def test_a_sample_takes_what_was_never_audited_and_then_the_oldest(lab: Lab) -> None:
    names = ["a", "b", "c"]
    lab.start(*(step(n, f"cat raw > {n}.out", "raw", f"{n}.out") for n in names))
    lab.ran()
    taken = []
    for _ in range(6):
        report = audited(lab, "--sample", "1", code=0)
        (one,) = [name for name, verdict in verdicts(report).items() if verdict == "identical"]
        taken.append(one)
    assert sorted(taken[:3]) == names
    assert taken[3:] == taken[:3]
    why = {one["why"] for one in report["steps"] if one["verdict"] == "left-out"}
    assert why == {"not in this sample"}


def test_a_budget_holds_what_fits(lab: Lab) -> None:
    lab.start(step("slow", "sleep 1.2; cat raw > slow", "raw", "slow"), SORT)
    lab.ran()
    report = audited(lab, "--budget", "1s", code=0)
    assert verdicts(report) == {"slow": "left-out", "sort": "identical"}
    assert "budget" in report["steps"][0]["why"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sample", "0"), "above 0"),
        (("--budget", "soon"), "30m"),
        (("--tolerance", "2"), "from 0 to 1"),
        (("--sample", "1", "sort"), "--sample chooses steps by itself"),
        (("srot",), "did you mean 'sort'"),
    ],
)
def test_a_command_line_that_is_wrong(lab: Lab, arguments: tuple[str, ...], said: str) -> None:
    lab.start(SORT)
    assert said in lab.mlpipe("audit", *arguments, code=2).stderr


# -- what may happen meanwhile --------------------------------------------------------------------


def started(lab: Lab, marker: Path) -> subprocess.Popen[bytes]:
    """An audit whose step has begun."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mlpipe_ci", "audit"],
        cwd=lab.repo.root,
        env=os.environ | {"RUNS": str(lab.log)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(marker.exists)
    return process


def wait_for(condition: Any) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that in 30 s")


@pytest.fixture
def long_audit(lab: Lab) -> Iterator[tuple[Lab, subprocess.Popen[bytes]]]:
    """An audit in the middle of its only step, which waits as long as a file is there."""
    marker, hold = lab.repo.root.parent / "began", lab.repo.root.parent / "hold"
    wait = f"[ -e '{hold}' ] && touch '{marker}'; while [ -e '{hold}' ]; do sleep 0.1; done"
    lab.start(step("long", f"{wait}\ncat raw > made", "raw", "made"))
    lab.ran()
    hold.touch()
    process = started(lab, marker)
    yield lab, process
    hold.unlink()
    process.kill()
    process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_audit_that_is_ended_leaves_nothing_behind(
    long_audit: tuple[Lab, subprocess.Popen[bytes]], number: signal.Signals
) -> None:
    lab, process = long_audit
    assert len(copies()) == 1
    process.send_signal(number)
    code = process.wait(30)
    assert code == (-number if number is signal.SIGKILL else 130)
    wait_for(lambda: copies() == [])
    assert lab.repo.read("made") == "raw\n"


def test_what_is_left_of_an_audit_is_removed_by_the_next(lab: Lab) -> None:
    lab.start(SORT)
    lab.ran()
    left = Path(os.environ["MLPIPE_CACHE_DIR"]) / "v1/audits/audit-left/work"
    left.mkdir(parents=True)
    (left.parent / "lock").touch()
    audited(lab, code=0)
    assert copies() == []


def test_two_audits_and_a_run_at_once(long_audit: tuple[Lab, subprocess.Popen[bytes]]) -> None:
    lab, process = long_audit
    other = subprocess.Popen(
        [sys.executable, "-m", "mlpipe_ci", "audit", "-q"],
        cwd=lab.repo.root,
        env=os.environ | {"RUNS": str(lab.log)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: len(copies()) == 2)
    assert "nothing new" in lab.mlpipe("run").stdout  # nobody waits for an audit
    (lab.repo.root.parent / "hold").rename(lab.repo.root.parent / "let go")
    assert process.wait(30) == 0
    assert b"1 of 1 identical" in other.communicate(timeout=30)[0]
    assert copies() == []
    (lab.repo.root.parent / "hold").touch()


@pytest.mark.skipif(
    os.geteuid() == 0 and not shutil.which("unshare"), reason="root writes anywhere"
)
def test_a_cache_on_a_disk_that_cannot_be_written(lab: Lab, tmp_path: Path) -> None:
    """The copy goes to the directory for temporary files; that it was audited is not kept."""
    lab.start(SORT)
    lab.ran()
    cache, room = os.environ["MLPIPE_CACHE_DIR"], tmp_path / "room"
    room.mkdir()
    command = [sys.executable, "-m", "mlpipe_ci", "audit"]
    script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
    words = ["unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh", cache, *command]
    with suppress(FileNotFoundError):
        done = subprocess.run(
            words,
            cwd=lab.repo.root,
            env=os.environ | {"TMPDIR": str(room), "RUNS": str(lab.log)},
            capture_output=True,
            text=True,
            check=False,
        )
        if "unshare" in done.stderr or "mount:" in done.stderr:
            pytest.skip("no mount namespace may be made here")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "1 of 1 identical" in done.stdout
        assert "that it was audited was not kept" in done.stderr
        assert list(room.iterdir()) == []


def test_a_fresh_clone_without_anything_made(lab: Lab, tmp_path: Path) -> None:
    """Results come from the cache alone, as on a schedule."""
    lab.start(SORT, COUNT)
    lab.ran()
    lab.repo.git("clone", "-q", str(lab.repo.root), str(tmp_path / "clone"))
    clone = Lab(Repo(tmp_path / "clone"))
    assert verdicts(audited(clone, code=0)) == {"sort": "identical", "count": "identical"}
    assert not (clone.repo.root / "sorted").exists()
    lab.ran()
    assert "2 of 2 identical" in lab.said


@pytest.mark.slow
def test_the_example_is_green(repo: Repo) -> None:
    shutil.copytree(ROOT / "examples/fraud-detection", repo.root, dirs_exist_ok=True)
    repo.commit()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    repo.mlpipe("run", PATH=path)
    done = repo.mlpipe("audit", "--json", PATH=path)
    report = json.loads(done.stdout)
    assert (report["passed"], report["audited"]) == (True, 13)
