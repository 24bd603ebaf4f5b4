import json
from pathlib import Path

import lightgbm
import numpy as np

table = np.loadtxt("data/train.csv", delimiter=",")
data = lightgbm.Dataset(table[:, :2], label=table[:, 2], params={"min_data_in_bin": 1})
params = json.loads(Path("params.json").read_text())
Path("build").mkdir(exist_ok=True)
model = lightgbm.train(params, data, num_boost_round=5)
data.save_binary("train.bin")
model.save_model("build/model.txt")
