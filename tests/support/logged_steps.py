"""A repository with small steps that write down that they were started."""

import json
import subprocess
from typing import Any

from tests.support.repository import Repo


def step(name: str, run: str, inputs: str = "", outputs: str = "", **keys: Any) -> dict[str, Any]:
    """A step of the file; inputs and outputs separated by blanks, none of them if empty."""
    made: dict[str, Any] = {"name": name, "run": f'echo {name} >> "$RUNS"\n{run}'}
    made |= {"inputs": inputs.split()} if inputs else {}
    made |= {"outputs": outputs.split()} if outputs else {}
    return made | {key.replace("_", "-"): value for key, value in keys.items()}


class Lab:
    """Writes the file, runs mlpipe, and knows which commands were started."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.log = repo.root.parent / "runs"
        self.said = ""
        """What the last run printed on standard output."""

    def file(self, *steps: dict[str, Any], **head: Any) -> None:
        """Write the workflow; JSON is YAML."""
        self.repo.write({"mlpipe.yml": json.dumps({**head, "steps": steps}, indent=1)})

    def start(self, *steps: dict[str, Any], files: str = "raw", **head: Any) -> None:
        """A first commit: the workflow, files that hold their own names, no output in git."""
        self.file(*steps, **head)
        written = [path for one in steps for path in one.get("outputs", ())]
        self.repo.write({".gitignore": "\n".join([*written, ""])})
        self.repo.commit({name: f"{name}\n" for name in files.split()})

    def mlpipe(
        self, *arguments: str, code: int = 0, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Any command."""
        return self.repo.mlpipe(*arguments, code=code, RUNS=str(self.log), **env)

    def ran(self, *arguments: str, code: int = 0, **env: str) -> list[str]:
        """Run; the steps of which the command was started, in that order."""
        self.log.write_text("")
        done = self.mlpipe("run", *arguments, code=code, **env)
        self.said = done.stdout + done.stderr
        return self.log.read_text().split()

    def steps(self, command: str = "plan", *arguments: str) -> list[dict[str, Any]]:
        """What `plan` or `run` says of each step, as JSON."""
        told = self.mlpipe(command, "--json", *arguments)
        return list(json.loads(told.stdout)["steps"])
