"""Writes data/customers.csv, data/terminals.csv and data/transactions/week-NN.csv; reads nothing.

Every day is drawn from its own random stream, so a week can be written without
the weeks before it and always has the same bytes.
"""

import argparse
import math
import random
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import NamedTuple

START = date(2026, 1, 5)  # a Monday
CUSTOMERS = 430
TERMINALS = 1000
SIDE = 100.0  # customers and terminals live on a square of this side
RADIUS = 6.0  # a customer uses the terminals within this distance of home

LARGE_AMOUNT = 230.0  # fraud 1: every amount above this
TERMINAL_RATE, TERMINAL_DAYS = 0.26, 28  # fraud 2: chance a day that a terminal is compromised
CARD_RATE, CARD_DAYS = 0.60, 14  # fraud 3: chance a day that a card is compromised
CARD_SHARE, CARD_FACTOR = 1 / 3, 5.0

DUPLICATED, EMPTY, NEGATIVE = 0.0015, 0.0010, 0.0005  # dirt, as shares of the rows


class Customer(NamedTuple):
    """Where a customer lives, and how they pay."""

    x: float
    y: float
    mean: float
    std: float
    per_day: float
    terminals: list[int]


def population(seed: int) -> tuple[list[Customer], list[tuple[float, float]]]:
    """All customers and terminals; a list index is the id."""
    rng = random.Random(f"{seed}:population")

    def place() -> tuple[float, float]:
        return round(rng.uniform(0, SIDE), 2), round(rng.uniform(0, SIDE), 2)

    terminals = [place() for _ in range(TERMINALS)]
    customers = []
    for _ in range(CUSTOMERS):
        home = place()
        mean = round(rng.uniform(5, 100), 2)
        by_distance = sorted((math.dist(home, spot), i) for i, spot in enumerate(terminals))
        near = [i for distance, i in by_distance if distance <= RADIUS]
        customers.append(
            Customer(
                *home,
                mean=mean,
                std=round(mean / 2, 2),
                per_day=round(rng.uniform(0.1, 3.9), 2),
                terminals=near or [by_distance[0][1]],
            )
        )
    return customers, terminals


def stream(seed: int, day: int) -> tuple[random.Random, int | None, int | None]:
    """The day's random stream, and the terminal and the card compromised that day, if any."""
    rng = random.Random(f"{seed}:{day}")
    hit_terminal, terminal = rng.random() < TERMINAL_RATE, rng.randrange(TERMINALS)
    hit_card, card = rng.random() < CARD_RATE, rng.randrange(CUSTOMERS)
    return rng, terminal if hit_terminal else None, card if hit_card else None


def poisson(rng: random.Random, mean: float) -> int:
    count, product, limit = 0, rng.random(), math.exp(-mean)
    while product > limit:
        count, product = count + 1, product * rng.random()
    return count


def second_of_day(rng: random.Random) -> int:
    """Mostly around the early afternoon, seldom at night."""
    while True:
        second = int(rng.gauss(13.5 * 3600, 5 * 3600))
        if 0 <= second < 86_400:
            return second


def rows_of_day(seed: int, day: int, customers: list[Customer]) -> Iterator[str]:
    rng, _, _ = stream(seed, day)
    bad_terminals = {stream(seed, day - age)[1] for age in range(TERMINAL_DAYS)}
    bad_cards = {stream(seed, day - age)[2] for age in range(CARD_DAYS)}

    drawn: list[tuple[int, int, int, float, int]] = []
    for customer_id, customer in enumerate(customers):
        for _ in range(poisson(rng, customer.per_day)):
            second, terminal_id = second_of_day(rng), rng.choice(customer.terminals)
            amount = rng.gauss(customer.mean, customer.std)
            if amount <= 0:
                amount = rng.uniform(0.5, 2 * customer.mean)
            fraud = int(amount > LARGE_AMOUNT or terminal_id in bad_terminals)
            if customer_id in bad_cards and rng.random() < CARD_SHARE:
                amount, fraud = amount * CARD_FACTOR, 1
            drawn.append((second, customer_id, terminal_id, max(amount, 0.01), fraud))

    midnight = datetime.combine(START, time()) + timedelta(days=day)
    for number, (second, customer_id, terminal_id, amount, fraud) in enumerate(sorted(drawn)):
        moment = (midnight + timedelta(seconds=second)).isoformat()
        dirt, text = rng.random(), f"{amount:.2f}"
        if dirt < EMPTY:
            text = ""
        elif dirt < EMPTY + NEGATIVE:
            text = f"-{text}"
        row = f"{(day + 1) * 10_000 + number},{moment},{customer_id},{terminal_id},{text},{fraud}\n"
        yield row
        if rng.random() < DUPLICATED:
            yield row


def write(path: Path, header: str, rows: list[str]) -> None:
    """Write the file, unless it already has exactly these bytes."""
    content = (header + "\n" + "".join(rows)).encode()
    same = path.is_file() and path.read_bytes() == content
    if not same:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    print(f"{path}: {len(rows):,} rows, {len(content):,} bytes{' (unchanged)' if same else ''}")


def week_numbers(text: str) -> list[int]:
    """Turn 9, 1-8 or 1-3,7 into a list of week numbers."""
    weeks: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        try:
            chosen = range(int(first), int(last or first) + 1)
        except ValueError:
            raise argparse.ArgumentTypeError(f"not a week or a range of weeks: {part!r}") from None
        if not chosen or chosen[0] < 1:
            raise argparse.ArgumentTypeError(f"no such weeks: {part!r}")
        weeks.update(chosen)
    return sorted(weeks)


def main() -> None:
    parser = argparse.ArgumentParser(description="Simulate card transactions, week by week.")
    parser.add_argument("--weeks", type=week_numbers, default="1-8", help="9, 1-8 (default), 1-3,7")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "data")
    parser.add_argument("--seed", type=int, default=2026)
    options = parser.parse_args()

    customers, terminals = population(options.seed)
    write(
        options.out / "customers.csv",
        "customer_id,x,y,mean_amount,std_amount,mean_per_day",
        [f"{i},{c.x},{c.y},{c.mean},{c.std},{c.per_day}\n" for i, c in enumerate(customers)],
    )
    write(
        options.out / "terminals.csv",
        "terminal_id,x,y",
        [f"{i},{x},{y}\n" for i, (x, y) in enumerate(terminals)],
    )
    for week in options.weeks:
        days = range(7 * (week - 1), 7 * week)
        write(
            options.out / "transactions" / f"week-{week:02d}.csv",
            "transaction_id,time,customer_id,terminal_id,amount,fraud",
            [row for day in days for row in rows_of_day(options.seed, day, customers)],
        )


if __name__ == "__main__":
    main()
