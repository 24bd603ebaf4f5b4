import json
from pathlib import Path

import click


@click.command()
def command():
    score = max(json.loads(Path("model.txt").read_text()))
    Path("score.txt").write_text(f"{score}\n")
    click.secho(f"score {score}", fg="green")
