"""The same small table in each format, and the series that are drawn of it."""

import io
import json
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from mlpipe_ci.core.workflow import Plot
from mlpipe_ci.metrics.plots.series import drawn_series
from mlpipe_ci.metrics.plots.tables import rows

TABLE = [{"x": 1, "y": 2.5}, {"x": 2, "y": 3.5}]


def parquet_bytes() -> bytes:
    out = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(TABLE), out)
    return out.getvalue()


FILES = {
    "a.csv": b"x,y\n1,2.5\n2,3.5\n",
    "a.tsv": b"x\ty\n1\t2.5\n2\t3.5\n",
    "a.json": json.dumps(TABLE).encode(),
    "b.json": b'{"x": [1, 2], "y": [2.5, 3.5], "n": 2}',
}


def drawn(name: str, data: bytes, side: str = "here", most: int = 100, **more: Any) -> Any:
    kind = more.pop("kind", "line")
    table = rows(io.BytesIO(data), name, len(data))
    return drawn_series(Plot(path=name, **more), kind, table, side, most)
