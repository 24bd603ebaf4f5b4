"""The circuit breaker."""

from mlpipe_ci.cache.remote.circuit_breaker import FAILURES, PAUSE, CircuitBreaker


def test_after_three_failures_nothing_is_asked_until_a_probe_succeeds() -> None:
    now = [0.0]
    breaker = CircuitBreaker(lambda: now[0])
    assert [breaker.failed() for _ in range(FAILURES)] == [False, False, True]
    assert not breaker.allows()
    now[0] = PAUSE
    assert breaker.allows(), "the probe"
    assert not breaker.allows(), "one alone"
    assert not breaker.failed(), "said once"
    now[0] += PAUSE * 1.9
    assert not breaker.allows(), "twice as long"
    now[0] += PAUSE * 0.1
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.allows()
    assert breaker.allows()
