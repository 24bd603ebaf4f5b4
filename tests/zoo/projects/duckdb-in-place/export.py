from pathlib import Path

import duckdb

Path("build").mkdir(exist_ok=True)
with duckdb.connect("trips.duckdb", read_only=True) as db:
    db.sql("COPY (SELECT * FROM totals ORDER BY city) TO 'build/totals.csv'")
