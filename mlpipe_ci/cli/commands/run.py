"""`mlpipe run`: do what the plan says, print it as it comes, report it."""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from mlpipe_ci.cache.auto_gc import collect_if_due
from mlpipe_ci.ci.event import read_event, refuse_untrusted
from mlpipe_ci.ci.github.publisher import Publisher, PublishOptions
from mlpipe_ci.ci.screen import open_screen
from mlpipe_ci.cli.locate import check_out_and_locate, expected_workflow_file, refuse_nested
from mlpipe_ci.cli.open_session import Messages, default_name, open_session
from mlpipe_ci.cli.options import (
    DEFAULTS,
    USUAL_PACE,
    CommonOptions,
    PaceOptions,
    SessionOptions,
    add_common,
    add_decision,
    add_pace,
    add_targets,
    add_workflow,
)
from mlpipe_ci.cli.report_files import ReportFile, add_reports, save_last, write_reports
from mlpipe_ci.cli.run_listener import RunListener
from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.errors import InterruptedRunError, MlpipeError, PathError
from mlpipe_ci.core.event import Event
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.run import Run
from mlpipe_ci.core.workflow import Workflow
from mlpipe_ci.metrics.plots.build import LARGE, SMALL
from mlpipe_ci.repo.location import Locations
from mlpipe_ci.repo.lock import hold
from mlpipe_ci.repo.private_directory import LOCK
from mlpipe_ci.report.renderings import render
from mlpipe_ci.report.screens.base import Screen, print_or_drop
from mlpipe_ci.report.to_json import run_json
from mlpipe_ci.run.machine import capacity
from mlpipe_ci.run.run_workflow import run_workflow
from mlpipe_ci.run.settings import RunSettings, jobs_of
from mlpipe_ci.workflow.workflow_file import WorkflowFile

EXAMPLE = "mlpipe run\n  mlpipe run evaluate --jobs 4\n  mlpipe run --set train.rate=0.1"


@frozen
class Options(CommonOptions):
    """What `mlpipe run` takes."""

    session: SessionOptions = DEFAULTS
    pace: PaceOptions = USUAL_PACE
    wait: bool = True
    progress: str = "auto"
    allow_untrusted: bool = False
    comment: str = "always"
    status: str = "auto"
    label: str = ""
    reports: tuple[ReportFile, ...] = ()
    notebooks: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those that commands share, and how a run goes on."""
    add_common(parser)
    add_workflow(parser)
    add_decision(parser)
    add_targets(parser)
    add_pace(parser)
    add = parser.add_argument
    help_ = "end at once if another run has this work tree, instead of waiting for it"
    add("--no-wait", dest="wait", action="store_false", help=help_)
    help_ = "a live view, plain lines, or what the terminal can do (default)"
    add("--progress", choices=("auto", "live", "plain"), default="auto", help=help_)
    help_ = (
        "bring back all outputs of reused steps, or only those that running steps need (default: "
        "all; in GitHub Actions with results from elsewhere: needed)"
    )
    add("--outputs", choices=("auto", "all", "needed"), default="auto", help=help_)
    help_ = "at a desk: send new results to the remote cache, for all to reuse"
    add("--push", action="store_true", help=help_)
    help_ = "run steps also on an event that gives a stranger's change this repository's rights"
    add("--allow-untrusted", action="store_true", help=help_)
    help_ = (
        "in GitHub Actions, comment on the pull request: always, if something ran, if something "
        "failed, or never; a comment that is there is always brought up to date"
    )
    choices = ("always", "changes", "failure", "never")
    add("--comment", choices=choices, default="always", help=help_)
    help_ = (
        "in GitHub Actions, set the commit status mlpipe/<workflow>: where the token may (default),"
        " also one for each step, or never"
    )
    add("--status", choices=("auto", "steps", "never"), default="auto", help=help_)
    help_ = (
        "in GitHub Actions, what tells this job apart from others of the workflow: each has a part "
        "of its own in the comment and the status (the action gives the values of the matrix)"
    )
    add("--label", metavar="TEXT", default="", help=help_)
    add_reports(parser)
    help_ = "copy the notebooks that steps have written to this directory, as an artifact, say"
    add("--notebooks", metavar="DIR", default="", help=help_)


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0; 1 if a step failed; 2 for a wrong path; 130 if the run was interrupted."""
    stream = err if options.json else out
    jobs = jobs_of(options.pace.jobs)
    screen = open_screen(stream, env, progress=options.progress, quiet=options.quiet, many=jobs > 1)
    event = read_event(env)
    file = expected_workflow_file(options.directory, options.session.file, env)
    if event.nothing_to_run:
        return _nothing_to_run(event, file, options, screen, out)
    wants = PublishOptions(comment=options.comment, status=options.status, label=options.label)
    publisher = Publisher(event, env, file.shown, wants, screen.message)
    locations = None
    try:
        locations = check_out_and_locate(
            options.directory, options.session.checkout, env, screen.message
        )
        run = _run_locked(locations, options, env, screen, publisher, event)
    except MlpipeError as error:
        _post_failure(publisher, event, file, locations, error)
        raise
    screen.final(run)
    publisher.finished(run)
    run = replace(run, comment_url=publisher.comment_url, job=publisher.job)
    _write(run, options, screen, out)
    save_last(locations.private, run_json(run))
    collect_if_due(locations.cache, env, screen.message)
    return exit_code(run)


def exit_code(run: Run) -> int:
    """0; 130 if cancelled; 1 if a command failed or a gate was missed; 2 if all that failed is a
    path of a step.
    """
    if run.result == "cancelled":
        return InterruptedRunError.exit_code
    failed = [outcome for outcome in run.outcomes if outcome.fails_run]
    if not failed and not run.removed_gates:
        return 0
    known = run.removed_gates or any(
        o.execution.exit_code is not None or o.measured.missed_gates or o.source_unavailable
        for o in failed
    )
    return 1 if known else PathError.exit_code


def _run_locked(
    locations: Locations,
    options: Options,
    env: Mapping[str, str],
    screen: Screen,
    publisher: Publisher,
    event: Event,
) -> Run:
    """Run while no other run has the work tree."""
    refuse_nested(locations, env)
    # The lock comes first: while we wait, the branch, the workflow file and all else may change.
    with hold(locations.private / LOCK, screen.message, wait=options.wait) as lock:
        messages = Messages(line=screen.message, progress=screen.progress)
        session = open_session(
            locations, options.session, env, messages, readonly=False, event=event
        )
        refuse_untrusted(session.event, allowed=options.allow_untrusted)
        settings = RunSettings(
            jobs=jobs_of(options.pace.jobs),
            keep_going=options.pace.keep_going,
            capacity=capacity(env),
            largest_plot=LARGE if options.reports else SMALL,
            locks=() if lock is None else (lock,),
            executor=options.pace.executor,
        )
        listener = RunListener(screen, publisher, session.event.head)
        run = run_workflow(session, settings, listener)
        if options.notebooks:
            from mlpipe_ci.cli.notebooks import copy_notebooks  # noqa: PLC0415 - seldom asked for

            to = Path(options.directory, options.notebooks)
            copy_notebooks(run, session.repo.root, session.cache.store, to, screen.message)
        return run


def _post_failure(
    publisher: Publisher,
    event: Event,
    file: WorkflowFile,
    locations: Locations | None,
    error: MlpipeError,
) -> None:
    """Post why the run could not start, so that a later one finds its comment and its status."""
    stated = file.stated_name()
    git = locations.git if locations else None
    publisher.could_not_start(
        stated or default_name(event, file.root),
        error,
        git.head() if git else None,
        named=locations is not None or stated is not None,
    )


def _nothing_to_run(
    event: Event, file: WorkflowFile, options: Options, screen: Screen, out: TextIO
) -> int:
    """A branch was deleted, or a pull request is closed: nothing to run, nothing to post."""
    screen.message(event.nothing_to_run)
    name = file.stated_name() or default_name(event, file.root)
    workflow = Workflow(name=name, file=file.shown, steps=())
    comparison = Comparison(head=event.sha or None, how=event.nothing_to_run)
    run = Run(workflow=workflow, comparison=comparison, outcomes=(), seconds=0.0)
    _write(run, options, screen, out)
    return 0


def _write(run: Run, options: Options, screen: Screen, out: TextIO) -> None:
    """The report, where it is asked for. A file that cannot be written is a warning."""
    if options.json:
        print_or_drop(render(run, ".json"), out)
    write_reports(run, options.directory, options.reports, screen.message)
