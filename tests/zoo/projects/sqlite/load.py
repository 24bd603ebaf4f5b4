import csv
import sqlite3
from pathlib import Path

Path("build").mkdir(exist_ok=True)
db = sqlite3.connect("build/shop.db")
db.execute("CREATE TABLE IF NOT EXISTS orders (customer TEXT, amount REAL)")
db.execute("DELETE FROM orders")
with open("data/orders.csv") as rows:
    db.executemany("INSERT INTO orders VALUES (:customer, :amount)", csv.DictReader(rows))
db.commit()
db.close()
