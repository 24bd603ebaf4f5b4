"""What steps are given of the environment that mlpipe was started with."""

import pytest

from mlpipe_ci.core.step_environment import environment_of_steps, passed


@pytest.mark.parametrize(
    ("env", "at_desk", "given"),
    [
        ({}, True, {"TZ": "UTC", "PYTHONHASHSEED": "0", "LANG": "C.UTF-8"}),
        ({}, False, {"TZ": "UTC", "PYTHONHASHSEED": "0", "LANG": "C.UTF-8"}),
        (
            {"TZ": "XXX-9", "PYTHONHASHSEED": "7", "LC_TIME": "de_DE", "LANGUAGE": "de"},
            True,
            {"TZ": "XXX-9", "PYTHONHASHSEED": "7", "LANG": "C.UTF-8"},
        ),
        (
            {"TZ": "XXX-9", "LC_ALL": "C"},
            False,
            {"TZ": "XXX-9", "PYTHONHASHSEED": "0", "LC_ALL": "C"},
        ),
        (
            {"X": "1", "MLPIPE_TOKEN": "t"},
            True,
            {"X": "1", "TZ": "UTC", "PYTHONHASHSEED": "0", "LANG": "C.UTF-8"},
        ),
    ],
)
def test_defaults_and_language(env: dict[str, str], at_desk: bool, given: dict[str, str]) -> None:
    assert environment_of_steps(env, at_desk=at_desk) == given


def test_strict_passes_what_every_step_needs() -> None:
    env = {"PATH": "p", "HOME": "h", "TZ": "UTC", "LC_ALL": "C", "PWD": "d", "LR": "1"}
    assert passed(env, strict=False) == env
    assert passed(env, strict=True).keys() == {"PATH", "HOME", "TZ", "LC_ALL"}


def test_where_somebody_was_before_is_not_passed() -> None:
    """A shell looks at its start whether that directory is there."""
    given = environment_of_steps({"PATH": "p", "OLDPWD": "/somewhere"}, at_desk=True)
    assert "OLDPWD" not in given
    assert given["PATH"] == "p"
