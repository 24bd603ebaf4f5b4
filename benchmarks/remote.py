"""Measures the remote cache beside DVC and bare clients of S3, against one server, in one run.

python benchmarks/remote.py [ROUNDS]: pushes and pulls 1,000 files of 4 kB and one of 500 MB, then
lets a second machine reuse what a first one did. Writes benchmarks/remote.md.
"""

import dataclasses
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from measure import measure

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.servers.s3 import Server, s3  # noqa: E402 - it lies beside the tests

RESULTS = ROOT / "benchmarks" / "remote.md"
RIVALS = ROOT / "build" / "rivals" / "remote"
PACKAGES = ("dvc[s3]", "s3fs", "boto3", "obstore")
MLPIPE = str(Path(sys.executable).parent / "mlpipe")
SMALL, SMALL_SIZE, LARGE_SIZE = 1000, 4096, 500_000_000
WORKFLOW = """
cache: {{remote: "s3://bucket/{prefix}"}}
steps:
  - {{name: make, run: "cp -r {source} data", inputs: [mlpipe.yml], outputs: [data/]}}
"""
FLOOR = """
from blake3 import blake3
digest = blake3()
with open({source!r}, "rb") as source, open({target!r}, "wb") as target:
    while data := source.read(1 << 20):
        digest.update(data)
        target.write(data)
"""
TOOLS = ("obstore", "boto3", "s3fs", "dvc", "mlpipe")


@dataclasses.dataclass(frozen=True)
class World:
    """Where it is measured: scratch directory, environment, the files."""

    top: Path
    env: Mapping[str, str]
    source: Path

    def seconds(self, command: list[str], directory: Path, **more: str) -> float:
        """Wall seconds of one command."""
        env = {**self.env, **more}
        return measure(command, directory, env, self.top / "said").wall


def main() -> None:
    """Measure all, and write it down."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    _install()
    with s3() as server, tempfile.TemporaryDirectory(dir=_scratch()) as scratch:
        server.bucket("bucket")
        parts = []
        for title, count, size in (
            (f"{SMALL:,} files of 4 kB", SMALL, SMALL_SIZE),
            ("one file of 500 MB", 1, LARGE_SIZE),
        ):
            parts.append(_transfers(server, Path(scratch), title, (count, size), rounds))
        parts.append(_floor(Path(scratch)))
        parts.append(_second_machine(server, Path(scratch)))
    RESULTS.write_text(_text(parts, rounds), "utf-8")
    print(RESULTS.read_text("utf-8"))


def _scratch() -> Path:
    path = ROOT / "build"
    path.mkdir(exist_ok=True)
    return path


def _install() -> None:
    if (RIVALS / "ready").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(RIVALS)], check=True)
    pip = [str(RIVALS / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *PACKAGES], check=True)
    (RIVALS / "ready").touch()


def _env(server: Server, top: Path) -> dict[str, str]:
    told = server.env() | {"AWS_ENDPOINT_URL": server.direct, "AWS_DEFAULT_REGION": "us-east-1"}
    names = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME",)}
    mails = {f"GIT_{who}_EMAIL": "a@b" for who in ("AUTHOR", "COMMITTER")}
    path = f"{RIVALS / 'bin'}{os.pathsep}{os.environ['PATH']}"
    more = {"PATH": path, "HOME": str(top), "BUCKET": "bucket", "NO_PROXY": "127.0.0.1"}
    more |= {"MLPIPE_TRACER": "off", "DVC_NO_ANALYTICS": "1", "LANG": "C.UTF-8"}
    return {**told, **names, **mails, **more}


# -- transfers ---------------------------------------------------------------------------------


def _transfers(
    server: Server, scratch: Path, title: str, shape: tuple[int, int], rounds: int
) -> str:
    """One table: each tool pushes and pulls, in turn; and once more with nothing to transfer."""
    found: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds):
        order = TOOLS if number % 2 == 0 else TOOLS[::-1]
        for tool in order:
            with _place(scratch) as top:
                source = _files(top, *shape)
                world = World(top=top, env=_env(server, top), source=source)
                prefix = f"{tool}-{shape[0]}-{number}"
                for what, took in RUNS[tool](world, prefix).items():
                    found.setdefault((tool, what), []).append(took)
                    print(f"{title}: {tool} {what} {took:.2f} s", file=sys.stderr)
            _empty(server, prefix)
    return _table(title, {pair: statistics.median(times) for pair, times in found.items()})


@contextmanager
def _place(scratch: Path) -> Iterator[Path]:
    top = Path(tempfile.mkdtemp(dir=scratch))
    try:
        yield top
    finally:
        shutil.rmtree(top)


def _files(top: Path, count: int, size: int) -> Path:
    source = top / "source"
    source.mkdir()
    chance = random.Random(count)
    for number in range(count):
        name = "large" if count == 1 else f"{number:04}"
        with (source / name).open("wb") as file:
            for start in range(0, size, 1 << 20):
                file.write(chance.randbytes(min(1 << 20, size - start)))
    names = "\n".join(sorted(path.name for path in source.iterdir()))
    Path(f"{source}.names").write_text(names)
    Path(f"{top / 'target'}.names").write_text(names)
    return source


def _empty(server: Server, prefix: str) -> None:
    for key in server.objects("bucket"):
        if key.startswith(prefix):
            server.delete("bucket", key)


def _bare(client: str) -> Callable[[World, str], dict[str, float]]:
    def run(world: World, prefix: str) -> dict[str, float]:
        script = str(ROOT / "benchmarks" / "remote_clients.py")
        command = [str(RIVALS / "bin" / "python"), script, client]
        target = world.top / "target"
        target.mkdir()
        push = world.seconds([*command, "push", str(world.source)], world.top, PREFIX=prefix)
        pull = world.seconds([*command, "pull", str(target)], world.top, PREFIX=prefix)
        _same(world.source, target)
        return {"push": push, "pull": pull}

    return run


def _dvc(world: World, prefix: str) -> dict[str, float]:
    first, second = world.top / "first", world.top / "second"
    first.mkdir()
    shutil.copytree(world.source, first / "data")
    _call(world, first, "git", "init", "-q", "-b", "main")
    for words in (("init", "-q"), ("remote", "add", "-d", "there", f"s3://bucket/{prefix}")):
        _call(world, first, "dvc", *words)
    _call(world, first, "dvc", "remote", "modify", "there", "endpointurl", _endpoint(world))
    _call(world, first, "dvc", "add", "-q", "data")
    _call(world, first, "git", "add", "-A")
    _call(world, first, "git", "commit", "-q", "-m", "data")
    push = world.seconds(["dvc", "push", "-q"], first)
    again = world.seconds(["dvc", "push", "-q"], first)
    _call(world, world.top, "git", "clone", "-q", str(first), str(second))
    pull = world.seconds(["dvc", "pull", "-q"], second)
    _same(world.source, second / "data")
    return {"push": push, "pull": pull, "push again": again}


def _mlpipe(world: World, prefix: str) -> dict[str, float]:
    first, second = world.top / "first", world.top / "second"
    first.mkdir()
    text = WORKFLOW.format(prefix=prefix, source=world.source)
    (first / "mlpipe.yml").write_text(text)
    (first / ".gitignore").write_text("data/\n")
    _call(world, first, "git", "init", "-q", "-b", "main")
    _call(world, first, "git", "add", "-A")
    _call(world, first, "git", "commit", "-q", "-m", "workflow")
    here = {"MLPIPE_CACHE_DIR": str(world.top / "cache 1")}
    _call(world, first, MLPIPE, "run", **here)
    push = world.seconds([MLPIPE, "cache", "push"], first, **here)
    again = world.seconds([MLPIPE, "cache", "push"], first, **here)
    _call(world, world.top, "git", "clone", "-q", str(first), str(second))
    there = {"MLPIPE_CACHE_DIR": str(world.top / "cache 2")}
    pull = world.seconds([MLPIPE, "run"], second, **there)
    _same(world.source, second / "data")
    if "1 reused" not in (world.top / "said").read_text():
        raise SystemExit("mlpipe executed the step")
    return {"push": push, "pull": pull, "push again": again}


RUNS: dict[str, Callable[[World, str], dict[str, float]]] = {
    "obstore": _bare("obstore"),
    "boto3": _bare("boto3"),
    "s3fs": _bare("s3fs"),
    "dvc": _dvc,
    "mlpipe": _mlpipe,
}


def _endpoint(world: World) -> str:
    return world.env["AWS_ENDPOINT_URL"]


def _call(world: World, directory: Path, *command: str, **more: str) -> str:
    env = {**world.env, **more}
    done = subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True)  # noqa: PLW1510
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stdout[-800:]}{done.stderr[-800:]}")
    return done.stdout + done.stderr


def _same(source: Path, target: Path) -> None:
    done = subprocess.run(["diff", "-rq", str(source), str(target)], check=False)
    if done.returncode:
        raise SystemExit(f"{target} is not what was pushed")


# -- a second machine ----------------------------------------------------------------------------


STEPS = ("profiles", "clean", "features", "train", "evaluate")


def _floor(scratch: Path) -> str:
    """What a verified copy of the large file takes, without any store: read, digest, write."""
    with _place(scratch) as top:
        source, times = _files(top, 1, LARGE_SIZE) / "large", []
        for number in range(3):
            env = {"PATH": os.environ["PATH"]}
            script = FLOOR.format(source=str(source), target=str(top / f"copy {number}"))
            command = [sys.executable, "-c", script]
            times.append(World(top=top, env=env, source=source).seconds(command, top))
            (top / f"copy {number}").unlink()
            time.sleep(1)
    words = "Beside it: to read, digest (BLAKE3) and write that file once takes"
    twice = "mlpipe writes it into its store, and into its place"
    return f"{words} {statistics.median(times):.2f} s; {twice}."


def _second_machine(server: Server, scratch: Path) -> str:
    """The example on two machines that share nothing but the bucket, and git."""
    rows = []
    for tool, run in (
        ("mlpipe", _mlpipe_twice),
        ("dvc, dvc.lock in git", lambda w: _dvc_twice(w, lock=True)),
        ("dvc, no lock file in git", lambda w: _dvc_twice(w, lock=False)),
    ):
        with _place(scratch) as top:
            server.requests.clear()
            env = _env(server, top) | {"AWS_ENDPOINT_URL": server.url}
            executed, took = run(World(top=top, env=env, source=top))
            received = sum(one.received for one in server.requests)
            print(f"second machine: {tool} {executed} {took:.2f} s", file=sys.stderr)
            rows.append(f"| {tool} | {executed} | {took:.2f} | {received / 1e6:.2f} |")
    head = (
        "| tool | steps executed | wall s | MB from the bucket, both machines |\n|---|--:|--:|--:|"
    )
    return "\n".join(("## A second machine, the example of fraud detection", "", head, *rows))


def _example(world: World) -> Path:
    first = world.top / "first"
    ignore = shutil.ignore_patterns("build", "models", "reports", "deploy", "__pycache__")
    shutil.copytree(ROOT / "examples" / "fraud-detection", first, ignore=ignore)
    _call(world, first, "git", "init", "-q", "-b", "main")
    return first


def _python(world: World) -> dict[str, str]:
    """The steps run in the environment of this interpreter, which has what they import."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{world.env['PATH']}"
    return {"PATH": path}


def _mlpipe_twice(world: World) -> tuple[str, float]:
    first, second = _example(world), world.top / "second"
    text = (first / "mlpipe.yml").read_text()
    (first / "mlpipe.yml").write_text(f'{text}\ncache: {{remote: "s3://bucket/example"}}\n')
    _commit(world, first)
    python = _python(world)
    cache = {"MLPIPE_CACHE_DIR": str(world.top / "cache 1")}
    _call(world, first, MLPIPE, "run", "--push", *STEPS, **python, **cache)
    _clone(world, first, second)
    cache = {"MLPIPE_CACHE_DIR": str(world.top / "cache 2")}
    took = world.seconds([MLPIPE, "run", *STEPS], second, **python, **cache)
    said = (world.top / "said").read_text()
    return str(said.count("succeeded")), took


def _dvc_twice(world: World, *, lock: bool) -> tuple[str, float]:
    """The same commands, inputs and outputs; the metric is tracked by git, as DVC advises."""
    first, second = _example(world), world.top / "second"
    python = _python(world)
    (first / "dvc.yaml").write_text(_dvc_file(first))
    for words in (("init", "-q"), ("remote", "add", "-d", "there", "s3://bucket/dvc")):
        _call(world, first, "dvc", *words)
    _call(world, first, "dvc", "remote", "modify", "there", "endpointurl", _endpoint(world))
    _call(world, first, "dvc", "repro", **python)
    _call(world, first, "dvc", "push", "--run-cache", **python)
    if not lock:
        (first / "dvc.lock").unlink()
    _commit(world, first)
    _clone(world, first, second)
    script = "dvc pull --run-cache -q 2> /dev/null || dvc fetch --run-cache -q 2> /dev/null; "
    command = ["sh", "-c", f"{script}dvc repro --pull"]
    took = world.seconds(command, second, **python)
    said = (world.top / "said").read_text()
    return str(said.count("Running stage")), took


def _dvc_file(first: Path) -> str:
    """dvc.yaml of the example's steps, from what mlpipe.yml says of them."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - here alone

    steps = YAML(typ="safe").load((first / "mlpipe.yml").read_text())["steps"]
    lines = ["stages:"]
    for step in steps:
        name = step.get("id") or step["name"].lower().replace(" ", "-")
        if name not in STEPS:
            continue
        lines += [f"  {name}:", f"    cmd: {step['run']}", "    deps:"]
        paths = [p for pattern in step["inputs"] for p in _expanded(first, pattern)]
        lines += [f"    - {path}" for path in paths]
        if step.get("outputs"):
            lines += ["    outs:", *(f"    - {path.rstrip('/')}" for path in step["outputs"])]
        if step.get("metrics"):
            lines += ["    metrics:"]
            lines += [f"    - {path}:\n        cache: false" for path in step["metrics"]]
    return "\n".join(lines) + "\n"


def _expanded(first: Path, pattern: str) -> list[str]:
    if "*" not in pattern:
        return [pattern.rstrip("/")]
    return sorted(str(path.relative_to(first)) for path in first.glob(pattern))


def _commit(world: World, path: Path) -> None:
    _call(world, path, "git", "add", "-A")
    _call(world, path, "git", "commit", "-q", "-m", "all")


def _clone(world: World, first: Path, second: Path) -> None:
    _call(world, world.top, "git", "clone", "-q", "--depth", "1", first.as_uri(), str(second))


# -- words ---------------------------------------------------------------------------------------


def _table(title: str, times: Mapping[tuple[str, str], float]) -> str:
    best = {w: min(times[t, w] for t in TOOLS[:3]) for w in ("push", "pull")}
    head = "| tool | push s | × fastest bare | pull s | × fastest bare | push again s |"
    rows = [head, "|---|--:|--:|--:|--:|--:|"]
    for tool in TOOLS:
        push, pull = times[tool, "push"], times[tool, "pull"]
        again = times.get((tool, "push again"))
        last = f"{again:.2f}" if again is not None else ""
        ratios = f"{push / best['push']:.2f} | {pull:.2f} | {pull / best['pull']:.2f}"
        rows.append(f"| {tool} | {push:.2f} | {ratios} | {last} |")
    of_dvc = [times["dvc", what] / times["mlpipe", what] for what in ("push", "pull")]
    words = f"DVC takes {of_dvc[0]:.1f} times as long as mlpipe to push, {of_dvc[1]:.1f} to pull."
    return "\n".join((f"## {title[0].upper()}{title[1:]}", "", *rows, "", words))


ABOUT = """Written by `benchmarks/remote.py`. Whole processes, wall seconds, medians of {rounds}
rounds in turn, on {cores} cores, which the server shares: moto, an S3 server in Python on the same
machine, is the limit of the large file, and of all that asks for many small ones. Random bytes,
which nothing makes smaller. mlpipe's push is `mlpipe cache push` after a local run, its pull
`mlpipe run` in a fresh clone with an empty cache: it includes the decision, verification, and
putting the outputs in their place. Versions: {versions}."""


def _text(parts: list[str], rounds: int) -> str:
    freeze = [str(RIVALS / "bin" / "pip"), "freeze"]
    installed = subprocess.run(freeze, capture_output=True, text=True, check=True).stdout
    names = ("dvc==", "s3fs==", "boto3==", "obstore==")
    versions = ", ".join(x for x in installed.split() if x.startswith(names)).replace("==", " ")
    about = ABOUT.format(rounds=rounds, cores=os.cpu_count(), versions=versions)
    return "\n\n".join(("# The remote cache, measured", about, *parts)) + "\n"


if __name__ == "__main__":
    main()
