"""One request and its answer over HTTP. Importing this takes 0.2 s: only a run that posts does."""

import threading
from queue import Empty, Queue
from typing import Any

import requests

from mlpipe_ci import __version__
from mlpipe_ci.ci.github.errors import ApiResponse, NoAnswerError

CONNECT = 10.0
MAX_ANSWER = 20_000_000
HEADERS = {
    "Accept": "application/vnd.github+json",
    "User-Agent": f"mlpipe/{__version__}",
    "X-GitHub-Api-Version": "2022-11-28",
}


class Exchange:
    """Connections to one server, with a token.

    Proxies and certificates are those of the environment (HTTPS_PROXY, REQUESTS_CA_BUNDLE).
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self._session = self._new_session()

    def __call__(
        self, method: str, url: str, body: dict[str, Any] | None, left: float
    ) -> ApiResponse:
        """The answer within `left` seconds. Raises NoAnswerError.

        A server can send drops, so a clock beside it bounds all of it together.
        """
        done: Queue[ApiResponse | Exception] = Queue()
        session = self._session

        def exchange() -> None:
            try:
                done.put(_answer(session, method, url, body, left))
            except Exception as error:  # noqa: BLE001 - the thread that asked raises it
                done.put(error)

        threading.Thread(target=exchange, daemon=True).start()
        try:
            response = done.get(timeout=left)
        except Empty:
            self._session = self._new_session()  # the other one is still in use
            raise NoAnswerError("the answer takes too long") from None
        if isinstance(response, Exception):
            unsent = isinstance(response, requests.ConnectTimeout)
            raise NoAnswerError(type(response).__name__, unsent=unsent) from response
        return response

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.auth = _Bearer(self._token)  # or a ~/.netrc would take its place
        session.headers.update(HEADERS)
        return session


def _answer(
    session: requests.Session, method: str, url: str, body: dict[str, Any] | None, left: float
) -> ApiResponse:
    timeout = (min(CONNECT, left), left)
    with session.request(
        method, url, json=body, timeout=timeout, allow_redirects=False, stream=True
    ) as answer:
        data = bytearray()
        for chunk in answer.iter_content(1 << 16):
            data += chunk
            if len(data) > MAX_ANSWER:
                raise NoAnswerError("the answer is too large")
        return ApiResponse(
            status=answer.status_code,
            headers={name.lower(): text for name, text in answer.headers.items()},
            data=bytes(data),
            following=str(answer.links.get("next", {}).get("url") or ""),
        )


class _Bearer(requests.auth.AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request
