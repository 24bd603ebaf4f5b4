"""Python's search for modules is told from a program's own look, by what a process does next."""

import sys
from pathlib import Path

import pytest

from mlpipe_ci.tracing.access_log import IMPORTED, LISTED
from mlpipe_ci.tracing.seccomp.python_imports import PythonImports
from tests.support.traced_command import BOTH, watch

PLATFORM = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these tracers")

SEARCHES = {
    "an import": "import json",
    "two imports": "import json, csv",
    "a module beside it": "import near",
    "a package beside it": "import package.inner",
    "the version of a package": "import importlib.metadata as m; m.version('pip')",
    "all distributions": "import importlib.metadata as m; list(m.distributions())",
    "entry points": "import importlib.metadata as m; m.entry_points()",
    "an import in a thread": (
        "import threading; t = threading.Thread(target=lambda: __import__('csv')); t.start()\n"
        "t.join(); import json"
    ),
    "an import in a thread, after the directory has changed": (
        "import threading; open('new', 'w').close()\n"
        "t = threading.Thread(target=lambda: __import__('csv')); t.start(); t.join()"
    ),
    "an import in a fork": (
        "import os; open('new', 'w').close(); child = os.fork()\n"
        "import csv, json\n"
        "if child: os.waitpid(child, 0)"
    ),
    "a file that it reads by name": "import json; open('data.csv').read()",
    "a file that it writes by name": "import json; open('out.txt', 'w').write('1')",
}
LOOKS = {
    "listdir": "import os; os.listdir('.')",
    "listdir, then an import": "import os; os.listdir('.'); import json",
    "an import, then listdir": "import json, os; os.listdir('.')",
    "listdir between imports": "import json, os; os.listdir('.'); import csv",
    "scandir": "import os; list(os.scandir())",
    "listdir in a thread": (
        "import os, threading; t = threading.Thread(target=os.listdir, args=('.',)); t.start()\n"
        "t.join(); import json"
    ),
    "listdir in a thread, then an import there": (
        "import os, threading; f = lambda: (os.listdir('.'), __import__('csv'))\n"
        "t = threading.Thread(target=f); t.start(); t.join()"
    ),
    "listdir in a fork": (
        "import os; child = os.fork(); child or os.listdir('.'); import json\n"
        "if child: os.waitpid(child, 0)"
    ),
    "glob": "import glob; glob.glob('*.csv')",
    "glob, then an import": "import glob; glob.glob('*.csv'); import csv",
    "pathlib": "import pathlib; list(pathlib.Path('.').glob('*.csv'))",
    "asked, then listed": (
        "import pathlib; p = pathlib.Path('.'); p.exists(); p.is_dir(); list(p.glob('*.csv'))"
    ),
    "asked, then listed, nothing imported": (
        "import os; os.path.exists('.'); os.path.isdir('.'); os.listdir('.')"
    ),
    "asked, then listed, then an import": (
        "import os; os.path.exists('.'); os.path.isdir('.'); os.listdir('.'); import json"
    ),
    "the directory of the script": (
        "import pathlib; list(pathlib.Path(__file__).parent.glob('*.csv')); import csv"
    ),
    "versions, then a look": (
        "import importlib.metadata as m, os; m.version('pip'); os.listdir('.')"
    ),
    "another program": "import subprocess; subprocess.run(['ls'])",
    "listdir, then that of a directory in it": (
        "import near, os; os.listdir('.'); os.listdir('package'); os.listdir('package')"
    ),
    "walk": "import os; list(os.walk('.'))",
    "written, then listed, then an import of a package": (
        "import os, json, encodings; open('x', 'w').close(); os.stat('.'); os.listdir('.')\n"
        "import encodings.idna"
    ),
}


def listing(root: Path, program: str, tracer: str, *options: str) -> int:
    """The flags of the directory in which a program ran."""
    (root / "near.py").write_text("")
    (root / "data.csv").write_text("1")
    (root / "package").mkdir()
    for name in ("__init__", "inner"):
        (root / f"package/{name}.py").write_text("")
    (root / "program.py").write_text(program)
    seen = watch(root, "python", *(options or ("program.py",)), tracer=tracer)
    assert seen.outcome.exit_code == 0, seen.output
    return seen.trace.paths.get(str(root), 0)


@PLATFORM
@BOTH
@pytest.mark.parametrize("program", SEARCHES.values(), ids=list(SEARCHES))
def test_a_search_for_modules(tmp_path: Path, program: str, tracer: str) -> None:
    flags = listing(tmp_path, program, tracer)
    assert flags & IMPORTED or not flags & LISTED


@PLATFORM
@BOTH
@pytest.mark.parametrize("program", LOOKS.values(), ids=list(LOOKS))
def test_a_look_of_the_program_itself(tmp_path: Path, program: str, tracer: str) -> None:
    flags = listing(tmp_path, program, tracer)
    assert flags & LISTED
    assert not flags & IMPORTED


@PLATFORM
@BOTH
def test_a_module_that_is_run_by_its_name(tmp_path: Path, tracer: str) -> None:
    flags = listing(tmp_path, "", tracer, "-m", "package.inner")
    assert flags & IMPORTED


@PLATFORM
def test_a_package_that_looks_at_its_own_directory(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    text = "import pathlib\nd = pathlib.Path(__file__).parent\nd.exists()\nlist(d.glob('*.csv'))\n"
    (tmp_path / "package/__init__.py").write_text(text)
    (tmp_path / "package/inner.py").write_text("")
    (tmp_path / "program.py").write_text("import package.inner, csv")
    seen = watch(tmp_path, "python", "program.py")
    flags = seen.trace.paths[str(tmp_path / "package")]
    assert flags & LISTED
    assert not flags & IMPORTED


def test_the_library_in_one_file_comes_next_in_each_search() -> None:
    imports = PythonImports(lambda _process, _name: b"")
    imports.started(1, b"/bin/python3", b"/work")
    for _ in range(2):  # `importlib.metadata` may be asked again before it has gone on
        imports.listing_begins(1, b"/work")
        imports.listed(1, b"/work")
        imports.missed(1, b"/usr/lib/python313.zip")
        imports.asked(1, b"/work")
    assert imports.alone(b"/work")
    imports.listing_begins(1, b"/work")
    imports.listed(1, b"/work")
    imports.missed(1, b"/work/data.zip")
    imports.asked(1, b"/work")
    assert not imports.alone(b"/work")


def test_a_directory_of_python_path_is_searched(tmp_path: Path) -> None:
    imports = PythonImports(lambda _process, _name: b"/src:/more")
    imports.started(1, b"/bin/python3", b"/work")
    imports.listing_begins(1, b"/src")
    imports.listed(1, b"/src")
    imports.asked(1, b"/more")
    assert imports.alone(b"/src")
    imports.listing_begins(1, b"/more")
    imports.listed(1, b"/more")
    imports.asked(1, b"/src")
    assert not imports.alone(b"/more"), "a new search begins: that was the program"


def test_an_environment_in_the_directory_that_is_searched_first() -> None:
    imports = PythonImports(lambda _process, _name: b"")
    imports.started(1, b"/bin/python3", b"/work")
    for path in (b"/work", b"/work/.venv/lib/site-packages"):
        imports.listing_begins(1, path)
        imports.listed(1, path)
    assert imports.alone(b"/work")


def test_what_is_not_known_yet_is_the_programs(tmp_path: Path) -> None:
    imports = PythonImports(lambda _process, _name: b"")
    imports.started(1, b"/bin/python3", b"/work")
    imports.listing_begins(1, b"/work")
    imports.listed(1, b"/work")
    assert not imports.alone(b"/work")
    imports.ended(1)
    assert not imports.alone(b"/work")
