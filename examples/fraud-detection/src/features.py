"""Reads build/clean/*.parquet and build/profiles.parquet, writes build/features.parquet.

Every feature of a transaction uses only what was known when it was made: the
customer's earlier transactions, and the frauds of the terminal that are at
least LABEL_DELAY days old (a fraud is found out some days after it happened).
"""

from pathlib import Path

import numpy as np
import pandas as pd

CLEAN = Path("build/clean")
PROFILES = Path("build/profiles.parquet")
OUTPUT = Path("build/features.parquet")

FIRST_DAY = pd.Timestamp("2026-01-05")  # the Monday on which week 1 starts
WINDOWS = (1, 7, 28)  # days
LABEL_DELAY = 7  # days
NIGHT_ENDS = 6  # o'clock
DAY_SECONDS = 86_400


def past(
    table: pd.DataFrame, key: str, value: str, days: int, delay: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """For each row: count and mean of `value` over the rows of the same `key`
    in the `days` days that end `delay` days before it (0 where there are none).
    """
    seconds = table["time"].astype("int64").to_numpy()
    values = table[value].to_numpy(dtype="float64")
    count = np.zeros(len(table), dtype="int32")
    total = np.zeros(len(table))
    for rows in table.groupby(key, sort=True).indices.values():
        moments = seconds[rows]  # in order, because the table is sorted by time
        sums = np.concatenate(([0.0], np.cumsum(values[rows])))
        end = np.searchsorted(moments, moments - delay * DAY_SECONDS, side="left")
        start = np.searchsorted(moments, moments - (delay + days) * DAY_SECONDS, side="left")
        count[rows] = end - start
        total[rows] = sums[end] - sums[start]
    return count, np.round(total / np.maximum(count, 1), 6)


def main() -> None:
    weeks = sorted(CLEAN.glob("*.parquet"))
    for path, there in ((CLEAN, bool(weeks)), (PROFILES, PROFILES.is_file())):
        if not there:
            raise SystemExit(f"features: {path} is missing; run the step that writes it first")
    table = pd.concat([pd.read_parquet(week) for week in weeks], ignore_index=True)
    table = table.sort_values(["time", "transaction_id"], ignore_index=True)
    profiles = pd.read_parquet(PROFILES)
    if table.empty or profiles.empty:
        raise SystemExit(f"features: {CLEAN if table.empty else PROFILES} has no rows")

    table["time"] = table["time"].astype("datetime64[s]")
    table["week"] = ((table["time"] - FIRST_DAY).dt.days // 7 + 1).astype("int32")
    table["night"] = (table["time"].dt.hour < NIGHT_ENDS).astype("int8")
    table["weekend"] = (table["time"].dt.day_of_week >= 5).astype("int8")
    for days in WINDOWS:
        count, mean = past(table, "customer_id", "amount", days)
        table[f"customer_count_{days}d"] = count
        table[f"customer_mean_{days}d"] = mean
        count, rate = past(table, "terminal_id", "fraud", days, LABEL_DELAY)
        table[f"terminal_count_{days}d"] = count
        table[f"terminal_fraud_rate_{days}d"] = rate

    rows = len(table)
    table = table.merge(profiles, on="customer_id", how="inner", validate="many_to_one")
    if len(table) != rows:
        raise SystemExit(
            f"features: {rows - len(table):,} transactions of customers not in {PROFILES}"
        )
    table = table.sort_values(["time", "transaction_id"], ignore_index=True)

    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(OUTPUT, index=False)
    weeks, share = table["week"], table["fraud"].mean()
    print(
        f"features: {rows:,} rows, {table.shape[1]} columns, weeks {weeks.min()} to {weeks.max()}"
    )
    print(f"features: {share:.2%} of the transactions are frauds")


if __name__ == "__main__":
    main()
