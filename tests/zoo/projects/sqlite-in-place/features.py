import sqlite3

db = sqlite3.connect("shop.db")
db.executescript("""
    DROP TABLE IF EXISTS features;
    CREATE TABLE features AS
        SELECT customer, count(*) AS orders, avg(amount) AS mean FROM orders GROUP BY customer;
    CREATE INDEX by_customer ON features (customer);
""")
db.close()
