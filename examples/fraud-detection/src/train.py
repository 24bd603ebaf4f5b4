"""Reads build/features.parquet, writes models/fraud.joblib.

Trains on every week but the last, which is kept for the evaluation.
"""

from pathlib import Path

import joblib
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

INPUT = Path("build/features.parquet")
OUTPUT = Path("models/fraud.joblib")

TREES = 100
MAX_DEPTH = 8
MIN_LEAF = 5
SEED = 2026

NOT_FEATURES = {"transaction_id", "time", "customer_id", "terminal_id", "fraud", "week"}


def main() -> None:
    if not INPUT.is_file():
        raise SystemExit(f"train: {INPUT} is missing; run the features step first")
    table = pd.read_parquet(INPUT)
    train = table[table["week"] < table["week"].max()]
    if train.empty:
        raise SystemExit(f"train: {INPUT} needs at least two weeks, one is kept for the evaluation")
    if train["fraud"].nunique() < 2:
        raise SystemExit("train: the weeks to train on need both frauds and honest transactions")

    features = [name for name in table.columns if name not in NOT_FEATURES]
    model = RandomForestClassifier(
        n_estimators=TREES,
        max_depth=MAX_DEPTH,
        min_samples_leaf=MIN_LEAF,
        random_state=SEED,
        n_jobs=1,
    )
    model.fit(train[features], train["fraud"])

    weeks = sorted(int(week) for week in train["week"].unique())
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    joblib.dump({"model": model, "features": features, "weeks": weeks}, OUTPUT, compress=3)
    print(
        f"train: {len(train):,} transactions of weeks {weeks[0]} to {weeks[-1]}, "
        f"{len(features)} features"
    )
    best = sorted(zip(model.feature_importances_, features, strict=True), reverse=True)[:3]
    print("train: most useful: " + ", ".join(f"{name} {weight:.2f}" for weight, name in best))


if __name__ == "__main__":
    main()
