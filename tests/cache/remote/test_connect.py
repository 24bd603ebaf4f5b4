"""Addresses, credentials and time limits of a remote store."""

import pytest

from mlpipe_ci.cache.remote.client import RemoteClient
from mlpipe_ci.cache.remote.connect import check, open_store, without_credentials
from mlpipe_ci.cache.remote.errors import RemoteError
from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.settings import from_env


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("ftp://x/y", "mlpipe knows s3://"),
        ("s3:///x", "names no bucket"),
        ("file://x/y", "file:///absolute/path"),
        ("s3://key:secret@bucket/x", "credentials do not belong"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url: str, word: str) -> None:
    with pytest.raises(UsageError, match=word) as error:
        check(url)
    assert "secret" not in str(error.value).replace("secrets", "")


def test_what_is_secret_in_an_address_is_not_shown() -> None:
    assert without_credentials("s3://key:word@bucket/top?sig=1") == "s3://bucket/top"


@pytest.mark.parametrize("text", ["0", "-1", "x", "nan", "1e9"])
def test_a_time_limit_that_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="MLPIPE_REMOTE_TIMEOUT"):
        _ = from_env({"MLPIPE_REMOTE_TIMEOUT": text}).remote_timeout


def test_without_credentials_it_is_not_used_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client = RemoteClient(lambda: open_store("s3://b/x", {}), "s3://b/x", lambda _text: None)
    for _ in range(2):
        with pytest.raises(RemoteError):
            client.get("a")
    assert len(client.warnings) == 1
    assert "credentials" in client.warnings[0]
