"""The renderings of a run's report, by the ending of the file that it is written to."""

from importlib import import_module

from mlpipe_ci.core.run import Run

RENDERINGS = {
    ".json": "mlpipe_ci.report.to_json",
    ".html": "mlpipe_ci.report.html",
    ".md": "mlpipe_ci.report.markdown",
}
"""The module of each; its function `report` takes a run and returns the text. A module is imported
only when it is used: that of the page takes 0.1 s, its pictures a second."""


def render(run: Run, ending: str) -> str:
    """The report of a run as the text of a file with this ending."""
    text: str = import_module(RENDERINGS[ending]).report(run)
    return text
