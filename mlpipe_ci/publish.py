"""Posts the report where GitHub shows it: job summary, and one comment on the pull request."""

from collections.abc import Callable, Mapping
from pathlib import Path

from mlpipe_ci.errors import GitHubError
from mlpipe_ci.events import Event
from mlpipe_ci.report import markdown
from mlpipe_ci.run import Run

DEFAULT_API = "https://api.github.com"


def publish(
    run: Run, event: Event, env: Mapping[str, str], token: str, say: Callable[[str], None]
) -> None:
    """Post what can be posted. What cannot is a warning: the run's exit code does not change.

    Without a token there is no comment.
    """
    summary = env.get("GITHUB_STEP_SUMMARY")
    comment = event.pull_request is not None and token
    if not summary and not comment:
        return
    text = markdown.report(run)
    if summary:
        _write_summary(Path(summary), text, say)
    if comment:
        _comment(event, run, text, env, token, say)


def _write_summary(path: Path, text: str, say: Callable[[str], None]) -> None:
    try:
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as error:
        say(f"warning: the job summary was not written: {error.strerror}")


def _comment(
    event: Event,
    run: Run,
    text: str,
    env: Mapping[str, str],
    token: str,
    say: Callable[[str], None],
) -> None:
    # requests takes 0.2 s to import: only a run that posts pays for it.
    from mlpipe_ci.github import GitHub  # noqa: PLC0415

    marker, ours = markdown.marker(run.workflow.file), markdown.run_marker(event.run_id)
    body = f"{marker}\n{ours}\n{text}"
    try:
        github = GitHub(
            env.get("GITHUB_API_URL", DEFAULT_API), env.get("GITHUB_REPOSITORY", ""), token
        )
        url, posted = github.upsert_comment(
            event.pull_request or 0,
            marker,
            body,
            lambda other: markdown.run_of(other) > event.run_id,
        )
        say(f"report: {url}" if posted else f"the report of a newer run stays as it is: {url}")
    except GitHubError as error:
        say(f"warning: the pull request comment was not posted: {error}")
