"""Signals in a run, by real signals in this process."""

import signal

import pytest

from mlpipe_ci.core.errors import MlpipeError
from mlpipe_ci.run.interrupts import NUMBERS, Interrupts


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_raises_and_the_handlers_come_back(number: signal.Signals) -> None:
    before, interrupts = signal.getsignal(number), Interrupts()
    with pytest.raises(KeyboardInterrupt), interrupts.watch():
        signal.raise_signal(number)
    assert interrupts.count == 1
    assert signal.getsignal(number) is before


def test_a_signal_that_became_another_exception_is_an_interrupt() -> None:
    def interrupted() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt as error:
            raise OSError("Bad file descriptor") from error

    with pytest.raises(KeyboardInterrupt), Interrupts().watch():
        interrupted()


@pytest.mark.parametrize("kind", [RuntimeError, MlpipeError])
def test_without_a_signal_an_exception_stays_what_it_is(kind: type[Exception]) -> None:
    with pytest.raises(kind), Interrupts().watch():
        raise kind("a fault")


def test_a_deferred_signal_is_raised_at_the_next_look_and_a_second_at_once() -> None:
    interrupts = Interrupts()
    with interrupts.watch():
        with interrupts.deferred():
            signal.raise_signal(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
        interrupts.check()


def test_while_the_run_ends_a_signal_calls_what_is_urgent() -> None:
    interrupts, called = Interrupts(), list[int]()
    with interrupts.watch():
        interrupts.ending(lambda: called.append(1))
        signal.raise_signal(signal.SIGTERM)
    assert called == [1]
