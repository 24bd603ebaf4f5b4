"""Reads one week of transactions, writes it without what cannot be used.

Usage: clean.py data/transactions/week-01.csv build/clean/week-01.parquet

Drops repeated transactions and those without a usable amount, sets the types
and sorts by time.
"""

import sys
from pathlib import Path

import pandas as pd

TYPES = {
    "transaction_id": "int64",
    "customer_id": "int32",
    "terminal_id": "int32",
    "amount": "float64",
    "fraud": "int8",
}


def main() -> None:
    week, output = Path(sys.argv[1]), Path(sys.argv[2])
    if not week.stat().st_size:
        raise SystemExit(f"clean: {week} is empty")
    raw = pd.read_csv(week)

    unique = raw.drop_duplicates("transaction_id")
    good = unique[unique["amount"] > 0]  # an empty amount is NaN, so it goes as well
    if good.empty:
        raise SystemExit(f"clean: no usable transactions in {week}")

    moments = pd.to_datetime(good["time"], format="%Y-%m-%dT%H:%M:%S").astype("datetime64[s]")
    table = good.astype(TYPES).assign(time=moments)
    table = table.sort_values(["time", "transaction_id"], ignore_index=True)

    output.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(output, index=False)
    print(
        f"clean: {week.stem}: {len(raw):,} rows, {len(raw) - len(unique):,} repeated, "
        f"{len(unique) - len(good):,} bad amounts, {len(table):,} out"
    )


if __name__ == "__main__":
    main()
