"""Addresses of sources: what is the same data, and what may be shown of a URL."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.core.external_url import (
    SCHEMES,
    address_of,
    identity,
    is_many,
    prefix_of,
    problem_with,
    redacted,
    scheme_of,
)
from mlpipe_ci.core.workflow import ExternalInput

PLAIN = "https://example.org/data/raw.csv?part=1&state=CA&st=NY"
SECRETS = ("X-Amz-Signature", "X-Goog-Signature", "access_token", "api_key", "sig", "Signature")
words = st.text(alphabet="abcdefghXYZ0123456789-_", min_size=8, max_size=30)


@given(st.sampled_from(SECRETS), words)
def test_a_secret_shows_nowhere_and_is_no_part_of_the_identity(name: str, secret: str) -> None:
    url = f"{PLAIN.replace('&st=NY', '')}&{name}={secret}x"
    assert secret not in redacted(url)
    assert identity(url) == identity(PLAIN.replace("&st=NY", ""))


@given(words, words)
def test_credentials_before_the_host_never_show(user: str, password: str) -> None:
    url = f"https://{user}q:{password}q@example.org/raw.csv"
    assert f"{password}q" not in redacted(url)
    told = problem_with(ExternalInput(url=url, path="raw.csv"))
    assert "credentials do not belong into the file" in told
    assert f"{password}q" not in told


def test_what_says_which_data_it_is_counts() -> None:
    found = {
        identity(url)
        for url in (
            PLAIN,
            PLAIN.replace("part=1", "part=2"),
            PLAIN.replace("st=NY", "st=CA"),
            PLAIN.replace("raw", "other"),
            PLAIN.replace("https", "http"),
            PLAIN.replace("example.org", "example.com"),
        )
    }
    assert len(found) == 6


def test_what_stands_beside_a_signature_means_nothing() -> None:
    signed = "https://a.blob.core.windows.net/c/x.csv?sv={}&se={}&sr=b&sp=r&sig={}"
    assert identity(signed.format(1, 2, 3)) == identity(signed.format(4, 5, 6))


@pytest.mark.parametrize(
    ("url", "scheme", "many", "prefix"),
    [
        ("https://example.org/a*b.csv", "https", False, ""),
        ("s3://acme/w/*.csv", "s3", True, "w"),
        ("s3://acme/w/", "s3", True, "w"),
        ("s3://acme/*", "s3", True, ""),
        ("S3A://acme/w/", "s3", True, "w"),
        ("http://example.org/a/", "https", False, ""),
        ("gs://acme/a/b.csv", "gs", False, ""),
        ("az://acme/a/", "az", True, "a"),
        ("file:///mnt/w/*.csv", "file", True, "/mnt/w"),
        ("ftp://example.org/x", "", False, ""),
    ],
)
def test_what_a_url_means(url: str, scheme: str, many: bool, prefix: str) -> None:
    assert scheme_of(url) is SCHEMES.get(scheme)
    if scheme:
        assert is_many(url) is many
    if many:
        assert prefix_of(url) == prefix


@pytest.mark.parametrize(
    ("url", "path", "inner", "address"),
    [
        ("s3://acme/w/*.csv", "data/", "1.csv", "s3://acme/w/1.csv"),
        ("s3://acme/", "data/", "a/1.csv", "s3://acme/a/1.csv"),
        ("file:///mnt/w/", "data/", "1.csv", "file:///mnt/w/1.csv"),
        ("https://example.org/x", "data/x", "", "https://example.org/x"),
    ],
)
def test_the_address_of_one_of_many(url: str, path: str, inner: str, address: str) -> None:
    assert address_of(ExternalInput(url=url, path=path), path + inner) == address


@given(st.text(max_size=60))
def test_no_text_is_too_odd_for_a_question(text: str) -> None:
    assert isinstance(problem_with(ExternalInput(url=text, path="a")), str)
