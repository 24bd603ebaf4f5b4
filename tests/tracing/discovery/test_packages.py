"""What was opened in a `site-packages` directory, by distribution and by file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mlpipe_ci.tracing.discovery import record
from mlpipe_ci.tracing.discovery.packages import Site, modules_of


def unchanged(path: str) -> str:
    return path


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., Site]:
    """Writes files, and reads the directory."""

    def make(files: dict[str, str], where: str = "site-packages") -> Site:
        for name, text in files.items():
            path = tmp_path / where / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Site(str(tmp_path / where), record.summary, unchanged)

    return make


def wheel(name: str, version: str, *paths: str) -> dict[str, str]:
    info = f"{name}-{version}.dist-info"
    rows = "".join(f"{path},sha256=1,1\n" for path in (*paths, f"{info}/METADATA"))
    return {f"{info}/RECORD": rows, f"{info}/METADATA": "", **dict.fromkeys(paths, "")}


def test_a_file_belongs_to_whoever_lists_it(site: Callable[..., Site]) -> None:
    found = site(
        {
            **wheel("a_ns", "1", "ns/a.py", "_a.py"),
            **wheel("b_ns", "2", "ns/b.py"),
            **wheel("Other.Name", "3", "unlike.py"),
            "ns/loose.py": "x",
        }
    )
    seen = found.seen(["ns/a.py", "unlike.py", "ns/loose.py", "ns/gone.py", ""])
    assert sorted(seen) == ["./ns/loose.py", "a-ns", "other-name"]
    assert seen["a-ns"].startswith("version:1 ")


def test_two_that_list_the_same_file_both_count(site: Callable[..., Site]) -> None:
    found = site({**wheel("cv", "1", "cv2/i.py"), **wheel("cv_headless", "1", "cv2/i.py")})
    assert sorted(found.seen(["cv2/i.py"])) == ["cv", "cv-headless"]


def test_byte_code_is_its_source(site: Callable[..., Site]) -> None:
    found = site(
        {
            **wheel("a", "1", "a/x.py"),
            "loose.py": "",
            "a/__pycache__/x.cpython-311.pyc": "",
            "__pycache__/loose.cpython-311.pyc": "",
            "bare.pyc": "",
        }
    )
    paths = ("a/__pycache__/x.cpython-311.pyc", "__pycache__/loose.cpython-311.pyc", "bare.pyc")
    assert sorted(found.seen(paths)) == ["./bare.pyc", "./loose.py", "a"]


OLD = {
    "a list": {"old-1.egg-info/installed-files.txt": "../lib/x.py\nPKG-INFO\n"},
    "its top": {"old-1-py3.11.egg-info/top_level.txt": "lib\n"},
    "a top of a dist-info": {"old-1.dist-info/top_level.txt": "lib\n"},
    "its name": {"Lib-1.egg-info": "Version: 1\n"},
}


@pytest.mark.parametrize("case", OLD)
def test_a_distribution_without_a_record_counts_by_its_files(
    site: Callable[..., Site], case: str
) -> None:
    found = site({**OLD[case], "lib/x.py": "1", "lib/y.py": "2"}).seen(["lib/x.py"])
    name = "lib" if case == "its name" else "old"
    assert sorted(found) == ["./lib/x.py", name]
    assert found[name] == "version:1"
    assert found["./lib/x.py"].startswith("bytes:")


def test_what_each_start_opens_for_the_sake_of_installers_is_nothing(
    site: Callable[..., Site],
) -> None:
    names = ("_virtualenv.pth", "_virtualenv.py", "distutils-precedence.pth")
    found = site({**dict.fromkeys(names, ""), "_distutils_hack/__init__.py": ""})
    assert found.seen([*names, "_distutils_hack/__init__.py"]) == {}
    assert found.found("") == "found:|"


def test_modules_that_are_wanted_and_files_that_python_starts_with(
    site: Callable[..., Site],
) -> None:
    names = ("tiny/x.py", "fast.cpython-311-x86_64-linux-gnu.so", "one.py", "other.py", "two.txt")
    more = ("one-1.0.dist-info/x", "tiny.libs/x", "s.pth", "sitecustomize.py")
    found = site(dict.fromkeys((*names, *more), ""))
    here = f"fast{names[1].removeprefix('fast')}/one.py/s.pth/sitecustomize.py/tiny"
    assert found.found("fast one tiny two") == f"found:{here}|fast one tiny two"


def test_an_editable_installation_is_here_by_its_name(site: Callable[..., Site]) -> None:
    files = wheel("my_churn", "1", "_editable_my_churn.pth")
    info = "my_churn-1.dist-info"
    files[f"{info}/direct_url.json"] = '{"dir_info": {"editable": true}}'
    files[f"{info}/top_level.txt"] = "churn\n"
    found = site(files)
    assert found.found("other") == "found:|other"
    assert found.found("churn other") == "found:churn@|churn other"
    assert found.seen(["_editable_my_churn.pth"]) == {}


@pytest.mark.parametrize(
    ("opened", "shown"),
    [
        (["a-1.dist-info/METADATA", "b-1.dist-info/METADATA"], {"*"}),
        (["a-1.dist-info/METADATA"], set()),
        (["a-1.dist-info/METADATA", "b-1.dist-info/RECORD"], set()),
        (["a-1.dist-info/entry_points.txt"], {"entry_points.txt"}),  # no other has any
        (["b-1.dist-info/entry_points.txt"], set()),
        (["a-1.dist-info/none.txt", "b-1.dist-info/none.txt"], {"*"}),  # both in vain
        (["a/x.py", "b/x.py"], set()),
    ],
)
def test_who_asks_everyone_for_one_thing_sees_the_set(
    site: Callable[..., Site], opened: list[str], shown: set[str]
) -> None:
    files = {**wheel("a", "1", "a/x.py"), **wheel("b", "1", "b/x.py")}
    made = site({**files, "a-1.dist-info/entry_points.txt": ""})
    assert made.shown(made.asked(opened)) == shown


def test_entry_points_are_what_is_offered_and_not_by_whom(site: Callable[..., Site]) -> None:
    offer = {"a-1.dist-info/entry_points.txt": "[x]\na = a\n"}
    one = site({**wheel("a", "1"), **offer}, "1")
    more = {**wheel("a", "1"), **offer, **wheel("b", "1"), **wheel("pip", "1")}
    more["pip-1.dist-info/entry_points.txt"] = "[console_scripts]\npip = pip\n"
    assert site(more, "2").entry_points() == one.entry_points()
    assert site({**more, "b-1.dist-info/entry_points.txt": "[x]\n"}, "3").entry_points() != (
        one.entry_points()
    )
    seen = one.seen(["a-1.dist-info/entry_points.txt"], shown=["entry_points.txt"])
    assert seen == {"entry_points.txt": one.entry_points()}


def test_the_set_is_of_names_and_versions(site: Callable[..., Site]) -> None:
    one = site(wheel("a", "1"), "1").all()
    assert site(wheel("a", "1", "a.py"), "2").all() == one
    assert site(wheel("a", "2"), "3").all() != one
    assert site({**wheel("a", "1"), **wheel("b", "1")}, "4").all() != one
    here = {"direct_url.json": '{"url": "file:///x", "dir_info": {}}'}
    local = [
        site({**wheel("a", v), f"a-{v}.dist-info/direct_url.json": here["direct_url.json"]}, v)
        for v in ("5", "6")
    ]
    assert local[0].all() == local[1].all() != one


def test_what_is_not_there(site: Callable[..., Site]) -> None:
    empty = site({}, "nowhere")
    assert empty.is_empty
    assert empty.digest("a") == empty.content("a.pth") == "absent"
    assert empty.seen(["a.py"]) == {}
    assert Site("", record.summary, unchanged).content("../../../bin/sh") == "absent"


@pytest.mark.parametrize("text", ['"', "a\0b,c\n", "\n,,\n"])
def test_a_damaged_record(site: Callable[..., Site], text: str) -> None:
    found = site({"a-1.dist-info/RECORD": text, "a/x.py": "1"})
    assert "./a/x.py" in found.seen(["a/x.py"])


@pytest.mark.parametrize(
    ("entry", "name", "version"),
    [
        ("torch-2.1.0+cu118.dist-info", "torch", "2.1.0+cu118"),
        ("My_Own.Name-1.0.dist-info", "my-own-name", "1.0"),
        ("old-name-1.0-py3.11.egg-info", "old-name", "1.0"),
        ("old-1.0-py3.11-linux-x86_64.egg-info", "old", "1.0"),
    ],
)
def test_names_of_metadata(site: Callable[..., Site], entry: str, name: str, version: str) -> None:
    assert site({f"{entry}/x": ""}).digest(name) == f"version:{version}"


def test_modules_of_files() -> None:
    paths = ["a/b.py", "__pycache__/c.cpython-311.pyc", "d.so", "e-1.dist-info/RECORD"]
    others = ["_distutils_hack/override.py", "x.pth", "__editable___y_1_finder.py"]
    assert modules_of([*paths, *others]) == {"a", "c", "d"}
