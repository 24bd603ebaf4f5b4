"""What was measured for the base commit: its results in the cache, by the keys of its own tree.

Nothing of the base is checked out or run: its workflow file and params are read from git, its keys
follow from the ids of its files, and under these keys lie its results, whoever made them.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from mlpipe_ci.core.errors import GitError, MlpipeError
from mlpipe_ci.core.event import Event
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import is_under, path_fault
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.plan import Decision
from mlpipe_ci.core.run import BaseMetrics
from mlpipe_ci.core.workflow import ForEach, Step, Workflow
from mlpipe_ci.metrics.evaluation import MetricsEvaluator
from mlpipe_ci.metrics.files import Metrics, MetricsError, parse_metrics, together
from mlpipe_ci.plan.decide import make_plan
from mlpipe_ci.plan.evidence import ALL_STEPS
from mlpipe_ci.plan.session import Session, later_writes, readers
from mlpipe_ci.repo.commit_tree import CommitTree
from mlpipe_ci.repo.each_files import chosen, included
from mlpipe_ci.repo.git import Git, History
from mlpipe_ci.repo.private_directory import BASE_WORKFLOWS
from mlpipe_ci.sources.dvc import Dvc
from mlpipe_ci.tracing.discovery.check import InputChecker
from mlpipe_ci.tracing.discovery.known_state import KnownState
from mlpipe_ci.workflow.load import load
from mlpipe_ci.workflow.workflow_file import LoadRequest, WorkflowFile


@frozen(kw_only=False)
class BaseCommit:
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
        """Where a symbolic link leads, None if that is not known."""
        try:
            return self.text(path)
        except GitError:
            return None


def base_commit_of(session: Session) -> BaseCommit | None:
    """The base, if one is known."""
    base, history = session.repo.comparison.base, session.repo.blame.history
    if base is None or session.repo.git is None or history is None:
        return None
    return BaseCommit(session.repo.git, history, base)


def evaluator(session: Session, say: Callable[[str], None], now: float) -> MetricsEvaluator:
    """What evaluates outcomes. What is not known of the base gives a warning, and fails nothing."""
    workflow, base = session.workflow, base_commit_of(session)
    proposed = session.event.is_proposed_change
    if not proposed and not any(step.metrics or step.plots for step in workflow.steps):
        return MetricsEvaluator(workflow)
    if base is None:
        return MetricsEvaluator(
            workflow, None, _unknown(workflow, f"no base ({session.repo.comparison.how})")
        )
    try:
        then = base_workflow(session, base)
    except MlpipeError as error:
        why = f"the workflow file of {base.short} cannot be read: {_first_line(error)}"
        say(f"warning: {why}")
        return MetricsEvaluator(workflow, None, _unknown(workflow, f"no base: {why}"))
    if then is None:
        return MetricsEvaluator(workflow, None, without_workflow(workflow, base))
    measured = base_metrics(session, base, then, now)
    return MetricsEvaluator(workflow, then if proposed else None, measured)


def base_metrics(
    session: Session, base: BaseCommit, then: Workflow, now: float
) -> dict[str, BaseMetrics]:
    """For each step with metrics, what it measured at the base, or why that is not known."""
    steps = [step for step in session.workflow.steps if step.metrics or step.plots]
    if not steps:
        return {}
    try:
        decisions = _decisions(session, base, then, now)
    except MlpipeError as error:
        why = f"no base: {base.short} cannot be looked up: {_first_line(error)}"
        decisions, unknown = {}, BaseMetrics(source=why)
        return {step.id: _committed(step, base) or unknown for step in steps}
    found: dict[str, BaseMetrics] = {}
    for step in steps:
        same = decisions.get(step.id) or next(
            (one for one in decisions.values() if one.step.name == step.name), None
        )
        found[step.id] = _of(same, step, base) if same else _new(step, base)
    return found


def without_workflow(workflow: Workflow, base: BaseCommit) -> dict[str, BaseMetrics]:
    """Of a base without a workflow file: what is in metrics files that git has there."""
    unknown = _unknown(workflow, f"no base: {base.short} has no {workflow.file}")
    steps = [step for step in workflow.steps if step.metrics]
    return unknown | {step.id: known for step in steps if (known := _committed(step, base))}


def _decisions(
    session: Session, base: BaseCommit, then: Workflow, now: float
) -> dict[str, Decision]:
    """The plan of the base. Raises MlpipeError."""
    tree = _tree(session, base, then)
    later = later_writes(then, session.cache.state, tree, session.stale_outputs.record)
    repo = replace(
        session.repo,
        tree=tree,
        comparison=replace(session.repo.comparison, changed=()),
        blame=replace(session.repo.blame, git=None),  # nobody reads the reasons
    )
    records = session.cache.state.records
    checker = InputChecker(
        *(str(repo.root), tree, session.env, later, records.digest),
        KnownState(patterns=then.all_state),
    )
    collector = replace(
        session.collector(now),
        workflow=then,
        repo=repo,
        cache=replace(session.cache, scopes=_trusted(session.event)),
        discovery=replace(
            session.discovery,
            checker=checker,
            later_writes=later,
            readers=readers(then, session.cache.state),
        ),
        selection=ALL_STEPS,
        metrics_only=True,
    )
    return {one.step.id: one for one in make_plan(then, collector).decisions}


def _tree(session: Session, base: BaseCommit, workflow: Workflow) -> CommitTree:
    work = (session.repo.root, base.git, workflow.writes, session.cache.state.digest_cache)
    then = base.history.entries(base.commit)
    dvc = Dvc(session.repo.root, lambda: then, base.link, None) if session.data.dvc else None
    record, writes = session.stale_outputs.record, session.workflow.writes

    def made(path: str) -> bool:
        return any(is_under(path, one) for one in writes) or bool(record.left_by(path))

    return CommitTree(work, then, base.link, made, dvc)


def _items(session: Session, tree: CommitTree, each: ForEach) -> tuple[str, ...]:
    """The files of `each` as the base has them; of sources, those of now. Raises MlpipeError."""
    found = {path for one in included(each.patterns) for path in tree.paths(one, each.step)}
    paths = [one.path for one in each.external]
    here = {path for path in found if not any(is_under(path, one) for one in paths)}
    there = {item.path for one in each.external for item in session.data.sources.items(one)}
    meant = {p for p in there if any(matches(one, p) for one in included(each.patterns))}
    return chosen(each.patterns, here | meant)


def _trusted(event: Event) -> tuple[str, ...]:
    """Scopes in which the base's values are looked up: not the one that the change itself writes.

    Else it could store what makes the base look worse.
    """
    return event.scopes[1:] or event.scopes if event.is_proposed_change else event.scopes


def base_workflow(
    session: Session, base: BaseCommit, settings: tuple[str, ...] = ()
) -> Workflow | None:
    """The workflow as the base has it, None if it has none. Raises MlpipeError.

    `settings`: params that the user sets for it.
    """
    name = session.workflow.file
    if path_fault(name):
        return None
    text = base.text(name)
    if text is None:
        return None
    if _is_the_same(session, base, text):
        return session.workflow
    import tempfile  # noqa: PLC0415 - 4 ms, which most runs need not pay

    with tempfile.TemporaryDirectory(prefix="mlpipe-base-") as directory:
        root = Path(directory)
        _write(root, name, text)
        for path in _params_files(text):
            content = None if path_fault(path) else base.text(path)
            if content is not None:
                _write(root, path, content)
        request = LoadRequest(
            file=WorkflowFile(path=root / name, shown=name, root=root),
            name=session.workflow.name,
            github=dict(session.event.attributes),
            settings=settings,
            memory=session.repo.private / BASE_WORKFLOWS,
            remember=session.load_request.remember,
            items=partial(_items, session, _tree(session, base, session.workflow)),
        )
        return load(request)


def _is_the_same(session: Session, base: BaseCommit, text: str) -> bool:
    """True if file and params are those of the base: then they need not be read again."""
    if session.load_request.settings:
        return False
    workflow, root = session.workflow, session.repo.root
    texts = {workflow.file: text, **{path: base.text(path) for path in workflow.params_files}}
    try:
        same = all((root / path).read_text("utf-8") == then for path, then in texts.items())
    except (OSError, UnicodeDecodeError):
        return False
    return same and _same_items(session, base)


def _same_items(session: Session, base: BaseCommit) -> bool:
    """True if each step with items has those that it had at the base."""
    workflow = session.workflow
    if not workflow.items:
        return True
    tree = _tree(session, base, workflow)
    now: dict[str, list[str]] = {}
    for step in workflow.steps:
        if step.strategy and step.strategy.each:
            now.setdefault(step.group, []).append(step.strategy.each)
    return all(_items(session, tree, one) == tuple(now.get(one.id, ())) for one in workflow.items)


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
    full_path = root / path
    full_path.parent.mkdir(parents=True, exist_ok=True)
    full_path.write_text(text, "utf-8", errors="surrogateescape")


def _of(decision: Decision, step: Step, base: BaseCommit) -> BaseMetrics:
    """From its stored result, else from the files that are committed. `step`: as it is now, which
    may have metrics files that it did not name then.
    """
    result = decision.result
    if result is not None and not result.metrics and (committed := _committed(step, base)):
        return replace(committed, outputs=result.outputs)
    if result is not None:
        source = f"the result of {base.short}" if result.metrics else _why_not(decision, base)
        return BaseMetrics(
            metrics=result.metrics, samples=result.samples, source=source, outputs=result.outputs
        )
    committed = _committed(decision.step, base) or _committed(step, base)
    return committed or BaseMetrics(source=_why_not(decision, base))


def _why_not(decision: Decision, base: BaseCommit) -> str:
    name = decision.step.name
    if decision.step.cache is False:
        return f"no base: nothing is saved of {name}, which has cache: false"
    if decision.result is not None:
        return f"no base: {name} wrote no metrics on {base.short}"
    return f"no base: {name} never ran on {base.short}"


def _new(step: Step, base: BaseCommit) -> BaseMetrics:
    unknown = BaseMetrics(source=f"no base: {base.short} has no step {step.name}")
    return _committed(step, base) or unknown


def _committed(step: Step, base: BaseCommit) -> BaseMetrics | None:
    """From metrics files that git has."""
    found: dict[str, Metrics] = {}
    for path in step.metrics:
        try:
            text = base.text(path)
            if text is not None:
                found[path] = parse_metrics(text.encode("utf-8", "surrogateescape"), path)
        except (GitError, MetricsError) as error:
            return BaseMetrics(source=f"no base: {path} of {base.short}: {_first_line(error)}")
    metrics = together(found)
    return BaseMetrics(metrics=metrics, source=f"files of {base.short}") if metrics else None


def _unknown(workflow: Workflow, why: str) -> dict[str, BaseMetrics]:
    return {step.id: BaseMetrics(source=why) for step in workflow.steps if step.metrics}


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
