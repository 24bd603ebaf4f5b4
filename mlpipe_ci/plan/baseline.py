"""What was measured for the base commit: its results in the cache, by the keys of its own tree.

Nothing of the base is checked out or run: its workflow file and params are read from git, its keys
follow from the ids of its files, and under these keys lie its results, whoever made them.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from mlpipe_ci.core.errors import GitError, MlpipeError
from mlpipe_ci.core.event import Event
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import is_under, path_fault
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.plan import Decision
from mlpipe_ci.core.run import Measured
from mlpipe_ci.core.workflow import Each, Step, Workflow
from mlpipe_ci.metrics.evaluation import Scales
from mlpipe_ci.metrics.files import Metrics, MetricsError, parse_metrics, together
from mlpipe_ci.plan.decide import make_plan
from mlpipe_ci.plan.evidence import Gatherer
from mlpipe_ci.plan.session import Workspace, note_writers
from mlpipe_ci.repo.commit_tree import PastTree
from mlpipe_ci.repo.each_files import chosen, included
from mlpipe_ci.repo.git import Git, History
from mlpipe_ci.sources.dvc import Dvc
from mlpipe_ci.tracing.discovery.check import Checker
from mlpipe_ci.workflow.load import load
from mlpipe_ci.workflow.workflow_file import Source


@frozen(kw_only=False)
class Past:
    """The repository at one commit. `short`: how the commit is called in messages."""

    git: Git
    history: History
    commit: str

    @property
    def short(self) -> str:
        """The first digits of its id."""
        return self.commit[:7]

    def text(self, path: str) -> str | None:
        """A file's content, None if there is none. Raises GitError."""
        return self.history.text(self.commit, path)

    def link(self, path: str) -> str | None:
        """Where a symbolic link leads, None if that cannot be told."""
        try:
            return self.text(path)
        except GitError:
            return None


def past_of(workspace: Workspace) -> Past | None:
    """The base, if one is known."""
    base, history = workspace.comparison.base, workspace.authors.history
    if base is None or workspace.git is None or history is None:
        return None
    return Past(workspace.git, history, base)


def scales(
    workspace: Workspace, env: Mapping[str, str], say: Callable[[str], None], now: float
) -> Scales:
    """What outcomes are weighed by. What is not known of the base is said, and fails nothing."""
    workflow, past = workspace.workflow, past_of(workspace)
    proposed = workspace.event.proposes
    if not proposed and not any(step.metrics or step.plots for step in workflow.steps):
        return Scales(workflow)
    if past is None:
        return Scales(workflow, None, _unknown(workflow, f"no base ({workspace.comparison.how})"))
    try:
        then = base_workflow(workspace, past)
    except MlpipeError as error:
        why = f"the workflow file of {past.short} cannot be read: {_first_line(error)}"
        say(f"warning: {why}")
        return Scales(workflow, None, _unknown(workflow, f"no base: {why}"))
    if then is None:
        why = f"no base: {past.short} has no {workflow.file}"
        return Scales(workflow, None, _unknown(workflow, why))
    measured = measure(workspace, env, past, then, now)
    return Scales(workflow, then if proposed else None, measured)


def measure(
    workspace: Workspace, env: Mapping[str, str], past: Past, then: Workflow, now: float
) -> dict[str, Measured]:
    """For each step with metrics, what it measured at the base, or why that is not known."""
    steps = [step for step in workspace.workflow.steps if step.metrics or step.plots]
    if not steps:
        return {}
    try:
        decisions = _decisions(workspace, env, past, then, now)
    except MlpipeError as error:
        why = f"no base: {past.short} cannot be looked up: {_first_line(error)}"
        decisions, unknown = {}, Measured(source=why)
        return {step.id: _committed(step, past) or unknown for step in steps}
    found: dict[str, Measured] = {}
    for step in steps:
        same = decisions.get(step.id) or next(
            (one for one in decisions.values() if one.step.name == step.name), None
        )
        found[step.id] = _of(same, past) if same else _new(step, past)
    return found


def _decisions(
    workspace: Workspace, env: Mapping[str, str], past: Past, then: Workflow, now: float
) -> dict[str, Decision]:
    """The plan of the base. Raises MlpipeError."""
    tree = _tree(workspace, past, then)
    later = note_writers(then, workspace.state, tree)
    witness: Gatherer = replace(
        workspace.gatherer(now),
        workflow=then,
        tree=tree,
        checker=Checker(str(workspace.root), tree, env, later),
        changed=(),
        forced=frozenset(),
        chosen=None,
        author=lambda _path: "",
        metrics_only=True,
        scopes=_trusted(workspace.event),
    )
    return {one.step.id: one for one in make_plan(then, witness).decisions}


def _tree(workspace: Workspace, past: Past, workflow: Workflow) -> PastTree:
    work = (workspace.root, past.git, workflow.writes, workspace.state.memo)
    then = past.history.entries(past.commit)
    dvc = Dvc(workspace.root, lambda: then, past.link, None) if workspace.dvc else None
    return PastTree(work, then, past.link, dvc)


def _items(workspace: Workspace, tree: PastTree, wanted: Each) -> tuple[str, ...]:
    """The files of `each` as the base has them; of sources, those of now. Raises MlpipeError."""
    found = {path for one in included(wanted.patterns) for path in tree.paths(one, wanted.step)}
    places = [one.path for one in wanted.external]
    here = {path for path in found if not any(is_under(path, place) for place in places)}
    there = {item.path for one in wanted.external for item in workspace.sources.items(one)}
    meant = {p for p in there if any(matches(one, p) for one in included(wanted.patterns))}
    return chosen(wanted.patterns, here | meant)


def _trusted(event: Event) -> tuple[str, ...]:
    """Scopes in which the base's values are looked up: not the one that the change itself writes.

    Else it could store what makes the base look worse.
    """
    return event.scopes[1:] or event.scopes if event.proposes else event.scopes


def base_workflow(workspace: Workspace, past: Past) -> Workflow | None:
    """The workflow as the base has it, None if it has none. Raises MlpipeError."""
    name = workspace.workflow.file
    if path_fault(name):
        return None
    text = past.text(name)
    if text is None:
        return None
    if _is_the_same(workspace, past, text):
        return workspace.workflow
    with tempfile.TemporaryDirectory(prefix="mlpipe-base-") as place:
        root = Path(place)
        _write(root, name, text)
        for path in _params_files(text):
            content = None if path_fault(path) else past.text(path)
            if content is not None:
                _write(root, path, content)
        source = Source(
            path=root / name,
            shown=name,
            root=root,
            name=workspace.workflow.name,
            github=dict(workspace.event.attributes),
            memory=workspace.private / "base",
            keep=not workspace.readonly,
            items=partial(_items, workspace, _tree(workspace, past, workspace.workflow)),
        )
        return load(source)


def _is_the_same(workspace: Workspace, past: Past, text: str) -> bool:
    """True if file and params are those of the base: then they need not be read again."""
    if workspace.settings:
        return False
    workflow, root = workspace.workflow, workspace.root
    texts = {workflow.file: text, **{path: past.text(path) for path in workflow.params_files}}
    try:
        same = all((root / path).read_text("utf-8") == then for path, then in texts.items())
    except (OSError, UnicodeDecodeError):
        return False
    return same and _same_items(workspace, past)


def _same_items(workspace: Workspace, past: Past) -> bool:
    """True if each step with items has those that it had at the base."""
    workflow = workspace.workflow
    if not workflow.items:
        return True
    tree = _tree(workspace, past, workflow)
    now: dict[str, list[str]] = {}
    for step in workflow.steps:
        if step.strategy and step.strategy.each:
            now.setdefault(step.group, []).append(step.strategy.each)
    return all(_items(workspace, tree, one) == tuple(now.get(one.id, ())) for one in workflow.items)


def _params_files(text: str) -> list[str]:
    # The YAML parser takes 0.015 s to import, which a run without metrics does not pay.
    from mlpipe_ci.core.yaml.parse import YamlError, parse  # noqa: PLC0415

    try:
        value = parse(text).value
    except YamlError:
        return []
    named = value.get("params") if isinstance(value, dict) else None
    several = named if isinstance(named, list) else [named]
    return [one for one in several if isinstance(one, str)]


def _write(root: Path, path: str, text: str) -> None:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, "utf-8", errors="surrogateescape")


def _of(decision: Decision, past: Past) -> Measured:
    """From its stored result, else from the files that are committed."""
    result = decision.result
    if result is not None:
        source = f"the result of {past.short}" if result.metrics else _why_not(decision, past)
        return Measured(
            metrics=result.metrics, samples=result.samples, source=source, outputs=result.outputs
        )
    return _committed(decision.step, past) or Measured(source=_why_not(decision, past))


def _why_not(decision: Decision, past: Past) -> str:
    name = decision.step.name
    if decision.step.cache is False:
        return f"no base: nothing is kept of {name}, which has cache: false"
    if decision.result is not None:
        return f"no base: {name} wrote no metrics on {past.short}"
    return f"no base: {name} never ran on {past.short}"


def _new(step: Step, past: Past) -> Measured:
    return Measured(source=f"no base: {past.short} has no step {step.name}")


def _committed(step: Step, past: Past) -> Measured | None:
    """From metrics files that git has."""
    found: dict[str, Metrics] = {}
    for path in step.metrics:
        try:
            text = past.text(path)
            if text is not None:
                found[path] = parse_metrics(text.encode("utf-8", "surrogateescape"), path)
        except (GitError, MetricsError) as error:
            return Measured(source=f"no base: {path} of {past.short}: {_first_line(error)}")
    metrics = together(found)
    return Measured(metrics=metrics, source=f"files of {past.short}") if metrics else None


def _unknown(workflow: Workflow, why: str) -> dict[str, Measured]:
    return {step.id: Measured(source=why) for step in workflow.steps if step.metrics}


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
