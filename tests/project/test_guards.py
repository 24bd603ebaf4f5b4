"""The guards of conftest.py hold."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from platformdirs import user_cache_path


def test_there_is_no_home_directory() -> None:
    assert not Path.home().exists()
    with pytest.raises(OSError, match="Not a directory"):
        (user_cache_path("mlpipe") / "x").mkdir(parents=True)


def test_no_connection_leaves_this_machine() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as outside,
        pytest.raises(Exception, match=r"192\.0\.2\.1"),
    ):
        outside.connect(("192.0.2.1", 80))


def test_connections_on_this_machine_are_let_through() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


def test_no_variable_of_github_or_of_the_user_is_inherited() -> None:
    code = "import os; print(sorted(os.environ))"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not [name for name in os.environ if name.startswith(("GITHUB_", "ACTIONS_", "CI"))]
    assert "GITHUB" not in seen.stdout


def test_a_proxy_that_does_not_answer_keeps_programs_from_the_network() -> None:
    code = "import requests; requests.get('http://192.0.2.1/', timeout=5)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ProxyError" in done.stderr


def test_git_has_no_configuration_but_the_repository() -> None:
    listed = subprocess.run(
        ["git", "config", "--list"], capture_output=True, text=True, check=False, cwd="/"
    )
    assert listed.stdout == ""
