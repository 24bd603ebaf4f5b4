from pathlib import Path

import pandas as pd

raw = pd.read_csv("data/raw.csv")
raw["large"] = raw["amount"] > 500
Path("out").mkdir(exist_ok=True)
raw.to_csv("out/clean.csv", index=False)
