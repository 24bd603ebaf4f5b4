"""The tools of the zoo: what is changed in each project, and what then has to happen."""

from tests.zoo.case import Case, Edit, Unsettled, edit


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


CLOCK = r"\d{4}-\d\d-\d\d[T ][\d:.]+(Z|\+00:00)?"
SECONDS = r'"(duration|time)": [\d.e+-]+'
NEW_CELL = r'"id": "[0-9a-f]{8}"'
TABLES = "import duckdb; db = duckdb.connect('trips.duckdb', read_only=True); "
TABLES += "tables = [name for (name,) in db.sql('SHOW TABLES').fetchall()]; "
TABLES += "print(*(db.sql(f'SELECT * FROM {name} ORDER BY ALL') for name in tables))"
DUCKDB = {"trips.duckdb": f'python -c "{TABLES}"'}
COVERED = "SELECT key, value FROM meta WHERE key != 'when'; SELECT * FROM arc;"
MLFLOW = ("mlruns/", "mlflow.db")


INSTALL = "uv pip install -q --offline --python .venv/bin/python"
DVC = ("dvc init -q", "dvc config core.analytics false")
DVC_DATA = (
    *DVC,
    "dvc remote add -q -d store ../../store",
    "dvc add -q data",
    "dvc push -q",
)

CASES = (
    Case(
        "papermill",
        (
            edit("model.py", "range(20)", "range(30)", "train", "report"),
            edit("data/raw.csv", "30,0", "31,0", "prepare", "train"),
            edit("README.md", "Notes", "Remarks"),
        ),
        "notebooks",
        varies={"out/train.ipynb": f"{CLOCK}|{SECONDS}|{NEW_CELL}"},
    ),
    Case(
        "nbconvert",
        (
            edit(
                "notebooks/explore.ipynb", "# Visits", "# All visits", "explore", "page", "script"
            ),
            edit("data/visits.csv", "3,9", "3,11", "explore", "page"),
            edit("notebooks/draft.ipynb", "Nobody", "No one"),
        ),
        "notebooks",
        varies={"build/explore.ipynb": CLOCK},
    ),
    Case(
        "joblib",
        (
            edit("slow.py", "sum(column)", "max(column)", "features", "train"),
            edit("slow.py", "1, degree + 1", "0, degree + 1", "features", "train"),
            edit("data/values.txt", "8", "13", "features", "train"),
        ),
        "data",
        state=(".cache/joblib/slow/*/*",),
        varies={".cache/joblib/**/metadata.json": SECONDS},
    ),
    Case(
        "mlflow-files",
        (
            edit("mlpipe.yml", "--rate 0.1", "--rate 0.2", "train", "evaluate"),
            edit("evaluate.py", ".max()", ".mean()", "evaluate"),
        ),
        "tracking",
        state=MLFLOW,
        grows=MLFLOW,
    ),
    Case(
        "mlflow-sqlite",
        (
            edit("mlpipe.yml", "--rate 0.1", "--rate 0.2", "train", "evaluate"),
            edit("evaluate.py", ".max()", ".mean()", "evaluate"),
        ),
        "tracking",
        state=MLFLOW,
        grows=MLFLOW,
    ),
    Case(
        "hydra",
        (
            Edit(
                (("conf/model/small.yaml", "2", "3"),),
                frozenset({"train", "report"}),
                said=("add to the step: state: [outputs/]",),
            ),
            edit("report.py", ":.4f", ":.2f", "report"),
            edit("conf/model/large.yaml", "50", "60"),
        ),
        "config",
        state=("outputs/",),
        grows=("outputs/",),
    ),
    Case(
        "sqlite",
        (
            edit("data/orders.csv", "bob,7", "bob,8", "load", "summary"),
            edit("summary.sql", "sum", "max", "summary"),
            edit("README.md", "Shop", "A shop"),
        ),
    ),
    Case(
        "sqlite-in-place",
        (
            edit("data/orders.csv", "bob,7", "bob,8", "load", "features", "export"),
            edit("features.py", "avg", "min", "features", "export"),
            edit("export.py", "ORDER BY customer", "ORDER BY mean", "export"),
        ),
        said=("it changes shop.db, which it also reads",),
    ),
    Case(
        "duckdb",
        (
            edit("data/b.csv", "Ulm,2,4", "Ulm,2,5", "ingest", "marts"),
            edit("marts.py", "sum(trips)", "max(trips)", "marts"),
        ),
        "data",
        shown=DUCKDB,
    ),
    Case(
        "duckdb-in-place",
        (
            edit("data/b.csv", "Ulm,2,4", "Ulm,2,5", "ingest", "totals", "export"),
            edit("totals.py", "sum(trips)", "max(trips)", "totals", "export"),
        ),
        "data",
        shown=DUCKDB,
    ),
    Case(
        "h5py",
        (
            edit("data/seed.txt", "7", "8", "images", "labels", "train"),
            edit("data/labels.txt", "0 1 1 0", "0 1 0 0", "labels", "train"),
            edit("train.py", "6", "5", "train"),
        ),
        "data",
    ),
    Case(
        "dbm",
        (
            edit("data/words.txt", "sun", "moon", "index", "lookup"),
            edit("lookup.py", "sorted", "list", "lookup"),
        ),
    ),
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
        "duckdb-wal",
        (
            edit("data/b.csv", "Ulm,2,4", "Ulm,2,5", "ingest", "totals"),
            edit("totals.py", "sum(trips)", "max(trips)", "totals"),
        ),
        "data",
        varies={"trips.duckdb.wal": "(?s).*"},
        shown=DUCKDB,
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
        fault="what a step writes again as it was has another kind of digest for who reads it",
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
        "lightgbm",
        (
            edit("data/train.csv", "0.9,0.1,1", "0.9,0.2,1", "train", "predict"),
            edit("params.json", '"num_leaves": 3', '"num_leaves": 4', "train", "predict"),
            edit("predict.py", "4", "3", "predict"),
        ),
        "data",
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
    Case(
        "lightning",
        (
            edit("model.py", "0.5", "0.25", "fit", "test"),
            edit("test.py", 'f"weight', 'f"The weight', "test"),
        ),
        state=("lightning_logs/",),
        grows=("lightning_logs/",),
    ),
    Case(
        "tensorboardx",
        (
            edit("train.py", "0.5", "0.25", "train", "report"),
            edit("report.py", "Weight", "The weight", "report"),
        ),
        "tracking",
        state=("runs/**/events.out.tfevents.*",),
        grows=("runs/",),
    ),
    Case(
        "wandb",
        (
            edit("train.py", "0.5", "0.25", "train", "report"),
            edit("report.py", "Weight", "The weight", "report"),
        ),
        "tracking",
        state=("wandb/",),
        grows=("wandb/*run-*",),
    ),
    installed("editable", f"{INSTALL} -e ."),
    installed("directory", f"{INSTALL} --reinstall ."),
    installed("wheel", f"uv build -q --offline --wheel && {INSTALL} --reinstall dist/*.whl"),
    installed("commit", f'{INSTALL} --reinstall --no-cache "shop @ git+file://$PWD"'),
)

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
