"""Parquet: columns, rows, metadata. CSV: what it leaves of the process."""

import csv
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlpipe_ci.audit.compare.tables import delimited, parquet
from mlpipe_ci.audit.compare.values import UnreadableError


def saved(tmp_path: Path, *tables: pa.Table, **options: object) -> tuple[Path, Path]:
    paths = (tmp_path / "old.parquet", tmp_path / "new.parquet")
    for path, table in zip(paths, tables, strict=True):
        pq.write_table(table, path, **options)
    return paths


def test_the_first_value_that_differs(tmp_path: Path) -> None:
    old, new = pa.table({"a": [1, 2], "b": [1.0, 2.0]}), pa.table({"a": [1, 2], "b": [1.0, 2.5]})
    found = parquet(*saved(tmp_path, old, new))
    assert found == "column b, row 2: 2.0 → 2.5; largest distance 0.5 (relative 0.2)"


def test_columns_rows_order_and_metadata(tmp_path: Path) -> None:
    a = pa.table({"a": [1, 2]})
    assert "a: int64, now a: string" in parquet(*saved(tmp_path, a, pa.table({"a": ["1", "2"]})))
    assert "2 rows, now 3" in parquet(*saved(tmp_path, a, pa.table({"a": [1, 2, 3]})))
    assert "another order" in parquet(*saved(tmp_path, a, pa.table({"a": [2, 1]})))
    stamped = [a.replace_schema_metadata({"made": time}) for time in ("1", "2")]
    assert parquet(*saved(tmp_path, *stamped)) == "only its metadata differ: made"
    empty = pa.table({"a": [None, float("nan")]})
    assert "only how it was written" in parquet(*saved(tmp_path, empty, empty))


def test_without_pyarrow_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UnreadableError, match=r"pip install 'mlpipe-ci\[plots\]'"):
        parquet(tmp_path, tmp_path)


def test_the_limit_of_csv_is_as_it_was(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    paths = (tmp_path / "old.csv", tmp_path / "new.csv")
    for path, text in zip(paths, ("a,b\n1,2\n", "a,b\n1,3\n"), strict=True):
        path.write_text(text)
    assert "2 → 3" in delimited(*paths, ",")
    assert csv.field_size_limit() == before
