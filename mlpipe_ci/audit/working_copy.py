"""The copy of the work tree with its git directory: made anew, as far as needed, for each run."""

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mlpipe_ci.audit.contents import Contents
from mlpipe_ci.audit.rerun import Changes, Rerun, run_again
from mlpipe_ci.audit.scratch import Scratch
from mlpipe_ci.audit.scratch_tree import ScratchTree
from mlpipe_ci.core.result import Result
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.plan.session import Session
from mlpipe_ci.repo.git import second_directory

OpenCopy = Callable[[Scratch, Step], Session]
"""Opens a session in the copy in which only this step counts, and runs."""


class WorkingCopy:
    """`deadline`: until when a command may begin that would end by then, by the monotonic clock;
    None: whenever.
    """

    def __init__(
        self, contents: Contents, scratch: Scratch, open_copy: OpenCopy, deadline: float | None
    ) -> None:
        self.contents, self.scratch, self.session = contents, scratch, contents.session
        self._open_copy, self._deadline = open_copy, deadline
        self._tree = ScratchTree(scratch.work, self.session.cache.store)

    def rerun(self, step: Step, result: Result, changes: Changes) -> Rerun:
        """Make the copy what the step is to find, and run it.

        Raises DamagedError, OSError, PathError, InterruptedRunError.
        """
        self._tree.become(self.contents.for_step(step, result))
        shutil.rmtree(self.scratch.cache, ignore_errors=True)
        self._make_git_directory()
        copy = self._open_copy(self.scratch, step)
        self._keep_index()
        try:
            earlier = {one.id for one in self.contents.earlier(step)}
            known = {id_: one for id_, one in self.contents.results.items() if id_ in earlier}
            return run_again(copy, step, known, self.scratch, changes)
        finally:
            copy.cache.state.close()

    def has_time(self, seconds: float) -> bool:
        """True if a command of so many seconds may begin."""
        return self._deadline is None or time.monotonic() + seconds <= self._deadline

    def _make_git_directory(self) -> None:
        """As if no step had run git. The index is one that knows the files of the copy."""
        git, directory = self.session.repo.git, self.scratch.work / ".git"
        if git is None:
            return
        shutil.rmtree(directory, ignore_errors=True)
        second_directory(git, self.scratch.work)
        if self._index.exists():
            shutil.copyfile(self._index, directory / "index")

    def _keep_index(self) -> None:
        """Once git has looked at all files of the copy, it need not do so for each run."""
        if not self._index.exists():
            with suppress(OSError):
                shutil.copyfile(self.scratch.work / ".git/index", self._index)

    @property
    def _index(self) -> Path:
        return self.scratch.top / "index"
