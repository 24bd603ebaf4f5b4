import duckdb

with duckdb.connect("trips.duckdb") as db:
    db.sql("CREATE OR REPLACE TABLE trips AS SELECT * FROM 'data/*.csv'")
