import duckdb

with duckdb.connect("trips.duckdb") as db:
    db.sql("CREATE OR REPLACE TABLE totals AS SELECT city, sum(trips) t FROM trips GROUP BY city")
