"""How the time of mlpipe grows with the number of steps and of files, when nothing is to do."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from places import Place, Tool
from session import Session, Work, places, take_turns, warm_up
from works import Tree, chain_tree, folder_tree


@dataclasses.dataclass(frozen=True)
class Growth:
    """The same work in several sizes; the smallest is the start, which is subtracted."""

    name: str
    unit: str
    plant: Callable[[int], Tree]
    sizes: tuple[int, ...]


GROWTHS = [
    Growth("growth-steps", "step", chain_tree, (1, 10, 100, 1000, 10_000)),
    Growth("growth-files", "file", folder_tree, (1, 1000, 10_000, 100_000)),
]


def measure_growth(
    growth: Growth, tool: Tool, base: Path, runs: int, say: Callable[[str], None]
) -> Session:
    """Measure all sizes in turn."""
    columns: dict[str, tuple[Tool, Place]] = {}
    for size in growth.sizes:
        tree = growth.plant(size)
        place = places(tree, [tool], base / tree.name)[tool.name]
        say(f"{growth.name}: {size}")
        warm_up(place)
        columns[str(size)] = (tool, place)
    work = Work(growth.name, growth.name, tree, (tool,))
    return take_turns(work, columns, runs, say)
