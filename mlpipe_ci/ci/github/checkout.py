"""What a job of GitHub Actions says about its checkout, and the token for GitHub's repositories."""

import base64
from collections.abc import Mapping
from pathlib import Path

from mlpipe_ci.ci.github.event import in_actions
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.settings import from_env
from mlpipe_ci.repo.git.command import Settings

DEFAULT_SERVER = "https://github.com"


@frozen
class JobCheckout:
    """The commit that a job is for. `event_file` is written when the job begins."""

    repository: str
    url: str
    ref: str
    commit: str
    workspace: Path
    event_file: Path


def job_checkout(env: Mapping[str, str]) -> JobCheckout | None:
    """What is to be checked out in this job; None if GitHub Actions does not run us."""
    if not in_actions(env):
        return None
    repository = env.get("GITHUB_REPOSITORY", "")
    return JobCheckout(
        repository=repository,
        url=f"{_server(env)}/{repository}",
        ref=env.get("GITHUB_REF", ""),
        commit=env.get("GITHUB_SHA", ""),
        workspace=Path(env.get("GITHUB_WORKSPACE") or "/nowhere"),
        event_file=Path(env.get("GITHUB_EVENT_PATH", "")),
    )


def token_settings(env: Mapping[str, str]) -> Settings:
    """The token as git's configuration, for GitHub's own address and no other.

    An empty value first forgets what a checkout may have stored: GitHub refuses two headers.
    """
    token = from_env(env).token
    if not token:
        return ()
    from urllib.parse import urlsplit  # noqa: PLC0415 - 2 ms, which few runs need

    parts = urlsplit(_server(env))
    name = f"http.{parts.scheme}://{parts.netloc}/.extraheader"
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return (name, ""), (name, f"AUTHORIZATION: basic {basic}")


def _server(env: Mapping[str, str]) -> str:
    return env.get("GITHUB_SERVER_URL") or DEFAULT_SERVER
