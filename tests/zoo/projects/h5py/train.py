import json
from pathlib import Path

import h5py

with h5py.File("set.h5", "r") as file:
    bright = file["images"][:].mean(axis=(1, 2))
    weight = float((bright * file["labels"][:]).sum())
Path("model.json").write_text(json.dumps(round(weight, 6)))
