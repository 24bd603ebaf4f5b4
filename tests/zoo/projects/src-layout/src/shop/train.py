from pathlib import Path

from shop.prices import price


def main() -> None:
    Path("model.txt").write_text(f"{[price(amount) for amount in range(4)]}\n")
