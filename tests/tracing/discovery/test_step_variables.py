"""Variables of one step: what is kept of them, and what is compared."""

from collections.abc import Iterable
from pathlib import Path

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.workflow import SecretVariable, Step
from mlpipe_ci.tracing.discovery.env_variables import EVERY, PYTHON
from mlpipe_ci.tracing.discovery.step_variables import StepVariables, own_texts

RAN = frozenset({EVERY, PYTHON})


def step(run: str = "x", *, strict: bool = False, **env: str) -> Step:
    secret = SecretVariable(name="S", parts=((True, "HIDDEN"),))
    return Step(
        id="s",
        name="s",
        run=run,
        env=(*env.items(), ("S", "${{ secrets.HIDDEN }}")),
        secret_env=(secret,),
        strict_environment=strict,
    )


def names(inputs: Iterable[Input]) -> set[str]:
    return {item.path for item in inputs}


def unread() -> list[str]:
    raise AssertionError("a text is read, although no name is new")


def test_what_counts_and_what_is_kept(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("lr, HOME")
    env = {"LR": "1", "TZ": "UTC", "HOME": "/h", "API_TOKEN": "t", "S": "1", "OWN": "1", "Z": "1"}
    used = StepVariables(str(tmp_path), env).used(
        step("echo $HOME $CI $OWN $API_TOKEN $S", OWN="2"), [str(tmp_path / "x.py")], RAN
    )
    assert names(used.inputs) == {"env:", "env:LR", "env:TZ", "env:HOME", "env:CI"}
    digests = {item.path: item.digest for item in used.inputs}
    assert digests["env:"] == "set:every,python|LR TZ Z"
    assert digests["env:CI"] == "absent"
    assert used.named == ("LR",)


def test_a_name_that_comes(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("lr")
    before = "set:every|TZ"
    now = StepVariables(str(tmp_path), {"TZ": "UTC", "LR": "1", "MPLBACKEND": "agg", "Q": "1"})
    files = [str(tmp_path / "x.py")]
    assert [one.path for _, one in now.new(step(), before, lambda: files)] == ["env:LR"]
    of_python = now.new(step(), "set:every,python|LR Q TZ", unread)
    assert [one.path for _, one in of_python] == ["env:MPLBACKEND"]
    assert not list(now.new(step(strict=True), before, unread))
    assert not list(StepVariables("/", {"TZ": "X"}).new(step(), before, unread))


def test_the_place_of_the_repository_is_a_value() -> None:
    found = [StepVariables(root, {"PWD": "/elsewhere"}) for root in ("/a", "/a", "/b")]
    digests = [one.used(step("echo $PWD"), [], RAN).inputs[0].digest for one in found]
    assert digests[0] == digests[1] != digests[2]


def test_texts_of_packages_and_of_the_system_are_not_searched() -> None:
    own = ["/r/x.py", "/home/me/data.cfg", "/usr/local/etc/x"]
    others = ["/etc/hosts", "/r/env/lib/python3.11/site-packages/a.py", "/usr/lib/python3/x.py"]
    assert list(own_texts([*own, *others])) == own
    assert list(own_texts(["/r/__pycache__/x.cpython-311.pyc"])) == ["/r/x.py"]
