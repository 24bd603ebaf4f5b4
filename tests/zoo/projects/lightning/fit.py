"""Writes logs and checkpoints where Lightning does: a new version for each run, and last.ckpt."""

import csv
import json
import os
from pathlib import Path

from model import train


def next_version(root):
    if not root.is_dir():
        return 0
    taken = [int(entry.name.split("_")[1]) for entry in root.iterdir() if entry.is_dir()]
    return max(taken, default=-1) + 1


def save(path, epoch, weight):
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"epoch": epoch, "state_dict": {"weight": round(weight, 6)}}))
    os.replace(part, path)


logs = Path("lightning_logs")
run = logs / f"version_{next_version(logs)}"
run.mkdir(parents=True)
(run / "hparams.yaml").write_text("rate: 0.5\n")
last, weight = Path("checkpoints/last.ckpt"), 0.0
with (run / "metrics.csv").open("w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow(["epoch", "loss"])
    for epoch in range(3):
        weight = train(weight)
        rows.writerow([epoch, 1 - weight])
        save(run / "checkpoints" / f"epoch={epoch}-step={epoch * 10}.ckpt", epoch, weight)
        if epoch:
            (run / "checkpoints" / f"epoch={epoch - 1}-step={(epoch - 1) * 10}.ckpt").unlink()
        save(last, epoch, weight)
