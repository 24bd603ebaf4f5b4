"""Data, notebooks, models and their tracking: the cases of these tools."""

from tests.zoo.case import Case, Edit, edit

CLOCK = r"\d{4}-\d\d-\d\d[T ][\d:.]+(Z|\+00:00)?"
SECONDS = r'"(duration|time)": [\d.e+-]+'
NEW_CELL = r'"id": "[0-9a-f]{8}"'
TABLES = "import duckdb; db = duckdb.connect('trips.duckdb', read_only=True); "
TABLES += "tables = [name for (name,) in db.sql('SHOW TABLES').fetchall()]; "
TABLES += "print(*(db.sql(f'SELECT * FROM {name} ORDER BY ALL') for name in tables))"
DUCKDB = {"trips.duckdb": f'python -c "{TABLES}"'}
MLFLOW = ("mlruns/", "mlflow.db")

DATA_CASES = (
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
        "lightgbm",
        (
            edit("data/train.csv", "0.9,0.1,1", "0.9,0.2,1", "train", "predict"),
            edit("params.json", '"num_leaves": 3', '"num_leaves": 4', "train", "predict"),
            edit("predict.py", "4", "3", "predict"),
        ),
        "data",
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
)
