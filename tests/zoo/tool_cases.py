"""Tests, builds, settings, languages and installations: the cases of these tools."""

from tests.zoo.case import Case, Edit, edit
from tests.zoo.data_cases import CLOCK


def installed(name: str, *install: str) -> Case:
    """A project in src layout, which is installed by these commands."""
    price = ("src/shop/prices.py", "* 3", "* 4")
    sources = "-e" in install[0]  # what counts: else the distribution as a whole
    wheel = "wheel" in install[0]  # its metadata hold the README
    both = frozenset({"train", "report"})
    return Case(
        f"src-layout-{name}",
        (
            Edit((price,), both if sources else frozenset()),
            Edit((("src/shop/prices.py", "* 3", "* 5"),), both, then=install),
            Edit(
                (("src/shop/report.py", "prices:", "all:"),),
                frozenset({"report"}) if sources else both,
                then=install,
            ),
            Edit((("README.md", "Shop", "A shop"),), both if wheel else frozenset(), then=install),
            Edit((("docs/notes.txt", "Nobody", "No one"),), then=install),
        ),
        "tools",
        project="src-layout",
        before=("uv venv -q .venv", *install),
        activated=False,
        state=(".venv/", "dist/"),
    )


COVERED = "SELECT key, value FROM meta WHERE key != 'when'; SELECT * FROM arc;"
INSTALL = "uv pip install -q --offline --python .venv/bin/python"
DVC = ("dvc init -q", "dvc config core.analytics false")
DVC_DATA = (
    *DVC,
    "dvc remote add -q -d store ../../store",
    "dvc add -q data",
    "dvc push -q",
)

TOOL_CASES = (
    Case(
        "coverage",
        (
            edit("shop/prices.py", "* 9", "* 8", "test", "report"),
            edit("tests/test_prices.py", "price(1) == 10", "price(2) == 20", "test"),
            edit("README.md", "Shop", "A shop", "test"),  # pytest asks `stat` of what is there
            edit("docs/notes.md", "Nobody", "No one"),
        ),
        "tools",
        varies={
            "build/coverage.json": CLOCK,
            "build/html/*.html": CLOCK,
            "build/html/status.json": r'"(hash|globals)": ?"[0-9a-f]+"',
        },
        shown={".coverage": f'sqlite3 .coverage "{COVERED}"'},
    ),
    Case(
        "make",
        (
            edit("data/raw.csv", "3", "4", "data", "model"),
            edit("Makefile", "grep -c .", "wc -l <", "data", "model"),
            edit("README.md", "Make", "How it is made"),
        ),
    ),
    Case(
        "dvc-pull",
        (
            edit("train.py", "sum(", "max(", "train"),
            edit("README.md", "Data", "The data"),
        ),
        "tools",
        setup=DVC_DATA,
        state=(".dvc/cache/", ".dvc/tmp/"),
        always=frozenset({"data"}),
        said=("writes nothing but its state", "cache: true"),
        refused=True,
    ),
    Case(
        "dvc-repro",
        (
            edit("params.yaml", "degree: 2", "degree: 3", "dvc", "report"),
            edit("data/raw.txt", "1", "5", "dvc", "report"),
            edit("report.py", "Score", "The score", "report"),
        ),
        "tools",
        setup=(*DVC, "dvc repro -q"),
        state=(".dvc/cache/", ".dvc/tmp/"),
    ),
    Case(
        "dvc-repro-undeclared",
        (
            Edit(
                (("params.yaml", "degree: 2", "degree: 3"),),
                frozenset({"report"}),
                said=("it changes dvc.lock, metrics.json, which git tracks; ", "from scratch"),
            ),
        ),
        "tools",
        project="dvc-repro",
        setup=("sed -i /outputs/d mlpipe.yml", *DVC, "dvc repro -q"),
        state=(".dvc/cache/", ".dvc/tmp/"),
        always=frozenset({"dvc"}),
        said=("writes nothing but its state", "cache: true"),
        refused=True,
    ),
    Case(
        "uv-lock",
        (
            edit("src/shop/prices.py", "* 3", "* 4", "train", "report"),
            edit("report.py", "total", "all", "report"),
        ),
        "tools",
        setup=("uv lock -q --offline",),
        activated=False,
        before=("uv sync -q --offline --frozen",),
        state=(".venv/",),
    ),
    Case(
        "uv-no-lock",
        (
            edit("src/shop/prices.py", "* 3", "* 4", "train", "report"),
            edit("report.py", "total", "all", "report"),
        ),
        "tools",
        project="uv-lock",
        setup=("echo uv.lock >> .gitignore",),
        activated=False,
        settles=3,
        elsewhere=frozenset({"train"}),
        state=(".venv/",),
        said=("it makes a Python environment (.venv)", "make it before the run"),
        refused=True,
    ),
    Case(
        "psutil",
        (
            edit("data/rows.txt", "3", "4", "measure", "report"),
            edit("report.py", "rows: ", "lines: ", "report"),
        ),
        "data",
        varies={"build/usage.json": r'"(rss|cpus|seconds|disk)": [\d.]+'},
    ),
    Case(
        "ruff",
        (
            edit("src/app.py", "return 1", "return 2", "check", "format"),
            edit("pyproject.toml", "100", "90", "check", "format"),
            edit("docs/notes.txt", "Nobody", "No one"),
        ),
        "tools",
        by_place=(".ruff_cache/",),
    ),
    Case(
        "pydantic-settings",
        (
            edit(".env", "SHOP_RATE=2", "SHOP_RATE=3", "train"),
            Edit(env={"SHOP_RATE": "5"}, runs=frozenset({"train"})),
            Edit(env={"OTHER_RATE": "5"}),
            edit("settings.py", "depth: int = 4", "depth: int = 5", "train"),
        ),
    ),
    Case(
        "click",
        (
            edit("cli/train.py", "* rate", "+ rate", "train", "score"),
            edit("cli/score.py", "max", "min", "score"),
            edit("mlpipe.yml", "--rate 2", "--rate 3", "train", "score"),
        ),
    ),
    Case(
        "node",
        (
            edit("lib/scale.js", "* 10", "* 20", "features", "report"),
            edit("package.json", '"limit": 3', '"limit": 2', "features", "report"),
            edit("report.mjs", "total", "sum", "report"),
        ),
    ),
    Case(
        "perl",
        (
            edit("lib/Shop/Price.pm", "* 3", "* 4", "prices"),
            edit("data/items.txt", "2", "7", "prices"),
            edit("lib/Shop/Unused.pm", "1", "2"),
        ),
    ),
    installed("editable", f"{INSTALL} -e ."),
    installed("directory", f"{INSTALL} --reinstall ."),
    installed("wheel", f"uv build -q --offline --wheel && {INSTALL} --reinstall dist/*.whl"),
    installed("commit", f'{INSTALL} --reinstall --no-cache "shop @ git+file://$PWD"'),
)
