"""What is drawn of the plots of a run: files of the work tree or of the cache, and the base's."""

import base64
import io
import json
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.cache.store import Store
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import path_fault
from mlpipe_ci.core.plot_data import PlotData
from mlpipe_ci.core.result import Output
from mlpipe_ci.core.run import Status, StepOutcome
from mlpipe_ci.core.workflow import Plot
from mlpipe_ci.metrics.formats.delimited import SEPARATORS
from mlpipe_ci.metrics.plots.series import drawn_series, thinned
from mlpipe_ci.metrics.plots.tables import MAX_BYTES, PlotError, Row, rows

PICTURES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".svg": "image/svg+xml",
}
MAX_PICTURE = 500_000
MAX_PICTURES = 3_000_000
"""Bytes: of one picture, and of all in a report, which grow by a third there."""
MAX_SPEC = 100_000
POINTS = 20_000
"""Of all series of a report together; each has at least LEAST, and MOST at most."""
LEAST, MOST = 20, 400
MOST_PLOTS = 100


LARGE = 1 << 30
SMALL = 10 << 20
"""Bytes of a file that is drawn: where a report is asked for, and where none is."""


def with_plots(
    outcomes: tuple[StepOutcome, ...], root: Path, store: Store | None, largest: int
) -> tuple[StepOutcome, ...]:
    """The outcomes with what is drawn of their plots."""
    count = sum(len(outcome.step.plots) for outcome in outcomes)
    if not count:
        return outcomes
    collector = PlotBuilder(root, store, count, largest)
    return tuple(
        replace(one, measured=replace(one.measured, plots=collector.plots_of(one)))
        for one in outcomes
    )


@frozen(kw_only=False)
class PlotFile:
    """A file that is drawn: opened, with its size in bytes."""

    file: BinaryIO
    size: int


class PlotBuilder:
    """Draws the plots of a run. `largest`: bytes of a file that is read."""

    def __init__(self, root: Path, store: Store | None, plots: int, largest: int) -> None:
        self._root, self._store, self._largest = root, store, largest
        self._most = max(LEAST, min(MOST, POINTS // max(1, 4 * plots)))
        self._room, self._left = MAX_PICTURES, MOST_PLOTS

    def plots_of(self, outcome: StepOutcome) -> tuple[PlotData, ...]:
        """What is drawn of the plots of a step. A fault is a note of its plot."""
        if outcome.status not in {Status.SUCCEEDED, Status.REUSED}:
            return ()
        plots = outcome.step.plots
        found = tuple(self._plot(plot, outcome) for plot in plots[: self._left])
        self._left -= len(found)
        if len(found) == len(plots):
            return found
        note = f"{len(plots) - len(found)} more plots are not drawn"
        rest = PlotData(path=plots[len(found)].path, kind="line", title="…", notes=(note,))
        return (*found, rest)

    def _plot(self, plot: Plot, outcome: StepOutcome) -> PlotData:
        kind = plot.kind or ("image" if _ending(plot.path) in PICTURES else "line")
        drawn = PlotData(
            path=plot.path,
            kind=kind,
            title=plot.title or PurePosixPath(plot.path).stem,
            x_label=plot.x_label if plot.x_label is not None else plot.x or "",
            y_label=plot.y_label if plot.y_label is not None else ", ".join(plot.y),
        )
        base = outcome.measured.base
        sides = (
            ("here", outcome.left.cached_outputs),
            ("base", base.outputs if base else ()),
        )
        for side, outputs in sides:
            try:
                content = self._content(plot.path, outputs, side)
                if content:
                    drawn = self._add(drawn, plot, content, side)
            except (PlotError, DamagedError, OSError) as error:
                why = getattr(error, "strerror", None) or str(error)
                drawn = replace(drawn, notes=(*drawn.notes, f"{side}: {why}"))
        return drawn

    def _content(self, path: str, outputs: tuple[Output, ...], side: str) -> PlotFile | None:
        """The file as it is here, or as the cache has it; None if the base has none."""
        full_path = self._root / path
        if side == "here" and full_path.is_file():
            size = full_path.stat().st_size
            if size > self._largest:
                raise PlotError(f"not drawn, as it has {size / 1e6:.0f} MB; --html draws it")
            return PlotFile(full_path.open("rb"), size)
        stored = next((o for o in outputs if o.path == path and o.kind == "file"), None)
        if stored is None or self._store is None:
            if side == "here":
                raise PlotError("it is not here")
            return None
        if stored.size > self._largest:
            raise PlotError(f"not drawn, as it has {stored.size / 1e6:.0f} MB; --html draws it")
        data = self._store.read(stored.pack or stored.digest)
        data = data[stored.offset : stored.offset + stored.size] if stored.pack else data
        return PlotFile(io.BytesIO(data), len(data))

    def _add(self, drawn: PlotData, plot: Plot, content: PlotFile, side: str) -> PlotData:
        with content.file as file:
            if drawn.kind == "image":
                address = self._picture(plot.path, file, content.size)
                if side == "here":
                    return replace(drawn, picture=address)
                return replace(drawn, base_picture=address)
            table = rows(file, plot.path, content.size)
            if plot.spec:
                return self._with_spec(drawn, plot.spec, thinned(table, self._most), side)
            series, cut = drawn_series(plot, drawn.kind, table, side, self._most)
        if content.size > MAX_BYTES and _ending(plot.path) in SEPARATORS:
            cut = (*cut, f"its first {MAX_BYTES >> 20} MiB")
        notes = (*drawn.notes, *(f"{side}: {text}" for text in cut))
        return replace(drawn, series=(*drawn.series, *series), notes=notes)

    def _picture(self, path: str, file: BinaryIO, size: int) -> str:
        kind = PICTURES.get(_ending(path))
        if kind is None:
            raise PlotError(f"it is no picture; {', '.join(PICTURES)} are")
        if size > min(MAX_PICTURE, self._room):
            raise PlotError(f"a picture of {size / 1e3:.0f} kB is left out of the report")
        self._room -= size
        return f"data:{kind};base64,{base64.b64encode(file.read()).decode('ascii')}"

    def _with_spec(self, plot: PlotData, path: str, table: list[Row], side: str) -> PlotData:
        """With the user's specification, and the rows in the place of its data."""
        own = json.loads(plot.spec) if plot.spec else self._specification(path)
        values = own["data"]["values"] if plot.spec else []
        values += [row | {"side": side} for row in table]
        whole = own | {"data": {"values": values}}
        return replace(plot, spec=json.dumps(whole, default=str))

    def _specification(self, path: str) -> dict[str, Any]:
        """The user's own Vega-Lite. Raises PlotError."""
        fault = path_fault(path)
        try:
            text = (self._root / path).read_bytes()[: MAX_SPEC + 1] if not fault else b""
            own = json.loads(text) if not fault and len(text) <= MAX_SPEC else None
        except (OSError, ValueError, RecursionError) as error:
            raise PlotError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
        if not isinstance(own, dict):
            wrong = fault or f"it is no map of at most {MAX_SPEC // 1000} kB"
            raise PlotError(f"{path}: {wrong}")
        return own


def _ending(path: str) -> str:
    return PurePosixPath(path).suffix.lower()
