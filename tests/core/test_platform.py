"""The platform of a result, kept and shown."""

import pytest

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.platform import platform_input, platform_of, shown_platform


@pytest.mark.parametrize(
    ("system", "machine", "digest", "shown"),
    [
        ("Linux", "x86_64", "linux x86_64", "Linux x86_64"),
        ("Darwin", "arm64", "darwin arm64", "macOS arm64"),
        ("SunOS", "sun4v", "sunos sun4v", "sunos sun4v"),
    ],
)
def test_a_platform_is_kept_and_shown(system: str, machine: str, digest: str, shown: str) -> None:
    item = platform_input(system, machine)
    assert item.digest == digest
    assert platform_of([Input(path="x", digest="git:1"), item]) == digest
    assert shown_platform(digest) == shown


def test_an_older_result_has_none() -> None:
    assert not platform_of([Input(path="x", digest="git:1")])
