"""How metrics files are read. A table with an entry for each ending; nothing else is imported here.

A reader takes the text and the name of a file, and gives names with numbers: pairs of a text and a
float. It raises ValueError, or `DataError` with the name and the place in the file.
"""

FORMATS = {
    ".json": "mlpipe_ci.metrics.formats.nested:read_json",
    ".yaml": "mlpipe_ci.metrics.formats.nested:read_nested",
    ".yml": "mlpipe_ci.metrics.formats.nested:read_nested",
    ".toml": "mlpipe_ci.metrics.formats.nested:read_nested",
    ".csv": "mlpipe_ci.metrics.formats.delimited:read_delimited",
    ".tsv": "mlpipe_ci.metrics.formats.delimited:read_delimited",
}
"""The import path of the reader of each ending. Files of other endings are read as JSON."""
OTHER = ".json"
BY_ROWS = (".csv", ".tsv")
"""Formats of which the first lines and the last ones are enough, if a file is large."""
