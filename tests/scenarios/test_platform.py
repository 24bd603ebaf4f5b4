"""Results of another system or machine."""

import platform
import shutil
import subprocess
import sys

import pytest

from tests.support.repository import Repo

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64" or not shutil.which("setarch"),
    reason="setarch makes this machine call itself another",
)
STEP = "  - {name: s, run: uname -m > out, inputs: [in], outputs: [out]}\n"


def elsewhere(repo: Repo, *arguments: str) -> str:
    """What mlpipe prints where the machine is called i686."""
    command = ["setarch", "i686", sys.executable, "-m", "mlpipe_ci", *arguments]
    done = subprocess.run(command, cwd=repo.root, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def planted(repo: Repo) -> Repo:
    repo.commit({"mlpipe.yml": f"steps:\n{STEP}", "in": "1", ".gitignore": "out\n"})
    return repo


def test_a_result_of_another_machine_is_not_reused(planted: Repo) -> None:
    planted.mlpipe("run")
    said = elsewhere(planted, "run")
    assert "made on Linux x86_64, and this is Linux i686 (portable: true reuses it)" in said
    assert planted.read("out") == "i686\n"
    assert "1 reused" in elsewhere(planted, "run")
    assert "1 reused" in planted.mlpipe("run").stdout
    assert planted.read("out") == "x86_64\n"


@pytest.mark.parametrize(
    "text",
    [
        f"steps:\n{STEP}".replace("{name: s", "{name: s, portable: true"),
        f"defaults: {{portable: true}}\nsteps:\n{STEP}",
    ],
)
def test_a_portable_step_takes_it_and_says_where_it_was_made(planted: Repo, text: str) -> None:
    planted.mlpipe("run")
    planted.commit({"mlpipe.yml": text})
    assert "made on" not in planted.mlpipe("plan").stdout
    said = elsewhere(planted, "plan")
    assert "reuse" in said
    assert "made on Linux x86_64" in said
    (planted.root / "out").unlink()
    elsewhere(planted, "run")
    assert planted.read("out") == "x86_64\n"
