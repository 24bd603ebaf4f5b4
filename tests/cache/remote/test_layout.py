"""The scope that a path tells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.cache.remote import layout

DIGEST = "blake3:" + "ab" * 32


@given(st.sampled_from(["main", "pr/7", "branch/a%2Fb", "branch/results"]))
def test_a_path_tells_its_scope(scope: str) -> None:
    paths = (
        layout.object_path(scope, DIGEST),
        layout.result_path(scope, "cd" * 32, "name"),
        layout.recent_path(scope, "mlpipe.yml"),
        layout.run_path(scope, 1.5, "8"),
    )
    assert [layout.scope_of(path) for path in paths] == [scope] * 4
    assert layout.key_of(paths[1]) == ("cd" * 32, "name")
    assert layout.digest_of(paths[0]) == DIGEST


@pytest.mark.parametrize("path", ["v2/main/objects/a", "v1/main/else/a", "x", "v1/objects/a"])
def test_what_is_not_ours_has_no_scope(path: str) -> None:
    assert not layout.scope_of(path)
