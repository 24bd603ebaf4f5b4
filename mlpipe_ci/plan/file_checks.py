"""What a workflow file says, held against the files that are there: faults and warnings."""

from collections.abc import Iterator, Sequence

from mlpipe_ci.core.declared_outputs import Writers
from mlpipe_ci.core.errors import Fault, PathError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import is_glob
from mlpipe_ci.core.workflow import Step, Workflow, outside_of
from mlpipe_ci.repo.work_tree import Tree


@frozen(kw_only=False)
class Survey:
    """Looks at the work tree for `validate`. Nothing is hashed, and nothing is run."""

    workflow: Workflow
    tree: Tree
    lines: Sequence[str]

    def faults(self) -> tuple[Fault, ...]:
        """A link out of the repository is an error; what may be only missing here is a warning."""
        writers = Writers(self.workflow.steps)
        found: list[Fault] = []
        undeclared_before = False
        found += self._nothing()
        for index, step in enumerate(self.workflow.steps):
            found += self._tracked(step)
            for pattern in step.reads:
                found += self._input(index, step, pattern, writers, quiet=undeclared_before)
            undeclared_before = undeclared_before or step.undeclared
        return tuple(dict.fromkeys(found))

    def _nothing(self) -> Iterator[Fault]:
        """Steps for each of no files."""
        groups = {step.group for step in self.workflow.steps}
        for wanted in self.workflow.items:
            if wanted.id not in groups and not wanted.external:
                patterns = ", ".join(wanted.patterns)
                yield Fault(
                    file=self.workflow.file,
                    line=wanted.line,
                    column=1,
                    message=f"step '{wanted.step}': each: no file matches '{patterns}' now",
                    rule="missing",
                    level="warning",
                    source=self.lines[wanted.line - 1],
                )

    def _input(
        self, index: int, step: Step, pattern: str, writers: Writers, *, quiet: bool
    ) -> Iterator[Fault]:
        if pattern.startswith("!"):
            return
        try:
            there = any(True for _ in self.tree.paths(pattern, step.name))
        except PathError as error:
            yield self._fault(step, pattern, str(error), "paths", "error")
            return
        written = any(write.step < index for write in writers.meant_by(pattern))
        written = written or bool(outside_of(self.workflow, [pattern]))
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

    def _tracked(self, step: Step) -> Iterator[Fault]:
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

    def _fault(self, step: Step, path: str, message: str, rule: str, level: str) -> Fault:
        line, column = self._place(step, path)
        return Fault(
            file=self.workflow.file,
            line=line,
            column=column,
            message=message,
            rule=rule,
            level=level,
            source=self.lines[line - 1],
        )

    def _place(self, step: Step, path: str) -> tuple[int, int]:
        """Where the step names the path, as its text goes; else where the step begins."""
        after = (other.line for other in self.workflow.steps if other.line > step.line)
        end = min(after, default=len(self.lines) + 1)
        for line in range(end - 1, step.line - 1, -1):
            column = self.lines[line - 1].rfind(path)
            if column >= 0:
                return line, column + 1
        return step.line, 1
