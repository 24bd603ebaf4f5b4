"""A repository with its cache for the tests with a naive model, and all that is done to it."""

import contextlib
import io
import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from mlpipe_ci.cli import main as cli
from tests.support.reference_model import Pipeline, Snapshot, Work, lies_in

SOURCES = ("raw.txt", "data/a.txt", "data/b c.txt", "data/sub/d.txt", "src/é.sh", "src/x/-f.txt")
CONTENTS = (b"a\n", b"b\n", b"c\n", b"", b"two\nlines\n", b"no line", b"\0\xff\r\n")
LINKS = ("data/a.txt", "data/sub/d.txt", "src/é.sh")
"""Sources that may become a link to another file of their directory."""


def call(root: Path, *arguments: str) -> tuple[int, str, str]:
    """Run mlpipe in this process, which is ten times faster. Exit code, what it printed, errors."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main([*arguments, "-C", str(root), "--json"])
    assert "this is a fault of mlpipe" not in err.getvalue(), err.getvalue()
    return code, out.getvalue(), err.getvalue()


@dataclass
class World:
    """`ignored`: what the paths that git ignores begin with. `done`: work whose result is in the
    cache; `unsure`: the cache may have lost some of it. `past`: sources as they once were.
    """

    top: Path
    pipeline: Pipeline
    git: bool
    ignored: str
    done: set[Work] = field(default_factory=set)
    unsure: bool = False
    commits: list[str] = field(default_factory=list)
    past: list[Snapshot] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.top / "work"

    @property
    def cache(self) -> Path:
        return self.top / "cache"

    def outputs(self) -> tuple[str, ...]:
        return tuple(step.output for step in self.pipeline.present)

    def sources(self, there: Snapshot) -> Snapshot:
        """What no step of the workflow writes."""
        outputs = self.outputs()
        return {
            path: found
            for path, found in there.items()
            if found[0] != "directory" and not any(lies_in(path, o) for o in outputs)
        }

    def call_git(self, *arguments: str) -> str:
        """Run git if there is a repository; it may refuse."""
        if not self.git:
            return ""
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=self.root, check=False, capture_output=True, text=True)
        return done.stdout.strip()

    def mlpipe(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        return call(self.root, *arguments)

    def started(self) -> list[str]:
        """Steps whose commands have started since this was asked last."""
        log = self.top / "log"
        found = log.read_text().split() if log.exists() else []
        log.write_text("")
        return found

    def write_workflow(self) -> None:
        (self.root / "mlpipe.yml").write_text(json.dumps(self.pipeline.record(), indent=1))
        (self.root / "params.json").write_text(json.dumps({"p": self.pipeline.param, "q": 5}))

    def file(self, number: int) -> Path:
        """The path of a source, with nothing in the way of writing it."""
        path = self.root / SOURCES[number % len(SOURCES)]
        for place in (path.parent.parent, path.parent):
            if place.is_file():
                place.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def output(self, number: int) -> Path:
        """The path of an output; with a larger number, of something in it."""
        steps = self.pipeline.present
        path = self.root / steps[number % len(steps)].output
        inner = sorted(path.rglob("*")) if path.is_dir() and not path.is_symlink() else []
        # What a link leads to stays: an input that leads to nothing is refused, even an output.
        inner = [p for p in inner if not p.name.startswith("part")]
        places = [Path(str(path).rstrip("/")), *inner]
        return places[number // len(steps) % len(places)]
