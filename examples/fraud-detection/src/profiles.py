"""Reads data/customers.csv and data/terminals.csv, writes build/profiles.parquet.

One row for each customer: what the surroundings of the home look like. No
transaction is read, so a new week does not change this table.
"""

from pathlib import Path

import numpy as np
import pandas as pd

CUSTOMERS = Path("data/customers.csv")
TERMINALS = Path("data/terminals.csv")
OUTPUT = Path("build/profiles.parquet")

REACH = 6.0  # a terminal closer than this to the home is within reach


def read(path: Path) -> pd.DataFrame:
    if not path.is_file() or not path.stat().st_size:
        raise SystemExit(f"profiles: {path} is missing or empty")
    table = pd.read_csv(path)
    if table.empty:
        raise SystemExit(f"profiles: {path} has no rows")
    return table


def distances(customers: pd.DataFrame, places: pd.DataFrame) -> np.ndarray:
    """Distance from every customer (rows) to every place (columns)."""
    dx = customers["x"].to_numpy()[:, None] - places["x"].to_numpy()[None, :]
    dy = customers["y"].to_numpy()[:, None] - places["y"].to_numpy()[None, :]
    return np.asarray(np.sqrt(dx * dx + dy * dy))


def build(customers: pd.DataFrame, terminals: pd.DataFrame) -> pd.DataFrame:
    to_terminals = distances(customers, terminals)
    within = to_terminals <= REACH
    reachable = within.sum(axis=1)
    nearest = to_terminals.min(axis=1)
    mean = (to_terminals * within).sum(axis=1) / np.maximum(reachable, 1)
    neighbours = (distances(customers, customers) <= REACH).sum(axis=1) - 1
    return pd.DataFrame(
        {
            "customer_id": customers["customer_id"].astype("int32"),
            "terminals_in_reach": reachable.astype("int32"),
            "mean_terminal_distance": np.where(reachable > 0, mean, nearest),
            "nearest_terminal_distance": nearest,
            "neighbours": neighbours.astype("int32"),
        }
    )


def main() -> None:
    customers, terminals = read(CUSTOMERS), read(TERMINALS)
    profiles = build(customers, terminals).sort_values("customer_id", ignore_index=True)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    profiles.to_parquet(OUTPUT, index=False)
    reach = profiles["terminals_in_reach"].mean()
    print(f"profiles: {len(profiles):,} customers, {reach:.1f} terminals in reach on average")


if __name__ == "__main__":
    main()
