"""The tables of environment variables."""

import re

import pytest

from mlpipe_ci.tracing.discovery.env_variables import (
    BY_THEMSELVES,
    EVERY,
    NUMERIC,
    PYTHON,
    WHERE,
    is_credential,
    is_where,
    kinds,
    may_count,
    reader_of,
    where_named,
)


@pytest.mark.parametrize(
    "name", ["HF_TOKEN", "db_password", "AWS_ACCESS_KEY_ID", "API_KEY", "TOKEN", "MYSQL_PWD"]
)
def test_credentials(name: str) -> None:
    assert is_credential(name)
    assert not may_count(name)
    assert not reader_of(name)
    assert not where_named([name])


@pytest.mark.parametrize(
    "name",
    [
        *("MAX_TOKEN_LENGTH", "N_KEYS", "TOKENIZERS_PARALLELISM", "KEYWORD", "SECRETARY", "LR"),
        *("DATA_ROOT", "HISTORY_LENGTH", "CI_LEVEL", "BUILD_TYPE", "SESSION_LENGTH", "TEMP"),
        *("SECONDS", "HOST", "SLURM_ARRAY_TASK_ID", "CONDITION", "LESSON"),
    ],
)
def test_settings_are_neither_credentials_nor_names_of_where(name: str) -> None:
    assert may_count(name)


def examples(patterns: tuple[str, ...]) -> list[str]:
    return [re.sub(r"\[(.).*\]", r"\1", one).replace("*", "X") for one in patterns]


@pytest.mark.parametrize("line", WHERE, ids=lambda line: line[1][0])
def test_each_line_of_where(line: tuple[str, tuple[str, ...]]) -> None:
    reason, patterns = line
    assert reason
    for name in examples(patterns):
        assert is_where(name)
        assert not reader_of(name)
        assert is_credential(name) or where_named([f"echo ${{{name}}}"]) == {name}
        assert not where_named([f"python x.py --{name.lower()}_x"])


@pytest.mark.parametrize("line", BY_THEMSELVES, ids=lambda line: line[2][0])
def test_each_line_of_what_is_read_unasked(line: tuple[str, str, tuple[str, ...]]) -> None:
    kind, reason, patterns = line
    assert reason
    for name in examples(patterns):
        assert reader_of(name) == kind
        assert may_count(name)


@pytest.mark.parametrize(
    ("programs", "python", "found"),
    [
        (["/usr/bin/bash", "/bin/cp"], False, {EVERY}),
        (["/usr/bin/bash", "/usr/bin/python3.11"], False, {EVERY, PYTHON, NUMERIC}),
        (["/usr/bin/bash"], True, {EVERY, PYTHON, NUMERIC}),
        (["/usr/bin/Rscript"], False, {EVERY, NUMERIC}),
        (["/home/me/solver"], False, {EVERY, NUMERIC}),
    ],
)
def test_kinds_of_programs(programs: list[str], python: bool, found: set[str]) -> None:
    assert kinds(programs, python=python) == found
