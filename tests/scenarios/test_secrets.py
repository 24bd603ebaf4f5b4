"""A secret leaves a run in no form: not in what it prints, stores, writes and posts."""

import base64
import json
import random
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.github_client import SHA
from tests.support.repository import Repo
from tests.support.secret_forms import core, forms
from tests.support.servers.github import TOKEN, Server, serve

LEAK = """
import base64, html, json, os, sys, textwrap, urllib.parse
secret = os.environ["VALUE"]
data = secret.encode()
forms = [
    secret, urllib.parse.quote(secret), urllib.parse.quote(secret, safe=""),
    urllib.parse.quote_plus(secret), json.dumps(secret), repr(secret), html.escape(secret),
    base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode(),
    *(base64.b64encode(b"x" * n + data + b"yz").decode() for n in range(3)),
    base64.encodebytes(b"x" * 50 + data).decode(),
]
print(*forms, sep="\\n")
os.makedirs("out", exist_ok=True)
name = urllib.parse.quote(secret, safe="")
open(f"out/{name}.txt", "w").write("x")
open("m.json", "w").write(json.dumps({form.replace("\\n", ""): 1 for form in forms}))
open("p.svg", "w").write(f"<svg xmlns='http://www.w3.org/2000/svg'><!-- {secret} --></svg>")
open("p.csv", "w").write(f"x,{name}\\n1,2\\n")
sys.exit(int(os.environ["CODE"]))
"""
FILE = """
steps:
  - name: leak
    run: python leak.py
    env: {{VALUE: "${{{{ secrets.DEPLOY }}}}", CODE: "{code}"}}
    inputs: [leak.py]
    outputs: [out/]
    metrics: [m.json]
    plots: [p.svg, {{path: p.csv, x: x}}]
    gates: ["metrics.none > 1"]
"""
ALPHABET = string.ascii_letters + string.digits + "\"\\/+=&? %<>'é~-_"


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


def kept(root: Path) -> str:
    """Logs and reports of runs. What mlpipe knows of the work tree has paths as they are."""
    directory = root / ".git" / "mlpipe"
    files = [*(directory / "runs").rglob("*.log"), *(directory / "runs").rglob("*.json")]
    files += directory.glob("*.json")
    assert len(files) > 2
    return "\n".join(path.read_text("utf-8", "replace") for path in files)


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("seed", [1, 2])
def test_no_form_of_a_secret_leaves_a_run(
    repo: Repo, server: Server, tmp_path: Path, code: int, seed: int
) -> None:
    draw = random.Random(seed)  # noqa: S311 - the same values each time
    secret = "".join(draw.choices(ALPHABET, k=draw.choice([9, 16, 33]))).strip() + '"/&'
    repo.commit(
        {"leak.py": LEAK, "mlpipe.yml": FILE.format(code=code), ".gitignore": "out\nm.json\np.*"}
    )
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7, "head": {"sha": SHA}}}))
    summary = tmp_path / "summary.md"
    env = {
        "DEPLOY": secret,
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_API_URL": server.url,
        "GITHUB_STEP_SUMMARY": str(summary),
        "MLPIPE_TOKEN": TOKEN,
        "RUNNER_TEMP": str(tmp_path),
    }
    files = ("r.json", "r.md", "r.html")
    options = [word for name in files for word in ("--report", name)]
    done = repo.mlpipe("run", "--status", "steps", *options, code=1, **env)
    desk = repo.mlpipe("run", "--force", code=1, DEPLOY=secret)
    said = [repo.mlpipe("report").stdout, repo.mlpipe("logs", "leak").stdout]
    said += [
        repo.mlpipe(name, *more, DEPLOY=secret).stdout
        for name, *more in (
            ("plan", "--json"),
            ("explain", "leak", "--json"),
            ("metrics", "--json"),
        )
    ]
    assert server.statuses
    assert server.comments
    sent = json.dumps([server.statuses, server.comments], ensure_ascii=False)
    texts = [done.stdout, done.stderr, desk.stdout, sent, summary.read_text(), *said]
    texts += [repo.read(name) for name in files]
    texts.append(kept(repo.root))
    hidden = {*forms(secret).values(), *(core(secret, before) for before in range(3))}
    for number, text in enumerate(texts):
        plain = re.sub(r"(\\n|\s)+", "", text)  # base64 may be broken into lines
        assert [one for one in hidden if one in text or one in plain] == [], number
    assert "***" in repo.read("r.json")


def test_a_secret_of_several_lines_is_masked_by_line(repo: Repo) -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----\n"
    code = (
        "import os, json, base64\nkey = os.environ['KEY']\nprint(key)\nprint(json.dumps(key))\n"
        "print(base64.encodebytes(key.encode()).decode())\nprint(key.splitlines()[2])\n"
    )
    file = 'steps:\n  - {name: a, run: python a.py, env: {KEY: "${{ secrets.KEY }}"}}\n'
    repo.commit({"a.py": code, "mlpipe.yml": file})
    shown = repo.mlpipe("run", KEY=key).stdout + repo.mlpipe("logs", "a").stdout
    inner = base64.b64encode(key[20:36].encode()).decode()
    for part in ("MIIEvQIBADANBgkq", "hkiG9w0BAQEFAASC", "BEGIN KEY", inner[2:-4]):
        assert part not in shown
    assert "***" in shown


def test_a_short_secret_is_refused_before_anything_runs(repo: Repo) -> None:
    file = "steps:\n  - {name: first, run: touch ran}\n"
    file += '  - {name: a, run: echo, env: {PIN: "${{ secrets.PIN }}"}}\n'
    repo.commit({"mlpipe.yml": file})
    for command in ("plan", "run"):
        done = repo.mlpipe(command, code=2, PIN=" 123\n")
        assert "the secret PIN is shorter than 4 characters" in done.stderr
        assert "123" not in done.stdout + done.stderr
    assert not (repo.root / "ran").exists()
    assert repo.mlpipe("run", PIN="1234").returncode == 0


def test_a_run_that_cannot_start_does_not_say_the_secret_either(repo: Repo) -> None:
    file = "steps:\n  - {name: a, run: echo, inputs: [hunter22.csv], "
    file += 'env: {T: "${{ secrets.T }}"}}\n'
    repo.commit({"mlpipe.yml": file})
    done = repo.mlpipe("run", code=2, T="hunter22")
    assert "***.csv" in done.stderr
    assert "hunter22" not in done.stdout + done.stderr
