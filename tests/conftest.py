"""Guards that make the wrong thing impossible in every test, and the `repo` that most tests use."""

import re
import signal
import socket
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.github_runner import WORKFLOW, Hub
from tests.support.random_cases import advice, fresh_seed, load_profiles
from tests.support.repository import LOOPBACK, ROOT, Repo, bare_environment
from tests.support.servers.git import GitServer, serve_git

connect = socket.socket.connect
load_profiles()


class NetworkError(Exception):
    """A test tried to reach something that is not on this machine."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write the expected texts anew")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say how a random case that failed is kept; in `make models`, write it to build/models."""
    report = yield
    text = advice(item) if report.failed else ""
    if text:
        report.sections.append(("random case", text))
        if fresh_seed() is not None:
            name = re.sub(r"[^-.\w]+", "_", item.nodeid)
            kept = ROOT / "build" / "models" / f"{name}.txt"
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(f"{item.nodeid}\n{text}\n\n{report.longreprtext}\n", "utf-8")
    return report


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    """True if expected texts are to be written instead of compared."""
    return bool(request.config.getoption("--update"))


@pytest.fixture(autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare environment, with a cache of the test's own."""
    bare_environment(monkeypatch)
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
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    """A git server without a repository."""
    (tmp_path / "server").mkdir()
    with serve_git(tmp_path / "server") as running:
        yield running


@pytest.fixture
def hub(repo: Repo, git_server: GitServer) -> Hub:
    """A repository on a server, with one commit: a workflow of two steps."""
    repo.commit({"mlpipe.yml": WORKFLOW, "data/a.csv": "1", "docs/a.md": "1"}, "First")
    return Hub(repo, git_server)
