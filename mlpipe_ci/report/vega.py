"""Plots as SVG: Vega-Lite, drawn by vl-convert (extra `plots`). Nothing is fetched."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from mlpipe_ci.core.plot_data import PlotData

MARKS = {"line": "line", "scatter": "point", "bar": "bar", "histogram": "bar"}
COLOURS = {"base": "#8c959f", "here": "#0969da"}
WIDTH, HEIGHT = 360, 220
MISSING = "pictures need the extra: pip install 'mlpipe-ci[plots]'"


def pictures(plots: tuple[PlotData, ...]) -> tuple[dict[str, str], str]:
    """The address of a picture (`data:`) of each plot that has one, by path; why some have none."""
    wanted = [plot for plot in plots if plot.series or plot.spec]
    try:
        import vl_convert  # noqa: PLC0415 - 80 MB, an extra
    except ImportError:
        return {}, MISSING if wanted else ""
    found: dict[str, str] = {}
    why = ""
    for plot in wanted:
        try:
            svg = vl_convert.vegalite_to_svg(specification(plot), allowed_base_urls=[])
        except Exception as error:  # noqa: BLE001 - what the user's own specification does wrong
            why = f"{plot.path}: {str(error).splitlines()[-1] if str(error) else error!r}"
            continue
        data = base64.b64encode(svg.encode("utf-8")).decode("ascii")
        found[plot.path] = f"data:image/svg+xml;base64,{data}"
    return found, why


def specification(plot: PlotData) -> dict[str, Any]:
    """Vega-Lite of a plot: https://vega.github.io/vega-lite/docs/spec.html. Raises ValueError."""
    if plot.spec:
        return dict(json.loads(plot.spec))
    if plot.kind == "confusion":
        return _confusion(plot)
    several = len({one.name for one in plot.series}) > 1
    encoding: dict[str, Any] = {
        "x": _axis("x", plot, plot.x_label),
        "y": {"field": "y", "type": "quantitative", "title": plot.y_label or None},
        "color": _sides(plot),
    }
    if several and plot.kind in {"line", "scatter"}:
        encoding["strokeDash" if plot.kind == "line" else "shape"] = _field("name")
    elif several:
        encoding["row"] = _field("name")
    if plot.kind in {"bar", "histogram"}:
        encoding["xOffset"] = {"field": "side"}
    return _whole({"type": MARKS[plot.kind], "clip": True}, encoding, _values(plot))


def _whole(mark: Any, encoding: Mapping[str, Any], values: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": values},
        "mark": mark,
        "encoding": encoding,
    }


def _values(plot: PlotData) -> list[dict[str, Any]]:
    return [
        {"x": x, "y": y, "name": one.name, "side": one.side}
        for one in sorted(plot.series, key=lambda one: one.side)  # the base below
        for x, y in one.points
    ]


def _axis(field: str, plot: PlotData, label: str) -> dict[str, Any]:
    words = any(isinstance(x, str) for one in plot.series for x, _ in one.points)
    discrete = plot.kind in {"bar", "histogram"} or words
    axis: dict[str, Any] = {"title": label or None, "type": "quantitative"}
    if discrete:
        numbers = plot.kind == "histogram"
        axis |= {"type": "ordinal", "sort": None} | (
            {"axis": {"format": ".3~g"}} if numbers else {}
        )
    return {"field": field} | axis


def _sides(plot: PlotData) -> dict[str, Any]:
    sides = [side for side in COLOURS if any(one.side == side for one in plot.series)]
    scale = {"domain": sides, "range": [COLOURS[side] for side in sides]}
    return {"field": "side", "type": "nominal", "title": None, "scale": scale}


def _field(name: str) -> dict[str, Any]:
    return {"field": name, "type": "nominal", "title": None}


def _confusion(plot: PlotData) -> dict[str, Any]:
    values = []
    for one in plot.series:
        for x, count in one.points:
            actual, _, predicted = str(x).partition(" → ")
            cell = {"actual": actual, "predicted": predicted, "count": count, "side": one.side}
            values.append(cell)
    cells: dict[str, Any] = {
        "x": {"field": "predicted", "type": "nominal"},
        "y": {"field": "actual", "type": "nominal"},
    }
    colour = {"field": "count", "type": "quantitative", "legend": None}
    shade = {"mark": "rect", "encoding": cells | {"color": colour}}
    text = {"mark": "text", "encoding": cells | {"text": {"field": "count", "format": ",.0f"}}}
    facet = {"column": {"field": "side", "type": "nominal", "title": None}}
    return {
        "data": {"values": values},
        "facet": facet,
        "spec": {"width": WIDTH // 2, "height": WIDTH // 2, "layer": [shade, text]},
    }
