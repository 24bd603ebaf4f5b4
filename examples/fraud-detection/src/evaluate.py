"""Reads build/features.parquet and models/fraud.joblib, writes reports/metrics.json and roc.csv.

Scores the last week, which the model has not seen.
"""

import json
from pathlib import Path

import joblib
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

FEATURES = Path("build/features.parquet")
MODEL = Path("models/fraud.joblib")
OUTPUT = Path("reports/metrics.json")
CURVE = Path("reports/roc.csv")

ALERTS = 100  # transactions that people can look at in a day


def daily_recall(scored: pd.DataFrame) -> float:
    """Share of a day's frauds among its ALERTS highest scores, mean over days with frauds."""
    ranked = scored.sort_values(["score", "transaction_id"], ascending=[False, True])
    recalls = []
    for _, day in ranked.groupby(ranked["time"].dt.date, sort=True):
        frauds = int(day["fraud"].sum())
        if frauds:
            recalls.append(int(day["fraud"].head(ALERTS).sum()) / frauds)
    return sum(recalls) / len(recalls)


def main() -> None:
    for path in (FEATURES, MODEL):
        if not path.is_file():
            raise SystemExit(f"evaluate: {path} is missing; run the step that writes it first")
    table, bundle = pd.read_parquet(FEATURES), joblib.load(MODEL)
    if table.empty:
        raise SystemExit(f"evaluate: {FEATURES} has no rows")

    week = int(table["week"].max())
    if week in bundle["weeks"]:
        raise SystemExit(f"evaluate: the model was trained on week {week}; train it again")
    scored = table[table["week"] == week].copy()
    if scored["fraud"].nunique() < 2:
        raise SystemExit(f"evaluate: week {week} needs both frauds and honest transactions")
    scored["score"] = bundle["model"].predict_proba(scored[bundle["features"]])[:, 1]

    metrics: dict[str, float | int] = {
        "auc": round(float(roc_auc_score(scored["fraud"], scored["score"])), 4),
        "average_precision": round(
            float(average_precision_score(scored["fraud"], scored["score"])), 4
        ),
        f"recall_at_{ALERTS}_alerts_a_day": round(daily_recall(scored), 4),
        "transactions": len(scored),
        "frauds": int(scored["fraud"].sum()),
    }
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(metrics, indent=2, sort_keys=True) + "\n"
    OUTPUT.write_text(text, encoding="utf-8", newline="\n")
    false, true, _ = roc_curve(scored["fraud"], scored["score"])
    curve = pd.DataFrame({"fpr": false, "tpr": true}).round(5)
    CURVE.write_text(curve.to_csv(index=False, lineterminator="\n"), encoding="utf-8", newline="\n")
    print(f"evaluate: week {week}, {len(scored):,} transactions, {metrics['frauds']} frauds")
    print(f"evaluate: auc {metrics['auc']}, average precision {metrics['average_precision']}")


if __name__ == "__main__":
    main()
