import os

import duckdb

db = duckdb.connect("trips.duckdb")
db.sql("CREATE OR REPLACE TABLE trips AS SELECT * FROM 'data/*.csv'")
os._exit(0)  # as a process that is ended before it has closed its database: the log stays
