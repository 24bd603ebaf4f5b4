from pathlib import Path

import duckdb

Path("build").mkdir(exist_ok=True)
with duckdb.connect("trips.duckdb", read_only=True) as db:
    totals = db.sql("SELECT city, sum(trips) FROM trips GROUP BY city ORDER BY city")
    Path("build/totals.txt").write_text(f"{totals.fetchall()}\n")
