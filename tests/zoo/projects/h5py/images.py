from pathlib import Path

import h5py
import numpy as np

random = np.random.default_rng(int(Path("data/seed.txt").read_text()))
with h5py.File("set.h5", "w") as file:
    file.create_dataset("images", data=random.random((4, 8, 8)), compression="gzip")
