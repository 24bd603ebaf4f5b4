"""The graph of a workflow: as a tree of text, Mermaid, Graphviz's dot, and JSON."""

import json
from collections.abc import Callable
from typing import Any

from mlpipe_ci.core.graph import Edge
from mlpipe_ci.core.run import Run
from mlpipe_ci.core.workflow import Workflow
from mlpipe_ci.report import fold
from mlpipe_ci.report.wording import escape_controls

VERSION = 1
Edges = tuple[Edge, ...]
MOST_DRAWN, MOST_EDGES, MOST_NAME = 40, 200, 60
BAD, GOOD = "fill:#ffcecb,stroke:#cf222e,color:#1f2328", "fill:#aceebb,stroke:#1a7f37,color:#1f2328"
COLOURS = {
    "failed": BAD,
    "succeeded": GOOD,
    "reused": "fill:#eaeef2,stroke:#6e7781,color:#1f2328",
}
"""With a colour for the text, so that it can be read on a dark page too."""


def text(workflow: Workflow, edges: Edges) -> str:
    """A tree: each step below one that it needs; the second time with an arrow, not unfolded."""
    workflow, edges = fold.of_workflow(workflow, edges)
    after: dict[str, list[str]] = {}
    for edge in edges:
        after.setdefault(edge.before, []).append(edge.after)
    needing = {edge.after for edge in edges}
    lines: list[str] = []
    seen: set[str] = set()
    stack = [("", "", step.id) for step in reversed(workflow.steps) if step.id not in needing]
    names = {step.id: escape_controls(step.name) for step in workflow.steps}
    while stack:
        start, indent, step = stack.pop()
        again = step in seen
        lines.append(f"{start}{names[step]}{' ↑' if again and after.get(step) else ''}")
        seen.add(step)
        below = [] if again else after.get(step, [])
        for number in range(len(below) - 1, -1, -1):
            last = number == len(below) - 1
            mark, further = ("└── ", "    ") if last else ("├── ", "│   ")
            stack.append((indent + mark, indent + further, below[number]))
    return "\n".join(lines)


def mermaid(workflow: Workflow, edges: Edges) -> str:
    """A Mermaid flowchart. Names are quoted, and what Mermaid would take for its own is escaped."""
    workflow, edges = fold.of_workflow(workflow, edges)
    numbers = {step.id: f"s{number}" for number, step in enumerate(workflow.steps)}
    lines = ["flowchart TD"]
    lines += [f'  {numbers[step.id]}["{_mermaid(step.name)}"]' for step in workflow.steps]
    for edge in edges:
        arrow = "-.->" if edge.kind == "order" else "-->"
        label = f'|"{_mermaid(_label(edge))}"|' if any(edge.paths) else ""
        lines.append(f"  {numbers[edge.before]} {arrow}{label} {numbers[edge.after]}")
    return "\n".join(lines)


def coloured(run: Run) -> str:
    """A Mermaid flowchart of a run that says how each step ended; empty if there is no use in it.

    GitHub draws 500 edges and 50,000 characters at most; nobody reads so many.
    """
    nodes, edges = fold.graph(run)
    if len(nodes) > MOST_DRAWN or not 0 < len(edges) <= MOST_EDGES:
        return ""
    lines = ["flowchart LR"]
    lines += [f'  s{at}["{_mermaid(_short(node.name))}"]' for at, node in enumerate(nodes)]
    for before, after, kind in edges:
        lines.append(f"  s{before} {'-.->' if kind == 'order' else '-->'} s{after}")
    for kind, colours in COLOURS.items():
        there = [f"s{at}" for at, node in enumerate(nodes) if node.kind == kind]
        if there:
            lines += [f"  classDef {kind} {colours}", f"  class {','.join(there)} {kind}"]
    return "\n".join(lines)


def _short(name: str) -> str:
    return name if len(name) <= MOST_NAME else f"{name[: MOST_NAME - 1]}…"


def _mermaid(name: str) -> str:
    return "".join(
        c if c.isalnum() or c in " _-./,=()" else f"#{ord(c)};" for c in escape_controls(name)
    )


def _label(edge: Edge) -> str:
    return edge.paths[0] + (f" +{len(edge.paths) - 1}" if len(edge.paths) > 1 else "")


def dot(workflow: Workflow, edges: Edges) -> str:
    """A digraph in Graphviz's language."""
    workflow, edges = fold.of_workflow(workflow, edges)
    lines = [f"digraph {_quoted(workflow.name)} {{", "  node [shape=box];"]
    lines += [f"  {_quoted(step.id)} [label={_quoted(step.name)}];" for step in workflow.steps]
    for edge in edges:
        label = f"label={_quoted(_label(edge))}" if edge.paths else ""
        style = "style=dashed" if edge.kind == "order" else ""
        rest = ", ".join(part for part in (label, style) if part)
        lines.append(
            f"  {_quoted(edge.before)} -> {_quoted(edge.after)}{f' [{rest}]' if rest else ''};"
        )
    return "\n".join([*lines, "}"])


def _quoted(name: str) -> str:
    escaped = escape_controls(name).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def graph_json(workflow: Workflow, edges: Edges) -> dict[str, Any]:
    """In the shape of schema/graph.schema.json."""
    return {
        "version": VERSION,
        "workflow": escape_controls(workflow.name),
        "file": escape_controls(workflow.file),
        "steps": [
            {
                "id": step.id,
                "name": escape_controls(step.name),
                "reads": [escape_controls(path) for path in step.reads],
                "writes": [escape_controls(path) for path in step.writes],
            }
            for step in workflow.steps
        ],
        "edges": [
            {
                "before": edge.before,
                "after": edge.after,
                "kind": edge.kind,
                "paths": [escape_controls(path) for path in edge.paths],
            }
            for edge in edges
        ],
    }


FORMATS: dict[str, Callable[[Workflow, Edges], str]] = {
    "text": text,
    "mermaid": mermaid,
    "dot": dot,
    "json": lambda workflow, edges: json.dumps(graph_json(workflow, edges), indent=2),
}
