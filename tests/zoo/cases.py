"""The tools of the zoo: what is changed in each project, and what then has to happen."""

from tests.zoo.case import Unsettled
from tests.zoo.data_cases import DATA_CASES
from tests.zoo.tool_cases import TOOL_CASES

CASES = (*DATA_CASES, *TOOL_CASES)
UNSETTLED = (
    Unsettled(
        "sqlite-history",
        "log",
        ("it changes history.db, which it also reads", "or name it in state"),
        ("mlpipe.yml", "python log.py", "python log.py\n    state: [history.db]"),
        setup=("python log.py", "rm count.txt"),
        kept=("history.db",),
    ),
    Unsettled(
        "nbconvert-in-place",
        "explore",
        ("which git tracks", "let it write another file"),
        ("mlpipe.yml", "--inplace", "--output-dir build"),
        "notebooks",
    ),
)

GO_ON = {"sqlite": "summary", "h5py": "train", "joblib": "train", "click": "score"}
"""Tools, and a step that then runs in a clone with what another work tree has made."""
NAMES_ITS_PLACE = {"coverage": ("test", "report")}
"""Tools, a step whose output names the directory of the work tree, and one that reads that."""
