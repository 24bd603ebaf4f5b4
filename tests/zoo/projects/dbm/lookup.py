import dbm
from pathlib import Path

with dbm.open("words", "r") as index:
    found = sorted(f"{key.decode()} {index[key].decode()}" for key in index.keys())
Path("found.txt").write_text("\n".join(found) + "\n")
