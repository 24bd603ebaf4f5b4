from pathlib import Path

import duckdb

Path("build").mkdir(exist_ok=True)
with duckdb.connect("trips.duckdb", read_only=True) as db:
    totals = "SELECT city, sum(trips) AS trips FROM trips GROUP BY city ORDER BY city"
    db.sql(f"COPY ({totals}) TO 'build/totals.parquet' (FORMAT parquet)")
