"""What is drawn of a plot: a few numbers, for here and for the base. Values only. Pure."""

from mlpipe_ci.core.frozen import frozen

Point = tuple[float | str, float]


@frozen
class Series:
    """One line, cloud or set of bars: the column that it shows, `here` or `base`, its points.

    Of a histogram, x is the middle of a bin and y the count; of a confusion matrix, x is
    `actual → predicted` and y the count.
    """

    name: str
    side: str
    points: tuple[Point, ...]


@frozen
class PlotData:
    """A plot with what it shows. `kind` as in the workflow file. `picture`: a `data:` address of
    an image; `spec`: the user's own Vega-Lite, as JSON. `notes`: what was left out, what is wrong.
    """

    path: str
    kind: str
    title: str
    x_label: str = ""
    y_label: str = ""
    series: tuple[Series, ...] = ()
    picture: str = ""
    base_picture: str = ""
    spec: str = ""
    notes: tuple[str, ...] = ()
