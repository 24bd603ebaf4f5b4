import json
from pathlib import Path

import wandb

weight = 0.0
with wandb.init(project="shop", config={"rate": 0.5}) as run:
    for epoch in range(3):
        weight += 0.5 * (1 - weight)
        run.log({"loss": 1 - weight})
Path("model.json").write_text(json.dumps(weight))
