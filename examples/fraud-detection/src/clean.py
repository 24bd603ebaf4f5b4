"""Reads data/transactions/*.csv, writes build/clean.parquet.

Drops repeated transactions and those without a usable amount, sets the types
and sorts by time.
"""

from pathlib import Path

import pandas as pd

INPUT = Path("data/transactions")
OUTPUT = Path("build/clean.parquet")

TYPES = {
    "transaction_id": "int64",
    "customer_id": "int32",
    "terminal_id": "int32",
    "amount": "float64",
    "fraud": "int8",
}


def main() -> None:
    files = sorted(INPUT.glob("*.csv"))
    if not files:
        raise SystemExit(f"clean: no CSV files in {INPUT}")
    for file in files:
        if not file.stat().st_size:
            raise SystemExit(f"clean: {file} is empty")
    raw = pd.concat([pd.read_csv(file) for file in files], ignore_index=True)

    unique = raw.drop_duplicates("transaction_id")
    good = unique[unique["amount"] > 0]  # an empty amount is NaN, so it goes as well
    if good.empty:
        raise SystemExit(f"clean: no usable transactions in {len(files)} files of {INPUT}")

    moments = pd.to_datetime(good["time"], format="%Y-%m-%dT%H:%M:%S").astype("datetime64[s]")
    table = good.astype(TYPES).assign(time=moments)
    table = table.sort_values(["time", "transaction_id"], ignore_index=True)

    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(OUTPUT, index=False)
    print(f"clean: {len(raw):,} rows in {len(files)} files, {len(table):,} out")
    print(
        f"clean: dropped {len(raw) - len(unique):,} repeated, "
        f"{len(unique) - len(good):,} bad amounts"
    )


if __name__ == "__main__":
    main()
