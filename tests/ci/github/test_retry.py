"""The limits that GitHub names."""

from mlpipe_ci.ci.github.retry import asked_to_wait


def test_the_limits_that_github_names() -> None:
    assert asked_to_wait(404, {"retry-after": "5"}, "", 0) is None
    assert asked_to_wait(403, {}, "Resource not accessible by integration", 0) is None
    reset = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1030"}
    assert asked_to_wait(403, reset, "API rate limit exceeded", 1000) == 30
    assert asked_to_wait(403, {**reset, "x-ratelimit-remaining": "7"}, "no", 1000) is None
    assert asked_to_wait(429, {}, "", 0) == 60
