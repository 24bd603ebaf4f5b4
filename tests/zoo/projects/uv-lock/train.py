from pathlib import Path

from shop.prices import price

Path("build").mkdir(exist_ok=True)
Path("build/model.txt").write_text(f"{[price(n) for n in range(5)]}\n")
