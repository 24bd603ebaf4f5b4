"""What a schema cannot say about a workflow: names, paths, and the order of steps. Pure."""

import re
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from typing import Protocol

from mlpipe_ci.core import external_url
from mlpipe_ci.core.declared_outputs import DeclaredOutputs
from mlpipe_ci.core.paths import is_glob, is_under, path_fault
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.workflow import ForEach, Step, command_line
from mlpipe_ci.core.yaml.parse import Problem
from mlpipe_ci.workflow.external_paths import ExternalPaths


class Position(Protocol):
    """Path of keys in the file to line and column."""

    def __call__(self, path: Sequence[str | int], *, key: bool = False) -> tuple[int, int]:
        """Of the value at `path`, or of its key."""


WRITTEN = ("outputs", "metrics", "plots")
Rule = Callable[[], Iterator[Problem]]


def broken_rules(
    steps: tuple[Step, ...],
    ids: Sequence[str],
    params_files: Sequence[str],
    items: Sequence[ForEach],
    position: Position,
) -> list[Problem]:
    """All breaches of the rules, each at its place; for one matrix, each once.

    `ids`: of all entries of the file, also of those that could not be read; `items`: what `each`
    means.
    """
    found: dict[tuple[int, int], Problem] = {}
    rules = WorkflowRules(steps, ids, params_files, position)
    for problem in (*rules.problems(), *rules.items(items)):
        found.setdefault((problem.line, problem.column), problem)
    return list(found.values())


class WorkflowRules:
    """The steps under test."""

    def __init__(
        self,
        steps: tuple[Step, ...],
        ids: Sequence[str],
        params_files: Sequence[str],
        position: Position,
    ) -> None:
        self._steps, self._ids, self._position = steps, ids, position
        self._params_files = params_files
        self._declared = DeclaredOutputs(steps)
        self._external_paths = ExternalPaths(steps, self._declared, params_files)

    def problems(self) -> Iterator[Problem]:
        """All faults."""
        yield from self._double_names()
        for index, step in enumerate(self._steps):
            found = list(self._path_faults(step))
            yield from self._only_excludes(step)
            yield from self._needs(step)
            yield from self._shell(step)
            yield from found or self._order_faults(index, step)
            yield from self._outside(step)
        yield from self._overlaps()
        yield from self._cases()

    def _problem(self, step: Step, path: Sequence[str | int], message: str, rule: str) -> Problem:
        where = self._position(("steps", step.position, *path))
        return Problem(*where, f"step '{step.name}': {message}", rule)

    def _double_names(self) -> Iterator[Problem]:
        names: dict[str, Step] = {}
        ids: dict[str, Step] = {}
        for step in self._steps:
            where = self._position(("steps", step.position, "name"))
            one, other = names.get(step.name), ids.get(step.id) or ids.get(step.group)
            if one and one.position == step.position and step.each:
                text = f"two items are called '{step.name}'; put ${{{{ each.path }}}} into the name"
                yield Problem(*where, text, "names")
            elif one and one.position == step.position:
                text = f"two combinations are called '{step.name}'; name all of the matrix in it"
                if one.strategy and step.strategy and one.strategy.shown == step.strategy.shown:
                    text = f"the matrix holds {step.strategy.shown} twice"
                yield Problem(*where, text, "names")
            elif one:
                text = f"a second step '{step.name}'; the first is on line {one.line}"
                yield Problem(*where, text, "names")
            elif other and other.position != step.position:
                text = f"step '{step.name}' has the id '{step.group}' of '{other.name}' (line "
                yield Problem(*where, f"{text}{other.line}); add an id:", "names")
            names.setdefault(step.name, step)
            ids.setdefault(step.id, step)
            ids.setdefault(step.group, step)

    def _needs(self, step: Step) -> Iterator[Problem]:
        for number, needed in enumerate(step.needs):
            fault = self._need_fault(step, needed)
            if fault:
                yield self._problem(step, ("needs", number), fault, "order")

    def _shell(self, step: Step) -> Iterator[Problem]:
        try:
            command_line(step.shell, "", "")
        except ValueError as error:
            text = f"shell: '{step.shell}' cannot be split into words: {error}"
            yield self._problem(step, ("shell",), text, "schema")

    def _need_fault(self, step: Step, needed: str) -> str | None:
        before, after = self._ids[: step.position], self._ids[step.position + 1 :]
        instances = {other.id for other in self._steps if other.position < step.position}
        if needed in before or needed in instances:
            return None
        if needed == self._ids[step.position]:
            return f"needs '{needed}', which is this step itself"
        if needed in after:
            return f"needs '{needed}', a later step; move that step before this one"
        named = next((other for other in self._steps if other.name == needed), None)
        if named:
            return f"needs '{needed}': a step is named by its id, '{named.group}'"
        near = get_close_matches(needed, before, n=1)
        known = ", ".join(before) or "none, this is the first step"
        hint = f"did you mean '{near[0]}'?" if near else f"earlier steps are {known}"
        return f"needs '{needed}', and no step has that id; {hint}"

    def _inputs(self, step: Step) -> Iterator[tuple[tuple[int, int], str]]:
        """Each input of a step with its place; those of the whole workflow are of its head."""
        for number, pattern in enumerate(step.shared if step.inputs else ()):
            yield self._position(("inputs", number)), pattern
        for number, pattern in enumerate(step.inputs):
            item = step.each and number == len(step.inputs) - 1  # the file that it runs for
            key = ("each",) if item else ("inputs", number)
            yield self._position(("steps", step.position, *key)), pattern

    def _path_faults(self, step: Step) -> Iterator[Problem]:
        for line_column, pattern in self._inputs(step):
            fault = path_fault(pattern.removeprefix("!"))
            if re.match(r"[a-z][a-z0-9+.-]*:/", pattern):
                fault = "an address stands in a map: {url: …, path: where it is put}"
            if fault:
                yield Problem(*line_column, f"step '{step.name}': {fault}", "paths")
        for key in WRITTEN:
            for number, path in enumerate(_paths(step, key)):
                fault = path_fault(path) or self._output_fault(path, key)
                if fault:
                    yield self._problem(step, (key, number), fault, "paths")
        fault = path_fault(step.working_directory)
        if fault or is_glob(step.working_directory):
            text = fault or f"'{step.working_directory}' is a pattern; name one directory"
            yield self._problem(step, ("working-directory",), text, "paths")

    def _output_fault(self, path: str, key: str) -> str | None:
        if is_glob(path):
            return f"'{path}' is a pattern; name each file, or a directory with / at its end"
        if path in {".", "./"}:
            return "the whole repository as an output; name the files or directories it writes"
        if key != "outputs" and path.endswith("/"):
            return f"'{path}' is a directory; name the file"
        if any(is_under(source, path) for source in self._params_files):
            return (
                f"'{path}' holds the workflow's params, which are read before any step runs; "
                "write another file, and name it as an input of the steps that read it"
            )
        return None

    def _only_excludes(self, step: Step) -> Iterator[Problem]:
        if step.inputs and all(pattern.startswith("!") for pattern in step.inputs):
            text = "inputs only leave out; name what the step reads as well"
            yield self._problem(step, ("inputs",), text, "paths")

    def _order_faults(self, index: int, step: Step) -> Iterator[Problem]:
        excludes = tuple(pattern[1:] for pattern in step.reads if pattern.startswith("!"))
        for line_column, pattern in self._inputs(step):
            for write in () if pattern.startswith("!") else self._declared.matching(pattern):
                excluded = any(matches(exclude, write.path.rstrip("/")) for exclude in excludes)
                other = self._steps[write.step]
                if write.step >= index and not excluded:
                    fault = _order_message(pattern, write.path, step, other)
                    yield Problem(*line_column, f"step '{step.name}': {fault}", "order")
                    break

    def items(self, each: Sequence[ForEach]) -> Iterator[Problem]:
        """The files of `each` are looked for before any step runs: none may be an output."""
        for one in each:
            excludes = [pattern[1:] for pattern in one.patterns if pattern.startswith("!")]
            for pattern in one.patterns:
                written = () if pattern.startswith("!") else self._declared.matching(pattern)
                plain = (w for w in written if not any(matches(e, w.path) for e in excludes))
                if write := next(plain, None):
                    where = self._position(("steps", self._ids.index(one.id), "each"))
                    text = (
                        f"step '{one.step}': each: '{pattern}' may mean '{write.path}' of step "
                        f"'{self._steps[write.step].name}', and its files are looked for before "
                        "any step runs; take it out with '!', or read all in one step"
                    )
                    yield Problem(*where, text, "order")
                    break

    def _outside(self, step: Step) -> Iterator[Problem]:
        for external in step.external:
            text = external_url.problem_with(external) or self._external_paths.fault(external)
            if text:
                yield self._problem(step, ("inputs", external.entry), text, "sources")

    def _overlaps(self) -> Iterator[Problem]:
        for index, step in enumerate(self._steps):
            seen: list[str] = []
            for key in WRITTEN:
                for number, path in enumerate(_paths(step, key)):
                    touching = self._declared.overlapping(path)
                    seen_here = seen if key == "outputs" else [p for p in seen if p == path]
                    earlier = [w for w in touching if w.step < index or w.path in seen_here]
                    found = (_overlap(path, step, w.path, self._steps[w.step]) for w in earlier)
                    fault = next(filter(None, found), None)
                    if fault:
                        yield self._problem(step, (key, number), fault, "overlap")
                    seen.append(path)

    def _cases(self) -> Iterator[Problem]:
        """Two paths that differ in case alone are one file on macOS and Windows."""
        first: dict[str, tuple[str, Step]] = {}
        for step in self._steps:
            for key in WRITTEN:
                for number, path in enumerate(_paths(step, key)):
                    plain = path.rstrip("/")
                    other, by = first.setdefault(plain.lower(), (plain, step))
                    if other != plain:
                        where = "this step" if by is step else f"step '{by.name}'"
                        text = f"'{plain}' and '{other}' of {where} differ in case alone; on some "
                        text += "systems they are one file"
                        yield self._problem(step, (key, number), text, "paths")


def _paths(step: Step, key: str) -> tuple[str, ...]:
    if key == "plots":
        return tuple(plot.path for plot in step.plots)
    return step.metrics if key == "metrics" else step.outputs


def _order_message(pattern: str, output: str, step: Step, other: Step) -> str:
    same = pattern == output
    if other is step and same:
        return f"input '{pattern}' is the step's own output; a step cannot read what it writes"
    if other is step:
        return f"input '{pattern}' holds the step's own output '{output}'; add '!{output}'"
    if other.position == step.position:
        return (
            f"input '{pattern}' holds '{output}' of '{other.name}', of the same matrix; leave it "
            f"out with '!{output}', or read it in a step of its own"
        )
    move = f"which the later step '{other.name}' writes; move that step before this one"
    holds = f"input '{pattern}' holds '{output}', {move}, or add '!{output}'"
    return f"input '{pattern}', {move}" if same else holds


def _overlap(path: str, step: Step, other_path: str, other: Step) -> str | None:
    same = path.rstrip("/") == other_path.rstrip("/")
    if same and other is step:
        return None if path == other_path else f"'{path}' is declared twice"
    if same and other.position == step.position and step.each:
        return (
            f"'{path}' is written by '{other.name}' of the same step too; put the item into the "
            'path, as in "build/${{ each.stem }}.parquet"'
        )
    if same and other.position == step.position and step.strategy:
        value = f"${{{{ matrix.{step.strategy.values[0][0]} }}}}"
        start, dot, ending = path.rstrip("/").rpartition(".")
        own = f"{start}-{value}.{ending}" if dot else f"{path.rstrip('/')}/{value}"
        return (
            f"'{path}' is written by '{other.name}' of the same matrix too; put the matrix into "
            f'the path, as in "{own}{"/" if path.endswith("/") else ""}"'
        )
    if same:
        return f"'{path}' is written by step '{other.name}' too; one step writes one path"
    if is_under(path, other_path) or is_under(other_path, path):
        return f"'{path}' and '{other_path}' of step '{other.name}' lie inside one another"
    return None
