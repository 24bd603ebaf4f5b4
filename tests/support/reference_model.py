"""A naive model of mlpipe: it runs every step from scratch, in a fresh copy of the sources.

It knows one thing more, which commands mlpipe may start: those whose work was never done before.
"""

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

Snapshot = dict[str, tuple[str, bytes]]
"""Path to what is there (`file`, `program`, `link` or `directory`, an empty one) and its bytes."""
Work = tuple[Any, ...]
"""All that decides what a command does."""

TOOLS = r"""shopt -s globstar
r() { for p in "$@"; do
  if [ "$p" = "$X" ]; then continue; fi
  if [ -d "$p" ]
  then find "$p" ! -type d ! -path "$X" -print0 | sort -z | xargs -0r cat --
  else cat -- "$p"; fi
done; }
"""
"""`r` writes out all files of its arguments, but for `$X`."""
BODIES = {
    "cat": "r IN > OUT",
    "count": "r IN | wc -c > OUT",
    "program": "r IN > OUT; chmod +x OUT",
    "copy": "r IN > /dev/null; cp -- FIRST OUT",
    "tree": "mkdir -p OUT/sub/empty; r IN > OUT/all; wc -c < OUT/all > OUT/'sub/size of it'",
    "named": "mkdir OUT; n=$(r IN | cksum | cut -c 1); r IN > OUT/part$n; ln -s part$n OUT/link",
}
"""What commands do: OUT is written from IN. Those of `TREES` write a directory."""
TREES = ("tree", "named")


@dataclass(frozen=True, kw_only=True)
class Made:
    """A step of a random workflow. An input `@0` is the output of step 0; `version`, `renamed` and
    `broken` change it.
    """

    number: int
    body: str
    inputs: tuple[str, ...]
    exclude: str = ""
    in_data: bool = False
    cached: bool = True
    param: bool = False
    env: bool = False
    version: int = 0
    renamed: int = 0
    broken: bool = False
    gone: bool = False

    @property
    def id(self) -> str:
        return f"s{self.number}"

    @property
    def output(self) -> str:
        """The declared output."""
        place = "data/s{}.txt" if self.in_data else "build/é s{}"
        return place.format(f"{self.number}.{self.renamed}") + "/" * (self.body in TREES)

    @property
    def always(self) -> bool:
        """True if the step runs each time."""
        return not self.cached or not self.inputs


@dataclass
class Expected:
    """What a run from scratch gives. `fails`: number of the step that fails; `files`: all that is
    there then; `works`: what each step that succeeds has done, by its id.
    """

    files: Snapshot = field(default_factory=dict)
    fails: int | None = None
    works: dict[str, Work] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A random workflow, with the values of its only parameter and variable."""

    steps: tuple[Made, ...]
    param: int = 0
    env: int = 0
    params_file: bool = False

    @property
    def present(self) -> tuple[Made, ...]:
        return tuple(step for step in self.steps if not step.gone)

    def change(self, number: int, **fields: Any) -> "Pipeline":
        """Change one step."""
        steps = [replace(s, **fields) if s.number == number else s for s in self.steps]
        return replace(self, steps=tuple(steps))

    def inputs(self, step: Made) -> tuple[str, ...]:
        """The declared inputs, with the outputs of other steps in their place."""
        return tuple(self.steps[int(i[1:])].output if i[0] == "@" else i for i in step.inputs)

    def run(self, step: Made) -> str:
        """The command, with an expression for the parameter."""
        out, inputs = shlex.quote(step.output.rstrip("/")), self.inputs(step)
        words = [path if "*" in path else shlex.quote(path.rstrip("/")) for path in inputs]
        body = BODIES[step.body].replace("FIRST", words[0] if words else "")
        body = re.sub(r"\bIN\b", lambda _: " ".join(words), body)
        body = re.sub(r"\bOUT\b", lambda _: out, body)
        tail = out + "/tail" if step.body in TREES else out
        lines = [f'echo {step.id} >> "$LOG"', f"X={shlex.quote(step.exclude)}", body]
        lines += [f"echo {step.version} >> {tail}"] if step.version else []
        lines += [f"echo 'p=${{{{ params.p }}}}' >> {tail}"] if step.param else []
        lines += [f'echo "e=$E" >> {tail}'] if step.env else []
        lines += [f'test "$FAIL" != {step.id}{" && false" if step.broken else ""}']
        return TOOLS + "\n".join(lines)

    def record(self) -> dict[str, Any]:
        """The workflow file."""
        return {
            "params": "params.json" if self.params_file else {"p": self.param},
            "steps": [self._step(step) for step in self.present],
        }

    def _step(self, step: Made) -> dict[str, Any]:
        excluded = ["!" + step.exclude] if step.exclude else []
        record: dict[str, Any] = {
            "name": step.id,
            "run": self.run(step),
            "inputs": [*self.inputs(step), *excluded],
            "outputs": [step.output],
        }
        record |= {"env": {"E": str(self.env)}} if step.env else {}
        record |= {} if step.cached else {"cache": False}
        if not step.inputs:
            del record["inputs"]
        return record


def snapshot(root: Path) -> Snapshot:
    """All that is in a directory, but for git's."""
    found: Snapshot = {}
    for path, directories, names in os.walk(root):
        if ".git" in directories:
            directories.remove(".git")
        here = Path(path)
        links = [name for name in directories if (here / name).is_symlink()]
        for name in (*names, *links):
            found[(here / name).relative_to(root).as_posix()] = entry(here / name)
        if not names and not directories and here != root:
            found[here.relative_to(root).as_posix()] = ("directory", b"")
    return found


def entry(path: Path) -> tuple[str, bytes]:
    """What is at a path."""
    if path.is_symlink():
        return "link", os.fsencode(path.readlink())
    return ("program" if os.access(path, os.X_OK) else "file"), path.read_bytes()


def put(root: Path, files: Snapshot) -> None:
    """Write files into a directory."""
    for name, (kind, content) in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "link":
            path.symlink_to(os.fsdecode(content))
        elif kind == "directory":
            path.mkdir(exist_ok=True)
        else:
            path.write_bytes(content)
            path.chmod(0o755 if kind == "program" else 0o644)


def inside(files: Snapshot, outputs: tuple[str, ...]) -> Snapshot:
    """What of the files is at or in declared outputs."""
    return {p: f for p, f in files.items() if any(lies_in(p, output) for output in outputs)}


def lies_in(path: str, output: str) -> bool:
    """True if the path is the output, or in it."""
    plain = output.rstrip("/")
    return path == plain or path.startswith(plain + "/")


def from_scratch(pipeline: Pipeline, there: Snapshot, room: Path, ignored: str) -> Expected:
    """Run all steps where only sources are. `room`: a directory to be made, and removed again;
    `ignored`: what the paths that git ignores begin with.
    """
    outputs = tuple(step.output for step in pipeline.present)
    put(room, {p: f for p, f in there.items() if not any(lies_in(p, o) for o in outputs)})
    expected, env = Expected(), os.environ | {"LOG": os.devnull, "E": str(pipeline.env), "FAIL": ""}
    for step in pipeline.present:
        (room / step.output).parent.mkdir(parents=True, exist_ok=True)
        before = snapshot(room)
        run = pipeline.run(step).replace("${{ params.p }}", str(pipeline.param))
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", run]
        done = subprocess.run(command, cwd=room, env=env, capture_output=True, check=False)
        if done.returncode != 0:
            expected.fails = step.number
            break
        expected.works[step.id] = _work(pipeline, step, run, before, ignored)
    expected.files = snapshot(room)
    shutil.rmtree(room)
    return expected


def _work(pipeline: Pipeline, step: Made, run: str, files: Snapshot, ignored: str) -> Work:
    """By content, and by the kind of digest: git's for what git has or would take, else BLAKE3."""
    outputs = tuple(made.output for made in pipeline.present)
    read = {
        path: (content, path.startswith(ignored) or any(lies_in(path, o) for o in outputs))
        for path, content in files.items()
        if content[0] != "directory" and path != step.exclude
        if any(_means(pattern, path) for pattern in pipeline.inputs(step))
    }
    for path, ((kind, content), _) in list(read.items()):
        if kind == "link":  # what it leads to is read as well
            target = os.path.normpath(f"{os.path.dirname(path)}/{os.fsdecode(content)}")  # noqa: PTH120
            read[target] = (files[target], False)
    env = pipeline.env if step.env else None
    return (run, env, step.output, tuple(sorted(read.items())))


def _means(pattern: str, path: str) -> bool:
    if "**/" in pattern:
        before, after = pattern.split("**/")
        inner = path.startswith(before) and path.removeprefix(before)
        return bool(inner) and fnmatchcase(str(inner).rpartition("/")[2], after)
    if "*" in pattern:
        return fnmatchcase(path, pattern) and path.count("/") == pattern.count("/")
    return lies_in(path, pattern)
