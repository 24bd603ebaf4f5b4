"""Posts a run where GitHub shows it: job summary, commit status, one comment on the pull request.

Several jobs share the comment and the status: each has a part in them, see `core/parts.py`.
Whatever cannot be posted is a warning, and takes two minutes at most: no run fails for it.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from blake3 import blake3

from mlpipe_ci.ci.github import comments, pulls, statuses
from mlpipe_ci.ci.github.client import Client, client_of
from mlpipe_ci.ci.github.comments import Merged
from mlpipe_ci.ci.github.event import in_actions
from mlpipe_ci.ci.github.runner import temporary_directory
from mlpipe_ci.ci.github.statuses import Check, Word, state_of
from mlpipe_ci.core.errors import GitHubError, MlpipeError
from mlpipe_ci.core.event import Event, EventKind, FinishedRun
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.parts import JobName, JobReport, Part
from mlpipe_ci.core.run import Run, Status, StepOutcome
from mlpipe_ci.core.settings import from_env
from mlpipe_ci.report.wording import escape_controls, status_words

HASTE = 10.0
"""Seconds for a status that says only that something is going on: the run waits for it."""
MOST_STEPS = 20
"""Steps that get a status of their own, where that is asked for."""
MOST_NAME = 100
MOST_FILES = 5
"""Workflow files whose reports are posted for one run: a fork could name any number."""
SUMMARY = "GITHUB_STEP_SUMMARY"
"""The file of the job's summary."""
OPEN = "mlpipe-open-status.json"
"""In RUNNER_TEMP: a status that says pending. It is closed even if this process is killed."""


@frozen
class PublishOptions:
    """What the user wants posted.

    `comment`: `always`, `changes`, `failure`, `never`; `status`: `auto`, `steps`, `never`. `label`
    tells apart jobs that GitHub's name does not, those of a matrix say.
    """

    comment: str = "always"
    status: str = "auto"
    label: str = ""


class Publisher:
    """Posts one run. `file`: the workflow file, as it is named in all that is posted. `say` tells
    the user; without a token nothing goes to GitHub's API.
    """

    def __init__(
        self,
        event: Event,
        env: Mapping[str, str],
        file: str,
        options: PublishOptions,
        say: Callable[[str], None],
    ) -> None:
        self._event, self._env, self._wants, self._say = event, env, options, say
        self._file = file
        self._status = in_actions(env) and options.status != "never"
        self._opened: Check | None = None
        self.comment_url = ""
        named = event.run.job
        self.job = replace(named, label=escape_controls(options.label) or named.label)

    def started(self, name: str, head: str | None) -> None:
        """Say that a commit is being worked on. `head`: the one that is checked out."""
        check = self._check(_context(name), head)
        if check:
            self._remember(check)  # first: the answer may be lost, and the status be there
            word = Word(check=check, state="pending", words="running")
            if not self._set([word], HASTE) and not self._status:
                self._forget()

    def finished(self, run: Run) -> None:
        """Post how the run of this job ended: summary, statuses, comment."""
        if not (self._env.get(SUMMARY) or from_env(self._env).token):
            return  # as at a desk, which need not know how a report is written
        from mlpipe_ci.report import markdown  # noqa: PLC0415 - not at a desk
        from mlpipe_ci.report.metric_rows import verdict  # noqa: PLC0415

        text = markdown.report(run)
        self._summary(text)
        check = self._opened or self._check(_context(run.workflow.name), run.comparison.head)
        words = verdict(run).partition(": ")[2]
        self._close(check, run.result, words)
        if self._wants.status == "steps":
            found = (self._of_step(run, outcome) for outcome in run.outcomes[:MOST_STEPS])
            self._set([word for word in found if word])
        quiet = {
            "changes": run.count(Status.REUSED, Status.SKIPPED) == len(run.outcomes),
            "failure": run.result == "success",
        }
        if self._wants.comment != "never" and from_env(self._env).token:
            report = self._report(run.workflow.name, run.result, words, text)
            report = self._at(report, self.job, run.comparison.head)
            self._comment([report], create=not quiet.get(self._wants.comment, False))

    def post(self, runs: Sequence[Run]) -> None:
        """Post only the comment: of the jobs of the run that this event is about.

        What a report says of its own page is not believed: it may come from a fork.
        """
        about = self._event.run.finished
        files = dict.fromkeys(run.workflow.file for run in runs)
        for file in list(files)[:MOST_FILES]:
            self._file = file
            reports = [self._reported(run, about) for run in runs if run.workflow.file == file]
            if self._comment(reports, create=True, about=about) is None:
                break
        else:
            return
        if about:
            self._say("no open pull request has this commit as its head: nothing is posted")
        else:
            self._say(
                "warning: the pull request comment was not posted: this event names no pull "
                "request; run this on: workflow_run, or on: pull_request"
            )

    def _reported(self, run: Run, about: FinishedRun | None) -> JobReport:
        """What a job has left, said of the run that GitHub names."""
        from mlpipe_ci.report import markdown  # noqa: PLC0415 - not at a desk
        from mlpipe_ci.report.metric_rows import verdict  # noqa: PLC0415

        run = replace(run, url=(about or self._event.run).url)
        text = markdown.report(run)
        text = markdown.of_fork(text) if about and about.is_fork else text
        words = verdict(run).partition(": ")[2]
        report = self._report(run.workflow.name, run.result, words, text)
        job = replace(run.job, workflow=about.workflow if about else run.job.workflow)
        report = self._at(report, job, run.comparison.head)
        if about is None:
            return report
        return replace(report, part=replace(report.part, run=about.id, attempt=about.attempt))

    def could_not_start(
        self, name: str, error: MlpipeError, head: str | None = None, *, named: bool = True
    ) -> None:
        """Post that there was no run, and why. `head`: the commit that is checked out, if one is.

        `named`: False if the workflow may be called otherwise. Then no status is set: that of a
        later run would have another name, and leave it as it is.
        """
        from mlpipe_ci.report import markdown  # noqa: PLC0415 - not at a desk

        text = markdown.broken(name, error)
        self._summary(text)
        check = self._opened or (self._check(_context(name), head) if named else None)
        self._close(check, "error", escape_controls(str(error).split("\n", 1)[0]))
        if self._wants.comment != "never" and from_env(self._env).token:
            report = self._report(name, "error", "could not start", text)
            self._comment([self._at(report, self.job, head)], create=True)

    def _summary(self, text: str) -> None:
        path = self._env.get(SUMMARY)
        if not path:
            return
        try:
            with Path(path).open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError as error:
            self._say(f"warning: the job summary was not written: {error.strerror}")

    # -- statuses ------------------------------------------------------------------------------

    def _close(self, check: Check | None, result: str, words: str) -> None:
        if check and self._set([Word(check=check, state=state_of(result), words=words or result)]):
            self._forget()

    def _of_step(self, run: Run, outcome: StepOutcome) -> Word | None:
        context = f"{_context(run.workflow.name)}/{outcome.step.id}"
        check = self._check(context, run.comparison.head)
        if not check:
            return None
        good = outcome.facts["conclusion"] in {"success", "skipped"}
        words = escape_controls(": ".join((status_words(outcome), *outcome.reasons[:1])))
        return Word(check=check, state="success" if good else "failure", words=words)

    def _commit(self, head: str | None) -> str:
        """The commit that people see this run at; empty if none is known."""
        event = self._event
        # The merge commit of a pull request has no page of its own.
        sha = "" if event.kind is EventKind.PROPOSAL else event.sha
        return event.change.commit or head or sha

    def _check(self, context: str, head: str | None) -> Check | None:
        """The status to set, if one is to be set and can be."""
        commit, run = self._commit(head), self._event.run
        if not (self._status and commit and from_env(self._env).token):
            return None
        return Check(
            commit=commit,
            context=context,
            target=run.url,
            workflow=_digest(self._file, self.job.workflow),
            job=_digest(self.job.job, self.job.label),
            run=run.id,
            attempt=run.attempt,
        )

    def _set(self, words: Sequence[Word], seconds: float = 0.0) -> bool:
        """`seconds`: give up after so many; 0: when the patience of the whole run is over."""
        if not words:
            return True
        try:
            statuses.post(self._new_client(seconds) if seconds else self._client, words)
        except GitHubError as error:
            if statuses.is_refused(error):
                self._status = False
                if self._wants.status != "auto":
                    self._say(f"warning: no commit status was set: {error}")
            else:
                self._say(f"warning: the commit status was not set: {error}")
            return False
        return True

    def _remember(self, check: Check) -> None:
        self._opened = check
        if path := temporary_directory(self._env):
            with suppress(OSError):
                (path / OPEN).write_text(json.dumps(vars(check)), "utf-8")

    def _forget(self) -> None:
        self._opened = None
        if path := temporary_directory(self._env):
            with suppress(OSError):
                (path / OPEN).unlink(missing_ok=True)

    # -- comment -------------------------------------------------------------------------------

    def _report(self, name: str, result: str, words: str, text: str) -> JobReport:
        run = self._event.run
        part = Part(
            who=self.job, run=run.id, attempt=run.attempt, commit="", state=state_of(result)
        )
        return JobReport(part=part, name=name, words=words, url=run.url, text=text)

    def _at(self, report: JobReport, job: JobName, head: str | None) -> JobReport:
        return replace(report, part=replace(report.part, who=job, commit=self._commit(head)))

    def _comment(
        self, reports: Sequence[JobReport], *, create: bool, about: FinishedRun | None = None
    ) -> int | None:
        """Write or update the comment. Returns the number of the pull request, None without one.

        `about`: the run that made the reports, if it is not this one.
        """
        from mlpipe_ci.report.comment import marker  # noqa: PLC0415

        number: int | None = 0  # not known yet
        try:
            number = self._pull_request(about)
            if number is None:
                return None
            posted = comments.upsert_comment(
                self._client,
                number,
                marker(self._file),
                lambda bodies: merge(self._file, bodies, reports),
                create=create,
            )
        except GitHubError as error:
            self._say(f"warning: the pull request comment was not posted: {error}")
            if not (self._event.trusted or about):
                self._say("a fork's token may only read; see 'Forks' in the README")
            return number
        self.comment_url = posted.url
        if posted.url:
            newer = "the report of a newer run stays as it is"
            self._say(f"{'report' if posted.ours else newer}: {posted.url}")
        return number

    def _pull_request(self, about: FinishedRun | None) -> int | None:
        """The event's; that of the commit on a branch that was pushed, or of a run that has ended.

        Which one that is, GitHub says: a report could name any. Raises GitHubError.
        """
        event, change = self._event, self._event.change
        if change.pull_request is not None:
            return change.pull_request
        if event.kind is EventKind.PUSH:
            return pulls.open_at(self._client, event.sha) if change.target_branch else None
        if about is None or not change.commit:
            return None
        found = pulls.open_at(self._client, change.commit)
        if found is None and about.owner and about.branch:
            return pulls.open_from(self._client, about.owner, about.branch, change.commit)
        return found

    @cached_property
    def _client(self) -> Client:
        return self._new_client(0.0)

    def _new_client(self, seconds: float) -> Client:
        return client_of(self._env, seconds)


def close_open(env: Mapping[str, str]) -> str:
    """Close a status that a process left open which was killed. Returns what happened, in words."""
    path = (temporary_directory(env) or Path()) / OPEN
    try:
        record = json.loads(path.read_text("utf-8"))
        path.unlink()
    except (OSError, ValueError):
        return ""
    try:
        check = statuses.Check(**record)
        word = Word(check=check, state="error", words="cancelled, or ended from outside")
        statuses.post(client_of(env, HASTE), [word])
    except (GitHubError, TypeError) as error:
        return f"the commit status stays open: {error}"
    return "the run did not end by itself; its commit status is closed"


def merge(file: str, bodies: tuple[str, ...], reports: Sequence[JobReport]) -> Merged:
    """What jobs have to say, with what others have said in the comments that are there."""
    from mlpipe_ci.report import comment  # noqa: PLC0415 - not at a desk

    mine = [comment.shortened(report) for report in reports]
    there = [report for body in bodies for report in comment.read(body)]
    all_ = comment.together([*there, *mine])
    parts = {report.part for report in all_}
    return Merged(
        bodies=comment.write(file, all_),
        ours=any(report.part in parts for report in mine),
        shared=any(one.part.who.label for one in mine)
        or {one.part.who for one in all_} != {one.part.who for one in mine},
    )


def _digest(*names: str) -> str:
    """Of names, the same in each run: 16 hexadecimal digits."""
    text = json.dumps(names)
    return blake3(text.encode()).hexdigest()[:16]


def _context(name: str) -> str:
    words = re.sub(r"\s+", " ", escape_controls(name))
    return f"mlpipe/{words[:MOST_NAME]}"
