"""What a workflow file says, checked against the files that are there: faults and warnings."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from mlpipe_ci.core.declared_outputs import DeclaredOutputs
from mlpipe_ci.core.errors import Diagnostic, PathError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import is_glob
from mlpipe_ci.core.workflow import Step, Workflow, externals_of
from mlpipe_ci.metrics.formats import FORMATS as METRICS
from mlpipe_ci.metrics.plots.build import PICTURES
from mlpipe_ci.metrics.plots.tables import TABLES
from mlpipe_ci.repo.work_tree import WorkTree


@frozen(kw_only=False)
class FileChecks:
    """Looks at the work tree for `validate`. Nothing is hashed, and nothing is run."""

    workflow: Workflow
    tree: WorkTree
    lines: Sequence[str]

    def faults(self) -> tuple[Diagnostic, ...]:
        """A link out of the repository is an error; what may be only missing here is a warning."""
        declared = DeclaredOutputs(self.workflow.steps)
        found: list[Diagnostic] = []
        undeclared_before = False
        found += self._nothing()
        for index, step in enumerate(self.workflow.steps):
            found += self._tracked(step)
            found += self._unreadable(step)
            for pattern in step.reads:
                found += self._input(index, step, pattern, declared, quiet=undeclared_before)
            undeclared_before = undeclared_before or step.declares_nothing
        return tuple(dict.fromkeys(found))

    def _nothing(self) -> Iterator[Diagnostic]:
        """Steps for each of no files."""
        groups = {step.group for step in self.workflow.steps}
        for each in self.workflow.items:
            if each.id not in groups and not each.external:
                patterns = ", ".join(each.patterns)
                yield Diagnostic(
                    file=self.workflow.file,
                    line=each.line,
                    column=1,
                    message=f"step '{each.step}': each: no file matches '{patterns}' now",
                    rule="missing",
                    level="warning",
                    source=self.lines[each.line - 1],
                )

    def _input(
        self, index: int, step: Step, pattern: str, declared: DeclaredOutputs, *, quiet: bool
    ) -> Iterator[Diagnostic]:
        if pattern.startswith("!"):
            return
        try:
            there = any(True for _ in self.tree.paths(pattern, step.name))
        except PathError as error:
            yield self._fault(step, pattern, str(error), "paths", "error")
            return
        written = any(write.step < index for write in declared.matching(pattern))
        written = written or bool(externals_of(self.workflow, [pattern]))
        other = "" if there else self.tree.other_spelling(pattern)
        if other:
            text = (
                f"'{pattern}' is written with other Unicode characters than the file '{other}', "
                "though both look alike; copy the name from the file, or rename it to its NFC form"
            )
            yield self._fault(
                step, pattern, f"step '{step.name}': input: {text}", "unicode", "warning"
            )
        elif not there and not written and not quiet and not self.tree.exists(pattern):
            what = "no file matches" if is_glob(pattern) else "there is no"
            text = f"{what} '{pattern}' now, and no earlier step declares to write it"
            text += "; is the line of a '-' indented too far?" if " - " in pattern else ""
            message = f"step '{step.name}': input: {text}"
            yield self._fault(step, pattern, message, "missing", "warning")

    def _tracked(self, step: Step) -> Iterator[Diagnostic]:
        for one in step.external:
            if tracked := self.tree.tracked(one.path):
                text = (
                    f"'{one.path}' is the place of data from outside, and git tracks {tracked[0]}"
                )
                message = f"step '{step.name}': input: {text}; git rm --cached, and .gitignore"
                yield self._fault(step, one.path, message, "tracked", "warning")
        for path in step.writes:
            tracked = self.tree.tracked(path)
            if tracked:
                some = tracked[0] + (f" and {len(tracked) - 1} more" if len(tracked) > 1 else "")
                text = (
                    f"output '{path}' is tracked by git ({some}), so each run changes a tracked "
                    "file; to leave it to mlpipe: git rm --cached, and a line in .gitignore"
                )
                message = f"step '{step.name}': {text}"
                yield self._fault(step, path, message, "tracked", "warning")

    def _unreadable(self, step: Step) -> Iterator[Diagnostic]:
        """Metrics and plots of a kind that no reader has."""
        named = [("metrics file", path, (*METRICS,)) for path in step.metrics]
        named += [("plot", one.path, (*TABLES, *PICTURES)) for one in step.plots if not one.kind]
        for what, path, known in named:
            ending = PurePosixPath(path).suffix.lower()
            if ending and ending not in known:
                text = (
                    f"{what} '{path}' is read as JSON, as no reader has the ending {ending}; "
                    f"write one of {', '.join(known)}"
                )
                yield self._fault(step, path, f"step '{step.name}': {text}", "format", "warning")

    def _fault(self, step: Step, path: str, message: str, rule: str, level: str) -> Diagnostic:
        line, column = self._position(step, path)
        return Diagnostic(
            file=self.workflow.file,
            line=line,
            column=column,
            message=message,
            rule=rule,
            level=level,
            source=self.lines[line - 1],
        )

    def _position(self, step: Step, path: str) -> tuple[int, int]:
        """Where the step names the path, as its text goes; else where the step begins."""
        after = (other.line for other in self.workflow.steps if other.line > step.line)
        end = min(after, default=len(self.lines) + 1)
        for line in range(end - 1, step.line - 1, -1):
            column = self.lines[line - 1].rfind(path)
            if column >= 0:
                return line, column + 1
        return step.line, 1
