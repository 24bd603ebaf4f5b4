import csv
import sqlite3

db = sqlite3.connect("shop.db")
with open("export.csv", "w", newline="") as out:
    csv.writer(out).writerows(db.execute("SELECT * FROM features ORDER BY customer"))
db.close()
