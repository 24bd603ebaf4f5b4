import h5py
import numpy as np

with h5py.File("set.h5", "a") as file:
    if "labels" in file:
        del file["labels"]
    file["labels"] = np.loadtxt("data/labels.txt", dtype=int)
