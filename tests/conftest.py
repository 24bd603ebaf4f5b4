"""Guards that make the wrong thing impossible in every test, and the `repo` that most tests use."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOBODY = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.invalid",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.invalid",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}
SHOWN = 4000
"""Characters at the end of an output that a failed test prints."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
KEPT = ("PATH", "LANG", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT", "COVERAGE_PROCESS_START")
"""What tests inherit of the environment; all else is unknown to them."""
INHERITED = dict(os.environ)
"""What the guards take away; for the one test that installs packages."""
connect = socket.socket.connect


class NetworkError(Exception):
    """A test tried to reach something that is not on this machine."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write the expected texts anew")


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    """True if expected texts are to be written instead of compared."""
    return bool(request.config.getoption("--update"))


@pytest.fixture(autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare environment: no home, no GITHUB_*, no git configuration, a cache of the test's own."""
    for name in list(os.environ):
        if name not in KEPT:
            monkeypatch.delenv(name)
    for name, value in NOBODY.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", "/dev/null/home-of-tests")
    monkeypatch.setenv("MLPIPE_TRACER", "off")  # 50 ms a step, spent where it is what is tested
    monkeypatch.setenv("MLPIPE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):  # for programs that tests start
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", ",".join(LOOPBACK))


@pytest.fixture(autouse=True, scope="session")
def signals() -> None:
    """Signals as a terminal gives them, also where the tests run below nohup: it is inherited."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection but to this machine."""

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in LOOPBACK:
            raise NetworkError(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


class Repo:
    """A git repository for one test, and mlpipe run in it as a user would."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, files: dict[str, str | bytes]) -> None:
        """Write files by path."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def read(self, name: str) -> str:
        """A file's text."""
        return (self.root / name).read_text()

    def git(self, *arguments: str) -> str:
        """Run git, return what it prints."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str | bytes] | None = None, message: str = "change") -> str:
        """Write files, commit all, return the commit's id."""
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def mlpipe(
        self, *arguments: str, code: int | None = 0, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run mlpipe in a process of its own; fail if its exit code is not `code`."""
        done = subprocess.run(
            [sys.executable, "-m", "mlpipe_ci", *arguments],
            cwd=self.root,
            env=os.environ | env,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
            check=False,
        )
        assert code is None or done.returncode == code, done.stdout[-SHOWN:] + done.stderr[-SHOWN:]
        assert "this is a fault of mlpipe" not in done.stderr, done.stderr
        return done


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """An empty git repository, on branch main."""
    root = tmp_path / "work tree"
    root.mkdir()
    made = Repo(root)
    made.git("init", "-q", "-b", "main")
    return made


@pytest.fixture
def make_repo(tmp_path: Path) -> Callable[[str], Repo]:
    """Make further repositories by name."""

    def make(name: str) -> Repo:
        root = tmp_path / name
        root.mkdir(parents=True)
        made = Repo(root)
        made.git("init", "-q", "-b", "main")
        return made

    return make


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[Any]:
    """A git server (`git_server.GitServer`) without a repository."""
    from git_server import serve_git  # noqa: PLC0415 - it needs what is in this file

    (tmp_path / "server").mkdir()
    with serve_git(tmp_path / "server") as running:
        yield running


@pytest.fixture
def hub(repo: Repo, git_server: Any) -> Any:
    """A repository on a server (`runner.Hub`), with one commit: a workflow of two steps."""
    from runner import WORKFLOW, Hub  # noqa: PLC0415 - it needs what is in this file

    repo.commit({"mlpipe.yml": WORKFLOW, "data/a.csv": "1", "docs/a.md": "1"}, "First")
    return Hub(repo, git_server)
