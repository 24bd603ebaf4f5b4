"""The tools that are measured: how each is installed, set up and run."""

import copy
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import formats
from places import RIVALS, Place, Tool

STAND_IN = """#!{python}
import json, os
os.execvp("sh", ["sh", "-c", json.load(open("package.json"))["scripts"]["build"]])
"""
"""For npm, while 1,000 steps run for the first time, unmeasured: npm takes half a second each."""


class Mlpipe(Tool):
    """The program itself, as it is installed beside this interpreter."""

    def __init__(self, *, link: bool = False, watched: bool = False) -> None:
        name = "mlpipe, links" if link else "mlpipe, watched" if watched else "mlpipe"
        super().__init__(name, state=["repo/.git/mlpipe", "cache"])
        self.link, self.watched = link, watched

    @property
    def program(self) -> str:
        return str(Path(sys.executable).parent / "mlpipe")

    def install(self) -> str | None:
        return None

    def variables(self, base: Path) -> Mapping[str, str]:
        # none of the others watches what a command reads: tracing.py measures what that costs
        tracer = "auto" if self.watched else "off"
        return {"MLPIPE_CACHE_DIR": str(base / "cache"), "MLPIPE_TRACER": tracer}

    def write(self, place: Place) -> None:
        (place.repo / "mlpipe.yml").write_text(formats.mlpipe(place.tree, link=self.link))

    def command(self, _place: Place) -> list[str]:
        return [self.program, "run"]


class Dvc(Tool):
    """DVC, with a cache and a state of its own for each place."""

    MANY = 100

    def variables(self, base: Path) -> Mapping[str, str]:
        return {"DVC_SITE_CACHE_DIR": str(base / "site")}

    def write(self, place: Place) -> None:
        place.call(self.program, "init", "-q")
        words = "[core]\n    analytics = false\n    check_update = false\n"
        words += "[cache]\n    dir = ../../cache\n"
        (place.repo / ".dvc" / "config").write_text(words)
        (place.repo / "dvc.yaml").write_text(formats.dvc(place.tree))

    def command(self, _place: Place) -> list[str]:
        return [self.program, "repro"]

    def first(self, place: Place) -> None:
        if len(place.tree.steps) <= self.MANY:
            super().first(place)
            place.commit()
            return
        place.call("sh", "-c", "\n".join(step.whole for step in place.tree.steps))
        (place.repo / "dvc.lock").write_text(formats.dvc_lock(place.tree, place.repo))
        for step in place.tree.steps:
            for path in step.outputs:
                self._keep(place, place.repo / path)
        place.commit()

    @staticmethod
    def _keep(place: Place, output: Path) -> None:
        """An output that is not in DVC's cache counts as changed."""
        digest = hashlib.md5(output.read_bytes(), usedforsecurity=False).hexdigest()
        kept = place.repo.parent / "cache" / "files" / "md5" / digest[:2] / digest[2:]
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(output, kept)


class Snakemake(Tool):
    """Snakemake with one core."""

    def write(self, place: Place) -> None:
        (place.repo / "Snakefile").write_text(formats.snakefile(place.tree))

    def command(self, _place: Place) -> list[str]:
        return [self.program, "--cores", "1"]


class Doit(Tool):
    """doit."""

    def write(self, place: Place) -> None:
        (place.repo / "dodo.py").write_text(formats.dodo(place.tree))


class Ninja(Tool):
    """Ninja with one job."""

    def write(self, place: Place) -> None:
        (place.repo / "build.ninja").write_text(formats.ninja(place.tree, place.repo))

    def command(self, _place: Place) -> list[str]:
        return [self.program, "-j1"]


class Make(Tool):
    """GNU make, which the machine has or has not."""

    @property
    def program(self) -> str:
        return shutil.which("make") or "make"

    def install(self) -> str | None:
        return None if shutil.which("make") else "make is not on this machine"

    def write(self, place: Place) -> None:
        (place.repo / "Makefile").write_text(formats.makefile(place.tree))


class Turbo(Tool):
    """Turborepo's native program; it runs each step by npm."""

    @property
    def program(self) -> str:
        found = (RIVALS / self.name / "node_modules" / "@turbo").glob("*/bin/turbo")
        return str(next(found, Path("turbo")))

    def _fetch(self, here: Path) -> None:
        here.mkdir(parents=True)
        npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(here)]
        subprocess.run([*npm, self.requirement], check=True, capture_output=True, text=True)

    def variables(self, base: Path) -> Mapping[str, str]:
        return {"TURBO_CACHE_DIR": str(base / "cache")}

    def write(self, place: Place) -> None:
        formats.turbo(place.tree, place.repo)
        (place.base / "home" / ".npmrc").write_text("update-notifier=false\n")

    def command(self, _place: Place) -> list[str]:
        return [self.program, "run", "build", "--concurrency=1"]

    def first(self, place: Place) -> None:
        folder = place.base / "stand-in"
        folder.mkdir(exist_ok=True)
        (folder / "npm").write_text(STAND_IN.format(python=sys.executable))
        (folder / "npm").chmod(0o755)
        path = f"{folder}{os.pathsep}{place.environment['PATH']}"
        place.call(*self.command(place), PATH=path)


def at_once(tool: Tool, *words: str) -> Tool:
    """The tool with what makes it run steps at the same time, in the place of what it has."""
    other, plain, kept = copy.copy(tool), tool.command, 2 if isinstance(tool, Mlpipe) else 1
    other.command = lambda place: [*plain(place)[:kept], *words]  # type: ignore[method-assign, assignment]
    return other


class Plain(Tool):
    """A command beside which the tools stand: how fast the work could be."""

    counted = False

    def __init__(self, name: str, *words: str, own: bool = False) -> None:
        super().__init__(name)
        self.words = list(words)
        self.own = own

    def install(self) -> str | None:
        return None if shutil.which(self.words[0]) else f"{self.words[0]} is not on this machine"

    def version(self) -> str:
        return ""

    def version_command(self) -> list[str]:
        return self.words

    def write(self, place: Place) -> None:
        """A command has no files."""

    def command(self, _place: Place) -> list[str]:
        return self.words

    def first(self, place: Place) -> None:
        """Nor anything to bring up to date."""


TOOLS: dict[str, Tool] = {
    "mlpipe": Mlpipe(),
    "mlpipe, links": Mlpipe(link=True),
    "mlpipe, watched": Mlpipe(watched=True),
    "dvc": Dvc("dvc", "dvc==3.67.1", ["repo/dvc.lock", "repo/.dvc/tmp", "cache", "site"]),
    "snakemake": Snakemake("snakemake", "snakemake==9.27.1", ["repo/.snakemake"]),
    "doit": Doit("doit", "doit==0.37.0", ["repo/.doit.db*"]),
    "turbo": Turbo("turbo", "turbo@2.11.11", ["repo/.turbo", "cache"]),
    "make": Make("make"),
    "ninja": Ninja("ninja", "ninja==1.13.0"),
}
"""Each tool with its version; what those need in turn is the newest that fits."""
