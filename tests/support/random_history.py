"""Random histories of a workflow at one desk: its steps, edits of all kinds, and what is there.

A step is made of random deeds (`deeds.py`). A history is a list of rounds of edits; after each
round somebody runs the workflow. A theme draws what belongs together: histories of all that there
is would hardly ever have a database, a branch and a clone at once.
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import strategies as st

from tests.support.deeds import LOOKS, WRITES, newer
from tests.support.random_repo import call
from tests.support.repository import ROOT

DEEDS = (ROOT / "tests/support/deeds.py").read_text("utf-8")
SITE = ".venv/lib/site-packages"
SOURCES = ("a.txt", "in/b.txt", "in/c.txt", "in/deep/d.txt")
CONTENTS = ("1\n", "2\n", "3\n", "")
TARGETS = ("a.txt", "in/b.txt", "in", "in/deep", "nothing", "nowhere")
NAMES = ("ALPHA", "BETA", "GAMMA", "DELTA", "EPSILON")
ZONES = ("UTC", "XXX-9", "YYY+5")
SETTINGS = """import os
E = os.environ
NAME = "DELTA"
WAYS = (
    lambda: os.environ.get("ALPHA"),
    lambda: "BETA" in os.environ,
    lambda: E.get("GAMMA"),
    lambda: os.environ.get(NAME),
    lambda: {**os.environ}.get("EPSILON"),
)
"""
IGNORED = "/.venv/\n/out/\n/logs/\n/runs*/\n.coverage\n.cache/\n*.db\n*.db-wal\ngen*\n"
OLD = 1_600_000_000
HISTORY = "it only adds files, so "
"""How a note begins that names old files which stay."""
Edit = tuple[str, int, int]


@dataclass(frozen=True)
class Theme:
    """Deeds that look, deeds that write, and edits, beside those that each history may have.

    `{me}` is the number of the step, `{earlier}` one of an earlier step, `{source}` a file of git.
    `refusals`: there may be good reasons not to store a result. `leftovers`: what a failed run has
    left may be used by the next one, which then says that its result is not stored.
    """

    looks: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    edits: tuple[str, ...] = ()
    refusals: bool = False
    leftovers: bool = False


THEMES = {
    "plain files": Theme(
        ("leads link", "walk in", "names in", "stat {source}"),
        ("replace out/s{me}.txt",),
        ("program", "branch", "lost", "lost all", "new", "mode", "link", "aged", "copied", "touch"),
    ),
    "databases": Theme(
        ("read out/{earlier}.db", "stat out/{earlier}.db"),
        ("fill out/{me}.db", "update out/{me}.db", "insert out/{me}.db", "write out/{me}.db-wal"),
        ("program", "branch", "branch", "lost"),
    ),
    "updates of others": Theme(
        ("read out/{earlier}.db", "read out/s{earlier}.txt"),
        ("write out/{me}.db", "insert out/{earlier}.db", "append out/{earlier}.db"),
        ("program", "branch", "lost"),
        refusals=True,
    ),
    "names of tools": Theme(
        ("read .coverage", "read .cache/{earlier}", "names .cache", "there in/gen{earlier}"),
        ("write .coverage", "write .cache/{me}", "write in/gen{me}", "write .cache/deep/{me}"),
        ("program", "lost", "branch"),
    ),
    "listed names": Theme(
        ("names .", "names . .txt", "names in", "names out", "walk in", "there gen{me}.txt"),
        ("write gen{me}.txt", "write in/gen{me}.txt", "replace out/more{me}.txt"),
        ("program", "new", "new", "lost", "branch"),
        refusals=True,
    ),
    "environments": Theme(
        ("module tiny", "module loose", "module outer", "version tiny"),
        (),
        ("package", "reinstall", "loose", "outer", "branch"),
    ),
    "variables": Theme(
        (*(f"variable {number}" for number in range(len(NAMES))), "hour"),
        (),
        ("variable", "variable", "zone"),
    ),
    "steps": Theme(
        ("names out", "walk out", "read out/more{earlier}.txt", "read out/s{earlier}.txt"),
        ("write out/more{me}.txt", "replace out/deep/more{me}.txt"),
        ("drop", "rename", "program", "branch", "lost"),
    ),
    "modes": Theme(
        ("stat {source}", "stat out/more{earlier}.txt"),
        (
            "private out/more{me}.txt",
            "write out/more{me}.txt",
            "mode out/more{me}.txt 755",
            "mode out/more{me}.txt 600",
        ),
        ("mode", "program", "lost"),
    ),
    "links": Theme(
        ("leads link", "read link", "stat link", "names link", "leads out/link{earlier}"),
        ("link out/link{me} s{me}.txt", "link out/far{me} /nowhere/{me}"),
        ("link", "link", "delete", "lost"),
        refusals=True,
    ),
    "times": Theme(
        ("read out/x{earlier}", "read out/y{earlier}"),  # times themselves are no input
        ("later out/y{me} out/x{me}", "later out/x{me} out/y{me}"),
        ("aged", "copied", "touch", "lost all", "program", "program", "clone"),
    ),
    "logs": Theme(
        ("read logs/{earlier}.log", "read logs/all.log"),
        ("append logs/{me}.log", "append logs/all.log"),
        ("branch", "lost"),
    ),
    "histories": Theme(
        ("read out/s{earlier}.txt",), ("keep runs{me}", "keep runs{me}"), ("program", "branch")
    ),
    "calls": Theme(("probe", "processes", "version tiny"), (), ("nobody",)),
    "failures": Theme(
        ("fails broken", "fails broken", "names out", "names in"),
        ("write out/more{me}.txt", "fill out/{me}.db", "write in/gen{me}"),
        ("broken", "broken", "program", "branch"),
        refusals=True,
        leftovers=True,
    ),
}
ADDING, WRITING = frozenset({"append"}), frozenset({one.__name__ for one in WRITES} - {"append"})
LOOKING = frozenset({one.__name__ for one in LOOKS})
COMMON_LOOKS = ("read {source}", "read out/s{earlier}.txt", "there {source}")
COMMON_EDITS = ("write", "write", "delete", "clone")


@dataclass(frozen=True)
class RandomStep:
    """Two programs, of which an edit chooses the other; `declared`: the step names what it always
    reads and writes, and nothing else.
    """

    programs: tuple[tuple[str, ...], tuple[str, ...]]
    declared: bool


@dataclass(frozen=True)
class History:
    """Steps, and what happens to them: rounds of edits, and a run after each."""

    steps: tuple[RandomStep, ...]
    rounds: tuple[tuple[Edit, ...], ...]


@st.composite
def _programs(draw: st.DrawFn, me: int, theme: Theme) -> tuple[str, ...]:
    """Deeds of one step; the last writes all that it has seen to its output."""
    forms = [*COMMON_LOOKS, *theme.looks, *theme.looks, *theme.writes, *theme.writes]
    forms = [form for form in forms if me or "{earlier}" not in form]
    deeds = []
    for form in draw(st.lists(st.sampled_from(forms), min_size=1, max_size=4)):
        source = draw(st.sampled_from(SOURCES)) if "{source}" in form else ""
        earlier = draw(st.integers(0, me - 1)) if "{earlier}" in form else 0
        deeds.append(form.format(me=me, source=source, earlier=earlier))
    return (*deeds, f"write out/s{me}.txt")


@st.composite
def histories(draw: st.DrawFn, name: str, *, declared: bool | None = None) -> History:
    """A history of a theme; `declared`: whether its steps declare something, None for any."""
    theme = THEMES[name]
    states = st.booleans() if declared is None else st.just(declared)
    steps = []
    for me in range(draw(st.integers(1, 3))):
        first = draw(_programs(me, theme))
        other = draw(_programs(me, theme)) if "program" in theme.edits else first
        steps.append(RandomStep((first, other), draw(states)))
    kinds = st.sampled_from((*COMMON_EDITS, *theme.edits, *theme.edits))
    edit = st.tuples(kinds, st.integers(0, 5), st.integers(0, 5))
    rounds = draw(st.lists(st.lists(edit, min_size=1, max_size=2), min_size=1, max_size=4))
    return History(tuple(steps), tuple(map(tuple, rounds)))


@dataclass(frozen=True)
class Shape:
    """What a branch has of the workflow, by the numbers of steps."""

    dropped: frozenset[int] = frozenset()
    renamed: frozenset[int] = frozenset()
    other: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Ran:
    """A run: its exit code, for each step whether its command ran and whether it was said that its
    result is not stored, and what the run showed.
    """

    code: int
    commands: tuple[bool, ...]
    refused: tuple[bool, ...]
    text: str = field(repr=False)


@dataclass
class Desk:
    """A repository in which somebody works, and clones of it. `env`: beside that of the test.
    `stayed`: files of which a run has said that they are a history, and stay.
    """

    top: Path
    steps: tuple[RandomStep, ...]
    env: dict[str, str] = field(default_factory=dict)
    branch: str = "main"
    shapes: dict[str, Shape] = field(default_factory=lambda: {"main": Shape()})
    installed: int = 0
    stayed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.root.mkdir()
        for number, path in enumerate(SOURCES):
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(CONTENTS[number])
        files = {"deeds.py": DEEDS, "settings.py": SETTINGS, ".gitignore": IGNORED}
        for name, text in files.items():
            (self.root / name).write_text(text)
        (self.root / "link").symlink_to("a.txt")
        (self.root / SITE).mkdir(parents=True)
        (self.root / ".venv/pyvenv.cfg").write_text("home = /usr/bin\n")
        (self.top / "outer/site-packages").mkdir(parents=True)
        self.env["PYTHONPATH"] = str(self.top / "outer/site-packages")
        self.install(self.root / SITE, "tiny", "1.0")
        self.install(self.top / "outer/site-packages", "outer", "1.0")
        (self.root / SITE / "loose.py").write_text("V = 'loose 0'\n")
        self.write_workflow()
        self.git("init", "-q", "-b", "main")

    @property
    def root(self) -> Path:
        """The work tree."""
        return self.top / "desk"

    @property
    def shape(self) -> Shape:
        """That of the branch which is checked out."""
        return self.shapes[self.branch]

    def programs(self) -> dict[int, tuple[str, ...]]:
        """What the steps of the workflow do now."""
        shape = self.shape
        present = [number for number in range(len(self.steps)) if number not in shape.dropped]
        return {n: self.steps[n].programs[n in shape.other] for n in present}

    def git(self, *words: str) -> None:
        """Run git."""
        subprocess.run(["git", *words], cwd=self.root, check=True, capture_output=True)

    def commit(self) -> None:
        """Commit all that git does not ignore."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "change")

    def write_workflow(self) -> None:
        """Write the workflow file and the programs of its steps."""
        lines = ["steps:"]
        for number, deeds in self.programs().items():
            file = f"steps/s{number}.txt"
            name = f"{'renamed' if number in self.shape.renamed else 's'}{number}"
            lines += [f"  - name: {name}", "    shell: sh"]
            lines += [f"    run: python -S -B deeds.py {file}"]
            if self.steps[number].declared:
                lines += [f"    inputs: [deeds.py, {file}]", f"    outputs: [out/s{number}.txt]"]
            (self.root / "steps").mkdir(exist_ok=True)
            (self.root / file).write_text("".join(f"{deed}\n" for deed in deeds))
        (self.root / "mlpipe.yml").write_text("\n".join(lines) + "\n")

    def install(self, site: Path, name: str, version: str) -> None:
        """Put a distribution of one module there, as pip does, in place of an earlier one."""
        self.installed += 1
        for old in site.glob(f"{name}-*.dist-info"):
            shutil.rmtree(old)
        text = f"V = '{name} {version} build {self.installed}'\n"
        (site / f"{name}.py").write_text(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
        info = site / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "INSTALLER").write_text("pip\n")
        row = f"{name}.py,sha256={digest.decode().rstrip('=')},{len(text)}\n"
        rest = "".join(f"{info.name}/{one},,\n" for one in ("METADATA", "INSTALLER", "RECORD"))
        (info / "RECORD").write_text(row + rest)

    def edit(self, edit: Edit) -> None:
        """Do what somebody does between two runs."""
        what, one, other = edit
        word = what.replace(" ", "_")
        getattr(self, f"_{word}")(one, other)

    def _source(self, one: int) -> Path:
        return self.root / SOURCES[one % len(SOURCES)]

    def _put(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def _remove(self, path: Path) -> None:
        """Remove a file, and directories in which nothing is left: git has none of them."""
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == self.root or (folder.exists() and any(folder.iterdir())):
                break
            if folder.exists():
                folder.rmdir()

    def _write(self, one: int, other: int) -> None:
        self._put(self._source(one), CONTENTS[other % len(CONTENTS)])

    def _delete(self, one: int, other: int) -> None:
        self._remove(self._source(one))

    def _aged(self, one: int, other: int) -> None:
        """Another file of the same size and the same time is moved there, as by `mv` or rsync."""
        path = self._source(one)
        before = path.stat().st_mtime_ns if path.exists() else OLD * 10**9
        fresh = path.with_name("fresh")
        self._put(fresh, f"{other}\n")
        os.utime(fresh, ns=(before, before))
        fresh.replace(path)

    def _copied(self, one: int, other: int) -> None:
        """Another file is copied there with its time, which is old, as by `cp -p`."""
        path = self._source(one)
        self._put(path, f"{other}\n")
        os.utime(path, (OLD + other, OLD + other))

    def _touch(self, one: int, other: int) -> None:
        if self._source(one).exists():
            os.utime(self._source(one))

    def _mode(self, one: int, other: int) -> None:
        if self._source(one).exists():
            self._source(one).chmod(0o755 if other % 2 else 0o644)

    def _new(self, one: int, other: int) -> None:
        folder = self.root / ("in", "in/deep", ".", "more")[one % 4]
        self._put(folder / f"new{other % 3}.txt", "new\n")

    def _nobody(self, one: int, other: int) -> None:
        (self.root / f"NOTES{one}.md").write_text("nobody reads this\n")

    def _link(self, one: int, other: int) -> None:
        (self.root / "link").unlink()
        (self.root / "link").symlink_to(TARGETS[one % len(TARGETS)])

    def _lost(self, one: int, other: int) -> None:
        """A file that a step wrote is lost."""
        found = [path for path in sorted((self.root / "out").rglob("*")) if not path.is_dir()]
        if found:
            self._remove(found[one % len(found)])

    def _lost_all(self, one: int, other: int) -> None:
        shutil.rmtree(self.root / "out", ignore_errors=True)

    def _broken(self, one: int, other: int) -> None:
        path = self.root / "broken"
        if path.exists():
            path.unlink()
        else:
            path.write_text("yes\n")

    def _toggle(self, part: str, one: int) -> None:
        before: frozenset[int] = getattr(self.shape, part)
        after = before ^ {one % len(self.steps)}
        if part != "dropped" or len(after) < len(self.steps):
            self.shapes[self.branch] = replace(self.shape, **{part: after})
            self.write_workflow()

    def _program(self, one: int, other: int) -> None:
        self._toggle("other", one)

    def _drop(self, one: int, other: int) -> None:
        self._toggle("dropped", one)

    def _rename(self, one: int, other: int) -> None:
        self._toggle("renamed", one)

    def _branch(self, one: int, other: int) -> None:
        """Commit, and check another branch out; it is made where there is none yet."""
        self.commit()
        new = "two" if self.branch == "main" else "main"
        if new not in self.shapes:
            self.shapes[new] = self.shape
            self.git("checkout", "-q", "-b", new)
        else:
            self.git("checkout", "-q", new)
        self.branch = new

    def _variable(self, one: int, other: int) -> None:
        name = NAMES[one % len(NAMES)]
        self.env.pop(name, None)
        if other % 3:
            self.env[name] = str(other)

    def _zone(self, one: int, other: int) -> None:
        self.env["TZ"] = ZONES[one % len(ZONES)]

    def _package(self, one: int, other: int) -> None:
        self.install(self.root / SITE, "tiny", f"{other}.0")

    def _reinstall(self, one: int, other: int) -> None:
        old = next((self.root / SITE).glob("tiny-*.dist-info")).name
        self.install(self.root / SITE, "tiny", old.split("-")[1].removesuffix(".dist"))

    def _loose(self, one: int, other: int) -> None:
        (self.root / SITE / "loose.py").write_text(f"V = 'loose {other}'\n")

    def _outer(self, one: int, other: int) -> None:
        self.install(self.top / "outer/site-packages", "outer", f"{other}.0")

    def _clone(self, one: int, other: int) -> None:
        """The desk goes on in a fresh clone, with the cache that it had."""
        self.commit()
        old = self.top / "old"
        shutil.rmtree(old, ignore_errors=True)
        self.root.rename(old)
        self.make_clone(old, self.root)
        for branch in self.shapes.keys() - {self.branch}:
            self.git("branch", "-q", branch, f"origin/{branch}")

    # -- what is run, and what is there ---------------------------------------------------------

    def make_clone(self, source: Path, target: Path) -> None:
        """A fresh clone, with an environment like that of the desk."""
        shutil.rmtree(target, ignore_errors=True)
        command = ["git", "clone", "-q", str(source), str(target)]
        subprocess.run(command, check=True, capture_output=True)
        shutil.copytree(source / ".venv", target / ".venv", symlinks=True)

    @contextmanager
    def environment(self, **more: str) -> Iterator[None]:
        """What commands of this history are started with."""
        with pytest.MonkeyPatch.context() as patch:
            for name in (*NAMES, "TZ"):
                patch.delenv(name, raising=False)
            for name, value in (self.env | more).items():
                patch.setenv(name, value)
            yield

    def run(self, root: Path, cache: str = "cache", **env: str) -> Ran:
        """Run the workflow in the desk's work tree or in a clone."""
        with self.environment(MLPIPE_CACHE_DIR=str(self.top / cache), **env):
            code, out, err = call(root, "run")
        steps = json.loads(out)["steps"] if out.startswith("{") else []
        commands = tuple(step["status"] == "succeeded" for step in steps)
        for note in (note for step in steps for note in step["notes"] if note.startswith(HISTORY)):
            self.stayed.update(note.removeprefix(HISTORY).partition(" stayed ")[0].split(", "))
        refused = tuple("not stored" in " ".join(step["notes"]) for step in steps)
        return Ran(code, commands, refused, err)


def tree(root: Path) -> dict[str, str]:
    """All files and links but git's and the environment's: permissions, and what is in them."""
    found = {}
    for top, folders, names in os.walk(root):
        if Path(top) == root:
            folders[:] = [name for name in folders if name not in {".git", ".venv"}]
        for name in (*names, *folders):
            path = Path(top) / name
            shown = path.relative_to(root).as_posix()
            if path.is_symlink():
                found[shown] = f"leads to {path.readlink()}"
            elif path.is_file():
                found[shown] = f"{path.stat().st_mode & 0o777:o} {path.read_text()}"
    return found


def younger(root: Path) -> list[str]:
    """Of the files that `later` wrote in pairs, the first ones that are younger than the second."""
    return sorted(
        path.name
        for path in (root / "out").glob("x*")
        if newer(str(path), str(path.with_name(f"y{path.name[1:]}"))) == "True"
    )


def words(deeds: tuple[str, ...], kinds: frozenset[str]) -> set[str]:
    """What the deeds of some kinds name."""
    return {word for deed in deeds if deed.split()[0] in kinds for word in deed.split()[1:]}


def logs_of(desk: Desk) -> frozenset[str]:
    """Files that steps only ever add to, and that no step surely looks at: they are nobody's."""
    programs = [program for step in desk.steps for program in step.programs]
    added = {word for program in programs for word in words(program, ADDING)}
    written = {word for program in programs for word in words(program, WRITING)}
    seen = {
        word
        for step in desk.steps
        for word in words(step.programs[0], LOOKING) & words(step.programs[1], LOOKING)
    }
    return frozenset(added - written - seen)


def compared(desk: Desk, there: dict[str, str], fresh: dict[str, str]) -> list[str]:
    """In what a work tree differs from what a fresh clone has, but for what is the desk's own.

    That is a log which no step reads, and a history: a folder to which steps only add, or files of
    which the run said that they are one (`out/2.db` comes beside `out/1.db`).
    """
    logs, found = logs_of(desk), []
    for path in sorted(there.keys() | fresh.keys()):
        history = path.startswith("runs") or path in desk.stayed
        own = path in logs or (history and path not in fresh)
        if not own and there.get(path) != fresh.get(path):
            here, wanted = there.get(path, "nothing"), fresh.get(path, "nothing")
            found.append(f"{path}: {here!r}, in a fresh clone {wanted!r}")
    return found


def lost_of_histories(
    desk: Desk, before: dict[str, str], ran: Ran, fresh: dict[str, str]
) -> list[str]:
    """Files of histories that a step which only added to them has lost."""
    after, lost = tree(desk.root), []
    for number, command in zip(desk.programs(), ran.commands, strict=True):
        folder = f"runs{number}/"
        old = {path for path in before if path.startswith(folder)}
        new = {path for path in fresh if path.startswith(folder)}
        if command and new and not new & old:
            lost += sorted(old - after.keys())
    return lost
