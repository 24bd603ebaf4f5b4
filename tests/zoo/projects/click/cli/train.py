from pathlib import Path

import click


@click.command()
@click.option("--rate", type=float, required=True, envvar="SHOP_RATE")
def command(rate):
    Path("model.txt").write_text(f"{[n * rate for n in range(4)]}")
