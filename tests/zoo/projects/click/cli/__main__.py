import importlib

import click


class Lazy(click.Group):
    def list_commands(self, ctx):
        return ["train", "score"]

    def get_command(self, ctx, name):
        return importlib.import_module(f"cli.{name}").command


@click.command(cls=Lazy)
def main():
    """A model on the command line."""


main()
