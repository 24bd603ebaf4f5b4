"""What may go wrong between here and an object store, in words, with what to do about it."""

import re
from enum import StrEnum

from mlpipe_ci.core.regex import regex

CODE = regex(r"<Code>(\w+)</Code>")
STATUS = regex(r"status code: (\d{3})")
HINTS = {
    "NoSuchBucket": "there is no such bucket; correct cache.remote, or create the bucket",
    "ContainerNotFound": "there is no such container; correct cache.remote, or create it",
    "ExpiredToken": "the credentials have expired; log in again",
    "TokenRefreshRequired": "the credentials have expired; log in again",
    "InvalidToken": "the session token is not valid; log in again",
    "InvalidAccessKeyId": "the access key is not known there; check the credentials",
    "SignatureDoesNotMatch": "the secret key does not belong to the access key, or is cut",
    "AuthenticationFailed": "the credentials are not accepted; check them",
    "RequestTimeTooSkewed": "this machine's clock is wrong; set it (timedatectl set-ntp true)",
    "PermanentRedirect": "the bucket is in another region; set AWS_REGION",
    "AuthorizationHeaderMalformed": "the bucket is in another region; set AWS_REGION",
    "AccessDenied": "the credentials do not allow it",
    "AllAccessDisabled": "the bucket is disabled",
    "SlowDown": "too many requests",
}
MISCONFIGURED = frozenset({"NoSuchBucket", "ContainerNotFound"})
ONE_KEY = frozenset({"AccessDenied"})
"""What is said of one key alone: also of one that is not there, to who may not list the bucket."""
WORDS = (
    ("dns error", "its name is not found; check the address and the network"),
    ("failed to lookup address", "its name is not found; check the address and the network"),
    ("certificate", "its certificate is not trusted; set SSL_CERT_FILE to your authority's"),
    ("kind: Timeout", "no answer in time"),
    ("kind: Connect", "it cannot be reached"),
    ("timed out", "no answer in time"),
    ("No space left", "the disk is full"),
    ("Permission denied", "the directory may not be used"),
    ("Read-only file system", "it is read-only"),
    ("HTTP error", "the connection broke"),
)


class ErrorKind(StrEnum):
    """How an error is to be taken."""

    MISSING = "missing"
    EXISTS = "exists"
    REFUSED = "refused"
    FAILED = "failed"
    OFF = "off"


class RemoteError(Exception):
    """A request that was not answered as it should be. The text is a reason, for the user.

    `final`: any other request would get the same answer.
    """

    def __init__(self, kind: ErrorKind, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.kind, self.final = kind, final


def classified(error: Exception) -> RemoteError:
    """What an exception of obstore means. Its messages hold the answer of the server."""
    name, text = type(error).__name__, str(error)
    found = CODE.search(text)
    code = found[1] if found else ""
    status = STATUS.search(text)
    if code in MISCONFIGURED:
        return RemoteError(ErrorKind.REFUSED, HINTS[code], final=True)
    if isinstance(error, FileNotFoundError) or name == "NotFoundError":
        return RemoteError(ErrorKind.MISSING, "it is not there")
    if name in {"AlreadyExistsError", "PreconditionError"}:
        return RemoteError(ErrorKind.EXISTS, "it is there already")
    denied = name in {"PermissionDeniedError", "UnauthenticatedError"} or isinstance(
        error, PermissionError
    )
    if denied or (status and status[1] in {"401", "403"}):
        reason = _reason(code, status, text) or "access is denied"
        return RemoteError(ErrorKind.REFUSED, reason, final=code in HINTS and code not in ONE_KEY)
    return RemoteError(
        ErrorKind.FAILED, _reason(code, status, text) or text.split("\n", 1)[0][:200]
    )


def _reason(code: str, status: re.Match[str] | None, text: str) -> str:
    word = HINTS.get(code) or next((word for sign, word in WORDS if sign in text), "")
    answer = f"{status[1]} {code}".strip() if status else ""
    return f"{word} ({answer})" if word and answer else word or (answer and f"it answers {answer}")
