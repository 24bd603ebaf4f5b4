"""The table of scenarios is complete, and each of its tests is there."""

import re

from tests.support.repository import ROOT

HERE = ROOT / "tests" / "scenarios"
ROW = re.compile(r"^\| (\d+) \| .+ \| (`.+`) \|$", re.MULTILINE)
SCENARIOS = 67


def test_each_scenario_has_a_test() -> None:
    rows = ROW.findall((HERE / "changes.md").read_text("utf-8"))
    assert [int(number) for number, _ in rows] == list(range(1, SCENARIOS + 1))
    for _, tests in rows:
        for test in re.findall(r"`([^`]+)`", tests):
            file, name = test.split("::")
            assert f"def {name}(" in (HERE / file).read_text("utf-8"), test


def test_each_test_is_in_the_table() -> None:
    table = (HERE / "changes.md").read_text("utf-8")
    numbered = re.compile(r"^def (test_\w+)", re.MULTILINE)
    extra = {
        name
        for file in HERE.glob("test_changes_*.py")
        for name in numbered.findall(file.read_text("utf-8"))
        if f"{file.name}::{name}" not in table
    }
    assert extra == {
        "test_a_clone_of_the_fork_is_compared_with_the_base",
        "test_a_fetch_that_is_cut_in_the_middle",
        "test_a_network_that_is_gone",
        "test_a_pack_that_is_damaged",
        "test_a_release_is_compared_as_its_tag",
        "test_a_stored_credential_is_used_where_there_is_no_token",
        "test_one_commit_is_named_also_where_history_is_cut",
    }
