import argparse
import json
from pathlib import Path

import mlflow
import pandas as pd
import tracking  # noqa: F401

parser = argparse.ArgumentParser()
parser.add_argument("--rate", type=float, required=True)
rate = parser.parse_args().rate

points = pd.read_csv("data/points.csv")
slope = 0.0
with mlflow.start_run():
    mlflow.log_param("rate", rate)
    for epoch in range(5):
        error = (points.y - slope * points.x).mean()
        slope += rate * error
        mlflow.log_metric("error", error, step=epoch)
    Path("build").mkdir(exist_ok=True)
    Path("build/model.json").write_text(json.dumps({"slope": round(slope, 6)}))
    mlflow.log_artifact("build/model.json")
