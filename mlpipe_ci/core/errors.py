"""Every error that a user can cause: one base, one exit code a class.

MlpipeError               exit code 2 unless a class says otherwise
├── UsageError            the command line is wrong
├── WorkflowError         the workflow file is wrong; carries all its faults
├── PathError             a path of a step cannot be used
│   └── MissingInputError an input is not there, and no earlier step writes it
├── SourceError           data outside of git cannot be had; exit code 1
│   └── SourceChangedError it changed between two looks at it
├── BusyError             another run has the work tree, and the user does not want to wait
├── GitError              git refused
│   └── NoGitError        git is not installed
├── GitHubError           GitHub's API refused; never fatal, shown as a warning
└── InterruptedRunError   SIGINT, SIGTERM or SIGHUP; exit code 130
"""

from mlpipe_ci.core.frozen import frozen


class MlpipeError(Exception):
    """Base of all errors with a message for the user: what, where, what next."""

    exit_code = 2


class UsageError(MlpipeError):
    """The command line is wrong."""


@frozen
class Diagnostic:
    """One thing that is wrong in a workflow file. Line and column count from 1.

    `rule` is the kind of fault (see `report.diagnostics.RULES`); `level` is `error` or `warning`;
    `source` is the line itself.
    """

    file: str
    line: int
    column: int
    message: str
    rule: str = "yaml"
    level: str = "error"
    source: str = ""

    def __str__(self) -> str:
        """`file:line:column: message`, as compilers write it."""
        word = "warning: " if self.level == "warning" else ""
        return f"{self.file}:{self.line}:{self.column}: {word}{self.message}"


class WorkflowError(MlpipeError):
    """The workflow file is wrong. `diagnostics` holds all that is wrong with it, in file order."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        ordered = sorted(diagnostics, key=lambda diagnostic: (diagnostic.line, diagnostic.column))
        self.diagnostics = tuple(dict.fromkeys(ordered))
        super().__init__("\n".join(str(fault) for fault in self.diagnostics))


class PathError(MlpipeError):
    """A path that a step names cannot be used."""


class MissingInputError(PathError):
    """An input is not there, and no earlier step is known to write it."""


class SourceError(MlpipeError):
    """Data that git does not have cannot be had. It fails the step that needs it."""

    exit_code = 1


class SourceChangedError(SourceError):
    """A source has another version than a moment before: who needs it is decided again."""


class BusyError(MlpipeError):
    """Another run has the work tree, and the user does not want to wait."""


class GitError(MlpipeError):
    """git refused a command."""


class NoGitError(GitError):
    """git is not installed."""


class GitHubError(MlpipeError):
    """GitHub's API could not be used. The run goes on: a report never turns a good run red.

    `status`: of the answer; 0 if there was none.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class InterruptedRunError(MlpipeError):
    """The run was interrupted by a signal."""

    exit_code = 130
