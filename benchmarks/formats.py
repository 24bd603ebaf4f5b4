"""One work in the format of each tool."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from works import DATA, Step, Tree

WALK = f"""import os
DATA = [os.path.join(place, name) for place, _, names in os.walk("{DATA}") for name in names]
"""
IGNORED = ["out.txt", "out/", ".doit.db*", "__pycache__/", ".snakemake/", ".turbo/", ".ninja_*"]


def gitignore(tree: Tree) -> str:
    """What git leaves out: what steps and tools write, and data that is not tracked."""
    data = [] if tree.tracked else [f"/{DATA}/"]
    return "\n".join([*IGNORED, *data]) + "\n"


def mlpipe(tree: Tree, *, link: bool = False) -> str:
    """The text of mlpipe.yml."""
    lines = ["cache: {restore: link}"] if link else []
    lines.append("steps:")
    for step in tree.steps:
        lines += [f"  - name: {step.name}", f"    run: {step.whole}"]
        lines += [f"    inputs: [{', '.join(step.inputs)}]"]
        lines += [f"    outputs: [{', '.join(step.outputs)}]"]
    return "\n".join(lines) + "\n"


def dvc(tree: Tree) -> str:
    """The text of dvc.yaml."""
    lines = ["stages:"]
    for step in tree.steps:
        lines += [f"  {step.name}:", f"    cmd: {step.whole}", "    deps:"]
        lines += [f"      - {path.rstrip('/')}" for path in step.inputs]
        lines += ["    outs:", *(f"      - {path.rstrip('/')}" for path in step.outputs)]
    return "\n".join(lines) + "\n"


def dvc_lock(tree: Tree, repo: Path) -> str:
    """The dvc.lock of steps that have run: DVC itself needs an hour to run 1,000."""
    lines = ["schema: '2.0'", "stages:"]
    for step in tree.steps:
        lines += [f"  {step.name}:", f"    cmd: {step.whole}", "    deps:"]
        for number, path in enumerate([*sorted(step.inputs), *step.outputs]):
            if number == len(step.inputs):
                lines.append("    outs:")
            content = (repo / path).read_bytes()
            digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
            lines += [f"    - path: {path}", "      hash: md5"]
            lines += [f"      md5: {digest}", f"      size: {len(content)}"]
    return "\n".join(lines) + "\n"


def snakefile(tree: Tree) -> str:
    """The text of the Snakefile; a directory as an input is the list of its files."""
    targets = [path.rstrip("/") for step in tree.steps for path in step.outputs]
    lines = [WALK if tree.files else "", "rule all:", f"    input: {_quoted(targets)}"]
    for step in tree.steps:
        written = [
            f'directory("{path.rstrip("/")}")' if path.endswith("/") else f'"{path}"'
            for path in step.outputs
        ]
        lines += [f"rule {step.name}:", f"    input: {_reads(step)}"]
        lines += [f"    output: {', '.join(written)}", f"    shell: {json.dumps(step.whole)}"]
    return "\n".join(lines) + "\n"


def dodo(tree: Tree) -> str:
    """The text of dodo.py; a directory as an input is the list of its files."""
    lines = [WALK if tree.files else "", "STEPS = ["]
    for step in tree.steps:
        reads = "DATA" if _reads(step) == "DATA" else f"[{_reads(step)}]"
        targets = _quoted([path.rstrip("/") for path in step.outputs])
        lines.append(f'    ("{step.name}", {reads}, [{targets}], {json.dumps(step.whole)}),')
    lines += ["]", "def task_steps():", "    for name, reads, writes, command in STEPS:"]
    names = '"name": name, "file_dep": reads, "targets": writes, "actions": [command]'
    return "\n".join([*lines, f"        yield {{{names}}}"]) + "\n"


def makefile(tree: Tree) -> str:
    """The text of the Makefile; a directory as an input is the list of its files."""
    targets = " ".join(path for step in tree.steps for path in step.outputs)
    lines = [f"DATA := $(shell find {DATA} -type f)" if tree.files else "", f"all: {targets}"]
    for step in tree.steps:
        reads = "$(DATA)" if _reads(step) == "DATA" else " ".join(step.inputs)
        lines += [f"{' '.join(step.outputs)}: {reads}", f"\t@{step.whole}"]
    return "\n".join(lines) + "\n"


def ninja(tree: Tree, repo: Path) -> str:
    """The text of build.ninja; its list of files is fixed when it is written."""
    lines = ["rule run", "  command = $cmd"]
    files = sorted(path for path in (repo / DATA).rglob("*") if path.is_file())
    data = " ".join(str(path.relative_to(repo)) for path in files)
    for step in tree.steps:
        reads = data if _reads(step) == "DATA" else " ".join(step.inputs)
        lines += [f"build {' '.join(step.outputs)}: run {reads}", f"  cmd = {step.whole}"]
    return "\n".join(lines) + "\n"


def turbo(tree: Tree, repo: Path) -> None:
    """Write turbo.json, and a package for each step, which depends on those it reads from."""
    inputs, outputs = ["in.txt", "data/**"], ["out.txt", "out/**"]
    build = {"dependsOn": ["^build"], "inputs": inputs, "outputs": outputs}
    _write(repo / "turbo.json", {"tasks": {"build": build}})
    root = {"name": "work", "private": True, "packageManager": "npm@10.0.0"}
    _write(repo / "package.json", root | {"workspaces": ["steps/*"]})
    writers = {path: step.name for step in tree.steps for path in step.outputs}
    for step in tree.steps:
        package = {"name": step.name, "version": "1.0.0"}
        scripts = {"build": f"cd ../.. && {step.whole}"}
        needs = {writers[path]: "*" for path in step.inputs if path in writers}
        _write(
            repo / step.home / "package.json",
            package | {"scripts": scripts, "dependencies": needs},
        )


def _reads(step: Step) -> str:
    return "DATA" if step.inputs == (f"{DATA}/",) else _quoted(step.inputs)


def _quoted(paths: Sequence[str]) -> str:
    return ", ".join(f'"{path}"' for path in paths)


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")
