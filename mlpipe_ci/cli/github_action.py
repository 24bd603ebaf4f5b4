"""The GitHub action's inputs as a command line, and its outputs.

With `close` as its argument it only closes a commit status that a killed run left open.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from mlpipe_ci.ci.github.publisher import close_open
from mlpipe_ci.ci.github.runner import repository_of, set_outputs, temporary_directory
from mlpipe_ci.ci.github.workflow_commands import error
from mlpipe_ci.cli.main import main
from mlpipe_ci.core.settings import INPUT_PREFIX, PACK, TOKEN

FLAGS = {"cache": "true", "submodules": "false", "allow_untrusted": "false"}
"""Inputs that are true or false, and what they are if they are not given."""
OPTIONS = ("submodules", "allow_untrusted")
"""Those that are options of a command."""
MODES = ("run", "plan", "report")
OF_PLAN = ("file", "base", "force")
OF_RUN = (*OF_PLAN, "outputs", "jobs", "comment", "status", "label")
MOST_REPORTS = 256
"""Reports of one run that are posted: a matrix has so many jobs at most."""
MOST_LABEL = 100
MOST_NAME = 60
"""Characters of a label, and of what a job and its label give to the name of an artifact."""
OLD_COMMENT = {"true": "always", "false": "never"}
TOKEN_DESCRIPTOR = 3
"""The token comes through a descriptor: what mlpipe's environment holds when it is started, each
step could read from /proc."""
NOT_IN = {("plan", "allow_untrusted")}
PLOTS = Path(__file__).resolve().parents[2] / "action" / "plots.txt"
RAN = ("succeeded", "failed", "timed-out", "cancelled")


def command_line(env: MutableMapping[str, str]) -> list[str]:
    """Take the inputs out of the environment (no step shall see them). Raises ValueError."""
    artifact = artifact_name(env)
    inputs = {
        name.removeprefix(INPUT_PREFIX).lower(): env.pop(name).strip()
        for name in sorted(env)
        if name.startswith(INPUT_PREFIX)
    }
    flags = {name: _flag(inputs, name, default) for name, default in FLAGS.items()}
    mode = inputs.get("mode") or "run"
    if mode not in MODES:
        raise ValueError(f"input mode is '{mode}'; it must be {', '.join(MODES)}")
    if mode == "report":
        return ["report", "--post", *map(str, _downloaded(env))]
    words = [mode, "-C", inputs.get("working_directory") or "."]
    words += [f"--{n.replace('_', '-')}" for n in OPTIONS if flags[n] and (mode, n) not in NOT_IN]
    words.append(f"--report={report_file(env)}")
    inputs["label"] = inputs.get("label") or label_of(inputs.get("matrix", ""))
    if mode == "run" and (page := page_file(env, artifact)):
        words += [f"--html={page}", f"--notebooks={_notebooks(env)}"]
    if flags["cache"]:
        env[PACK] = str(_pack(env))
    inputs["comment"] = OLD_COMMENT.get(inputs.get("comment", ""), inputs.get("comment", ""))
    values = OF_RUN if mode == "run" else OF_PLAN
    words += [f"--{name}={inputs[name]}" for name in values if inputs.get(name)]
    return [*words, "--", *inputs.get("steps", "").split()]


def report_file(env: Mapping[str, str]) -> Path:
    """Where the run's report is, for the steps of action.yml that follow."""
    return _temporary(env) / "mlpipe-report.json"


def label_of(matrix: str) -> str:
    """The values of a matrix in a line, `os=linux, seed=1`; empty if it is none."""
    try:
        values = json.loads(matrix or "null")
    except ValueError:
        return ""
    if not isinstance(values, dict):
        return ""
    label = ", ".join(f"{name}={_value(value)}" for name, value in values.items())
    if len(label) <= MOST_LABEL:
        return label
    return f"{label[: MOST_LABEL - 10]}… {_digest(label)}"


def _value(value: object) -> str:
    plain = isinstance(value, str) and re.fullmatch(r"[\w./+-]+", value)
    return str(value) if plain else json.dumps(value)


def artifact_name(env: Mapping[str, str]) -> str:
    """What the names of this job's artifacts begin with; empty if none is wanted.

    A run of GitHub's takes no two of one name, so job and label are in it.
    """
    artifact, label, matrix = (
        env.get(f"{INPUT_PREFIX}{name}", "").strip() for name in ("ARTIFACT", "LABEL", "MATRIX")
    )
    label = (label or label_of(matrix)).replace(", ", "-")
    names = [name for name in (env.get("GITHUB_JOB", ""), label) if name]
    whole = "-".join(names)
    short = re.sub(r"[^\w.=-]+", "-", whole, flags=re.ASCII)[:MOST_NAME]
    short = short if short == whole else f"{short}-{_digest(whole)}"
    return "-".join(name for name in (artifact, short) if name) if artifact else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def page_file(env: Mapping[str, str], artifact: str) -> Path | None:
    """Where the run's HTML report is: an artifact that opens in the browser is called as its file.

    None if no artifact is wanted, or its name is none of a file.
    """
    plain = re.fullmatch(r"[\w][\w .=-]*", artifact, re.ASCII)
    return report_file(env).with_name(f"{artifact}.html") if plain else None


def _notebooks(env: Mapping[str, str]) -> Path:
    """Where copies of the notebooks go that the steps have written."""
    return _temporary(env) / "mlpipe-notebooks"


def _downloaded(env: Mapping[str, str]) -> list[Path]:
    """The reports of another run's jobs, where action.yml has put them: one directory for each."""
    found = sorted((_temporary(env) / "mlpipe-report-of-run").glob("**/mlpipe-report.json"))
    return found[:MOST_REPORTS]


def _temporary(env: Mapping[str, str]) -> Path:
    return temporary_directory(env) or Path("/tmp")  # noqa: S108 - a runner has its own


def _pack(env: Mapping[str, str]) -> Path:
    """Where the steps of action.yml that restore and save it have the pack."""
    return Path(env.get("HOME", "")) / ".cache/mlpipe-packs" / repository_of(env)


def _tell(env: Mapping[str, str], code: int, words: list[str], artifact: str) -> None:
    """Give the steps of action.yml that follow, and the user's, what they ask for."""
    outputs = {"code": str(code), "result": "error", **_facts(report_file(env))}
    outputs |= {"artifact": artifact} if artifact else {}
    page = _page(words)
    if page and Path(page).exists():
        outputs["page"] = page
        if _notebooks(env).exists():
            outputs["notebooks"] = str(_notebooks(env))
    pack = _pack(env)
    if pack.with_name(f"{pack.name}.changed").exists():
        outputs["pack"] = "changed"
    set_outputs(env, outputs)


def _facts(path: Path) -> dict[str, str]:
    """The outputs of action.yml, from a run's report or a plan."""
    try:
        report = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    steps: list[dict[str, Any]] = report["steps"]
    facts = {"report": str(path)}
    if "result" not in report:
        work = sum(step["action"] not in {"reuse", "skip"} for step in steps)
        return facts | {"result": "success", "has-work": _word(work > 0), "steps-run": "0"}
    counts = {status: sum(s["status"] == status for s in steps) for status in RAN}
    return facts | {
        "result": report["result"],
        "has-work": _word(sum(counts.values()) > 0),
        "steps-run": str(sum(counts.values())),
        "steps-reused": str(sum(s["status"] == "reused" for s in steps)),
        "steps-failed": str(counts["failed"] + counts["timed-out"]),
        "comment-url": report.get("comment_url", ""),
    }


def _word(value: bool) -> str:  # noqa: FBT001 - it is about the value
    return "true" if value else "false"


def _flag(inputs: Mapping[str, str], name: str, default: str) -> bool:
    value = inputs.get(name) or default
    if value not in {"true", "false"}:
        raise ValueError(f"input {name.replace('_', '-')} is '{value}'; it must be true or false")
    return value == "true"


def read_token(descriptor: int) -> str:
    """Read and close the descriptor; an empty text if it is not open."""
    try:
        with open(descriptor, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def run(arguments: list[str]) -> int:
    """Do as the action's inputs say. Returns 0: the verdict is the output `code`.

    So that the steps of action.yml that follow need no conditions, and the last one fails.
    """
    if token := read_token(TOKEN_DESCRIPTOR):
        os.environ[TOKEN] = token  # of this process, and kept from those of steps
    if arguments == ["close"]:
        if said := close_open(os.environ):
            print(said)
        return 0
    report_file(os.environ).unlink(missing_ok=True)
    shutil.rmtree(_notebooks(os.environ), ignore_errors=True)
    words: list[str] = []
    artifact = artifact_name(os.environ)
    try:
        words = command_line(os.environ)
    except ValueError as problem:
        print(error(str(problem)))
        code = 2
    else:
        code = _call(words)
        draw(os.environ, words)
    if said := close_open(os.environ):  # after a fault of mlpipe, or of GitHub's
        print(said)
    _tell(os.environ, code, words, artifact)
    return 0


def draw(env: Mapping[str, str], words: list[str]) -> None:
    """Make the page of a run that has plots anew, with pictures of them.

    What draws them has 80 MB, so it is installed only where there is something to draw.
    """
    page = _page(words)
    try:
        report = json.loads(report_file(env).read_text("utf-8")) if page else {"steps": []}
    except (OSError, ValueError):
        return
    if not any(plot["series"] or "spec" in plot for s in report["steps"] for plot in s["plots"]):
        return
    install = [sys.executable, "-I", "-m", "pip", "install", "--quiet", "--no-input", "--no-deps"]
    install += ["--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"]
    done = subprocess.run([*install, "--requirement", str(PLOTS)], check=False)  # noqa: S603
    if done.returncode == 0:
        main(["report", str(report_file(env)), f"--html={page}", "--quiet"])


def _page(words: list[str]) -> str:
    return next((w.removeprefix("--html=") for w in words if w.startswith("--html=")), "")


def _call(words: list[str]) -> int:
    if words == ["report", "--post"]:
        print("that run left no report: nothing is posted")
        return 0
    return main(words)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
