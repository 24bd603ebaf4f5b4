"""Files on the web, through requests: RFC 9110 (validators, ranges, conditional requests)."""

import base64
import binascii
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from mlpipe_ci.core.external_url import identity
from mlpipe_ci.core.settings import from_env
from mlpipe_ci.core.workflow import ExternalInput
from mlpipe_ci.sources.base import Failure, ReaderError, SourceItem, SourceKind, SourceStream

CHUNK = 1 << 20
CONNECT = 10.0
"""Seconds for a connection; for an answer as long as for a remote cache."""
TRIES = 3
PAUSE, LONGEST_PAUSE = 0.5, 5.0
"""Seconds before a second try, and the most that a server may ask for."""
NO_HEAD = frozenset({400, 401, 403, 404, 405, 406, 501})
"""Answers to HEAD after which GET may fare better: a signed URL is signed for one method."""
VERSIONS = ("x-amz-version-id", "x-goog-generation", "x-ms-version-id")
AGENT = "mlpipe"


class Http:
    """Reads files over https. Credentials (~/.netrc), proxies and authorities as requests has them.

    `timeout`: seconds for an answer, and between two pieces of it.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = (min(CONNECT, timeout), timeout)
        self._local = threading.local()

    def look(self, external: ExternalInput, last: tuple[SourceItem, ...]) -> tuple[SourceItem, ...]:
        """As `Reader.look`."""
        url, before = external.url, last[0] if last else None
        conditions = _conditions(before)
        answer = self._ask("HEAD", url, conditions)
        found = None if answer.status_code in NO_HEAD else _item(external, answer, before)
        answer.close()
        if found is None:  # no HEAD here, or one without a version
            answer = self._ask("GET", url, conditions)
            try:
                found = _item(external, answer, before)
            finally:
                answer.close()  # its content is not read
        return (found or _unversioned(external, answer),)

    def stream(self, item: SourceItem, start: int) -> SourceStream:
        """As `Reader.stream`."""
        headers = {}
        if start and item.tag:
            headers = {"Range": f"bytes={start}-", "If-Range": item.tag}
        answer = self._ask("GET", item.key, headers)
        if answer.status_code == requests.codes.range_not_satisfiable:
            answer.close()
            answer = self._ask("GET", item.key, {})
        external = ExternalInput(url=item.key, path=item.path)
        begins = _begins(answer) if answer.status_code == requests.codes.partial_content else 0
        return SourceStream(
            item=_item(external, answer, None),
            chunks=_chunks(answer),
            start=begins,
            size=_size(answer),
            checks=_checks(answer.headers) if not begins else (),
        )

    def _ask(self, method: str, url: str, headers: Mapping[str, str]) -> requests.Response:
        """An answer that is no failure, but perhaps a refusal of HEAD."""
        for attempt in range(1, TRIES + 1):
            try:
                answer = self._session().request(
                    method,
                    url,
                    headers={"Accept-Encoding": "identity", "User-Agent": AGENT, **headers},
                    stream=True,
                    allow_redirects=True,
                    timeout=self._timeout,
                )
            except (requests.RequestException, HTTPError, OSError, ValueError) as error:
                if attempt == TRIES or not _may_pass(error):
                    raise ReaderError(Failure.BROKEN, _reason(error)) from None
                time.sleep(PAUSE * attempt)
                continue
            wait = _wait(answer, attempt)
            if wait is None:
                return _accepted(method, answer)
            answer.close()
            time.sleep(wait)
        raise AssertionError  # the last attempt returns or raises

    def _session(self) -> requests.Session:
        """One for each thread: they are not safe to be shared."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        session: requests.Session = self._local.session
        return session


def open_http(env: Mapping[str, str]) -> Http:
    """For the table of schemes."""
    return Http(from_env(env).remote_timeout)


def _conditions(last: SourceItem | None) -> dict[str, str]:
    """By a strong ETag alone: of a file that is older than before, If-Modified-Since says "304"."""
    return {"If-None-Match": last.value} if last and last.kind is SourceKind.ETAG else {}


def _wait(answer: requests.Response, attempt: int) -> float | None:
    """Seconds before another try; None if the answer holds."""
    passing = answer.status_code == requests.codes.too_many_requests or answer.status_code >= 500  # noqa: PLR2004
    if attempt == TRIES or not passing or answer.status_code == requests.codes.not_implemented:
        return None
    retry_after = answer.headers.get("Retry-After", "")
    return min(float(retry_after), LONGEST_PAUSE) if retry_after.isdecimal() else PAUSE * attempt


def _accepted(method: str, answer: requests.Response) -> requests.Response:
    """The answer, if something can be made of it. Raises ReaderError."""
    steps = [one.url for one in (*answer.history, answer)]
    if any(a.startswith("https:") and not b.startswith("https:") for a, b in pairwise(steps)):
        answer.close()
        text = "it redirects from https to an address that is not encrypted"
        raise ReaderError(Failure.REFUSED, text)
    status = answer.status_code
    if status < 400 or (method == "HEAD" and status in NO_HEAD) or status == 416:  # noqa: PLR2004
        if 300 <= status < 400 and status != requests.codes.not_modified:  # noqa: PLR2004
            raise ReaderError(Failure.BROKEN, f"it answers {status}, without a new address")
        return answer
    answer.close()
    if status in {404, 410}:
        raise ReaderError(Failure.MISSING, f"there is nothing ({status})")
    if status in {401, 403, 407}:
        text = f"access is denied ({status}); put credentials into ~/.netrc, or sign the URL anew"
        raise ReaderError(Failure.REFUSED, text)
    raise ReaderError(Failure.BROKEN, f"it answers {status}")


def _item(
    external: ExternalInput, answer: requests.Response, last: SourceItem | None
) -> SourceItem | None:
    """Which version an answer is of; None if it does not say."""
    if answer.status_code == requests.codes.not_modified:
        return last
    version = _version(answer)
    if version is None:
        return None
    kind, value = version
    return SourceItem(
        path=external.path,
        owner=identity(external.url),
        key=external.url,
        kind=kind,
        value=value,
        size=_size(answer),
        tag=value
        if kind is SourceKind.ETAG
        else answer.headers.get("ETag", "")
        if _strong(answer)
        else "",
    )


def _version(answer: requests.Response) -> tuple[SourceKind, str] | None:
    """The best validator of the headers. A weak one (section 8.8.1) needs a second beside it."""
    headers = answer.headers
    for name in VERSIONS:
        if headers.get(name, "null") != "null":
            return SourceKind.VERSION, headers[name]
    if _strong(answer):
        return SourceKind.ETAG, headers["ETag"]
    weak = [headers.get("ETag", ""), headers.get("Last-Modified", "")]
    size = _size(answer)
    validators = [*weak, "" if size is None else str(size)]
    if sum(map(bool, validators)) < 2:  # noqa: PLR2004
        return None
    if weak[0]:
        return SourceKind.WEAK, f"{weak[0]} {'|'.join(validators[1:])}"
    return SourceKind.MODIFIED, "|".join(validators[1:])


def _strong(answer: requests.Response) -> bool:
    tag = answer.headers.get("ETag", "")
    return bool(tag) and not tag.startswith("W/")


def _unversioned(external: ExternalInput, answer: requests.Response) -> SourceItem:
    return SourceItem(
        path=external.path,
        owner=identity(external.url),
        key=external.url,
        kind=SourceKind.CONTENT,
        value="",
        size=_size(answer),
    )


def _size(answer: requests.Response) -> int | None:
    """Bytes of the whole content; None if that is not known, or if it comes compressed."""
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        return None
    total = answer.headers.get("Content-Range", "").rpartition("/")[2]
    text = total or answer.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else None


def _begins(answer: requests.Response) -> int:
    text = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    if not text.isdecimal():
        raise ReaderError(Failure.BROKEN, "it sends a part, and does not say which")
    return int(text)


def _checks(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What the answer says of its bytes: Content-MD5, Google's, and RFC 9530."""
    found = [("md5", headers.get("Content-MD5", ""))]
    for part in headers.get("x-goog-hash", "").split(","):
        name, _, value = part.strip().partition("=")
        found += [(name, value)] if name == "md5" else []
    for part in headers.get("Repr-Digest", "").split(","):
        name, _, value = part.strip().partition("=")
        found += [("sha256", value.strip(":"))] if name == "sha-256" else []
    checks = []
    for name, value in found:
        with suppress(binascii.Error, ValueError):
            checks += [(name, base64.b64decode(value, validate=True).hex())] if value else []
    return tuple(checks)


def _chunks(answer: requests.Response) -> Iterator[bytes]:
    try:
        while chunk := answer.raw.read(CHUNK, decode_content=True):
            yield chunk
    except (HTTPError, requests.RequestException, OSError) as error:
        raise ReaderError(Failure.BROKEN, _reason(error)) from None
    finally:
        answer.close()


def _may_pass(error: Exception) -> bool:
    wrong = (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, UnicodeError)
    return not isinstance(error, (*wrong, requests.exceptions.SSLError, requests.TooManyRedirects))


def _reason(error: Any) -> str:
    """In our own words: those of the library hold the whole URL."""
    text = str(error)
    words = (
        (requests.exceptions.SSLError, "its certificate is not trusted (REQUESTS_CA_BUNDLE)"),
        (requests.exceptions.ProxyError, "the proxy does not let it through"),
        (requests.exceptions.Timeout, "no answer in time"),
        (requests.TooManyRedirects, "it redirects again and again"),
        (requests.exceptions.InvalidURL, "its address cannot be read"),
    )
    for kind, word in words:
        if isinstance(error, kind):
            return word
    if "NameResolution" in text or "getaddrinfo" in text:
        return "its name is not found"
    if "refused" in text:
        return "the connection is refused"
    return "no answer in time" if "timed out" in text else "the connection broke"
