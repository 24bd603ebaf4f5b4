import csv
import sqlite3

db = sqlite3.connect("shop.db")
db.execute("PRAGMA journal_mode = WAL")
db.execute("CREATE TABLE IF NOT EXISTS orders (customer TEXT, amount REAL)")
db.execute("DELETE FROM orders")
with open("data/orders.csv") as rows:
    db.executemany("INSERT INTO orders VALUES (:customer, :amount)", csv.DictReader(rows))
db.commit()
db.close()
