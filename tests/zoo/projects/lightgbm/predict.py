from pathlib import Path

import lightgbm
import numpy as np

table = np.loadtxt("data/train.csv", delimiter=",")
scores = lightgbm.Booster(model_file="build/model.txt").predict(table[:, :2])
Path("build/scores.txt").write_text("".join(f"{score:.4f}\n" for score in scores))
