"""One repository's API: each request within bounds of time and size, tried again where that helps.

No redirect to another host is followed, so that the token goes to no one else.
"""

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urljoin, urlsplit

from mlpipe_ci.ci.github.errors import (
    REPOSITORY,
    ApiResponse,
    NoAnswerError,
    UnknownError,
    explained,
    message,
)
from mlpipe_ci.ci.github.retry import BOUND, FIRST_WAIT, TRIES, RetryBudget, asked_to_wait
from mlpipe_ci.core.errors import GitHubError
from mlpipe_ci.core.settings import from_env

DEFAULT_API = "https://api.github.com"
READ = 30.0
"""Seconds for an answer from its first byte to its last."""
MAX_PAGES = 30
MAX_REDIRECTS = 3
REDIRECTS = (301, 302, 307, 308)
SERVER_ERROR = 500


class Client:
    """One repository. `api` is GITHUB_API_URL, of github.com or of an Enterprise Server."""

    def __init__(
        self, api: str, repository: str, token: str, budget: RetryBudget | None = None
    ) -> None:
        if not REPOSITORY.fullmatch(repository):
            raise GitHubError(f"'{repository}' is not a repository's name (owner/name)")
        self.api, self.repository = api.rstrip("/"), repository
        self._token, self._budget = token, budget or RetryBudget()
        self.requests = 0

    def get(self, path: str) -> Any:
        """The value at a path of the API, below the repository unless it is `/user`."""
        return self._ask("GET", path).json(path)

    def pages(self, path: str) -> list[Any]:
        """All values of a list, over its pages."""
        found: list[Any] = []
        url = path
        for _ in range(MAX_PAGES):
            response = self._ask("GET", url)
            values = response.json(path)
            if not isinstance(values, list):
                raise GitHubError(f"GET {path}: the answer is not a list")
            found += values
            url = response.following
            if not self._is_ours(url):
                break
        return found

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Write something that may be written twice. Returns the value of the answer."""
        return self._ask(method, path, body).json(path)

    def create(self, path: str, body: dict[str, Any]) -> Any:
        """Write something that must not be written twice.

        Raises UnknownError if nobody knows whether it was written; it is not tried again then.
        """
        return self._ask("POST", path, body, once=True).json(path)

    def wait(self, seconds: float) -> bool:
        """Wait, if that is within the bound; False if it is not."""
        return self._budget.wait(seconds)

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, once: bool = False
    ) -> ApiResponse:
        """One request, tried again. Raises GitHubError."""
        url = path if "://" in path else self._url(path)
        if method != "GET":
            self._budget.before_write()
        wait = FIRST_WAIT
        for _ in range(TRIES - 1):
            response, fault, asked = self._try(method, url, body, once=once)
            if response:
                return response
            hopeless = asked is None and (isinstance(fault, UnknownError) or _is_final(fault))
            if hopeless or not self._budget.wait(wait if asked is None else asked):
                raise fault
            wait *= 2
        response, fault, _ = self._try(method, url, body, once=once)
        if response is None:
            raise fault
        return response

    def _try(
        self, method: str, url: str, body: dict[str, Any] | None, *, once: bool
    ) -> tuple[ApiResponse | None, GitHubError, float | None]:
        """The answer if it is good, what is wrong with it, and how long it asks to wait."""
        path = urlsplit(url).path
        try:
            response = self._follow(method, url, body)
        except NoAnswerError as error:
            kind = UnknownError if once and not error.unsent else GitHubError
            return None, kind(f"{method} {path}: {error}"), None
        said = message(response.data)
        asked = asked_to_wait(response.status, response.headers, said, time.time())
        fault = explained(method, path, response.status, said, asked)
        if once and response.status >= SERVER_ERROR:
            fault = UnknownError(str(fault), response.status)
        return (response if response.status < 300 else None), fault, asked  # noqa: PLR2004

    def _url(self, path: str) -> str:
        return f"{self.api}{path}" if path == "/user" else self._below(path)

    def _below(self, path: str) -> str:
        return f"{self.api}/repos/{self.repository}{path}"

    def _follow(self, method: str, url: str, body: dict[str, Any] | None) -> ApiResponse:
        response = self._once(method, url, body)
        for _ in range(MAX_REDIRECTS):
            there = urljoin(url, response.headers.get("location", ""))
            if response.status not in REDIRECTS or there == url or not self._is_ours(there):
                break
            url = there
            response = self._once(method, url, body)
        return response

    def _once(self, method: str, url: str, body: dict[str, Any] | None) -> ApiResponse:
        exchange = self._exchange  # importing it is no waiting
        started = self._budget.now()
        self.requests += 1
        try:
            return exchange(method, url, body, max(1.0, min(READ, self._budget.left)))
        finally:
            self._budget.spend(started)

    @cached_property
    def _exchange(self) -> Callable[[str, str, dict[str, Any] | None, float], ApiResponse]:
        from mlpipe_ci.ci.github.http import Exchange  # noqa: PLC0415 - 0.2 s

        return Exchange(self._token)

    def _is_ours(self, url: str) -> bool:
        return urlsplit(url)[:2] == urlsplit(self.api)[:2]


def _is_final(fault: GitHubError) -> bool:
    """True if the same request would get the same answer."""
    return 0 < fault.status < SERVER_ERROR


def client_of(env: Mapping[str, str], seconds: float = 0.0) -> Client:
    """GitHub as the environment names it. `seconds`: bound of all requests, 0 for the usual one.

    Raises GitHubError.
    """
    api, repository = env.get("GITHUB_API_URL", DEFAULT_API), env.get("GITHUB_REPOSITORY", "")
    return Client(api, repository, from_env(env).token, RetryBudget(seconds or BOUND))
