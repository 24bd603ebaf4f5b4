"""Reads models/fraud.joblib and reports/metrics.json, writes deploy/{model.joblib,card.md}.

Nothing here depends on the clock: the same model and metrics give the same files.
"""

import hashlib
import json
from pathlib import Path

MODEL = Path("models/fraud.joblib")
METRICS = Path("reports/metrics.json")
OUTPUT = Path("deploy")

CARD = """\
# Payment-card fraud model

Scores a card transaction between 0 and 1; a higher score is more suspicious.
A random forest, trained on simulated transactions: no row is of a real person,
and the model is not fit for real payments.

- File: `model.joblib` ({size:,} bytes)
- SHA-256: `{digest}`

Measured on the last week, which was not used for training:

| metric | value |
| --- | ---: |
{rows}
"""


def read(path: Path) -> bytes:
    content = path.read_bytes() if path.is_file() else b""
    if not content:
        raise SystemExit(f"deploy: {path} is missing or empty; run the step that writes it first")
    return content


def main() -> None:
    model, metrics = read(MODEL), json.loads(read(METRICS))
    if not metrics:
        raise SystemExit(f"deploy: {METRICS} holds no metrics")
    digest = hashlib.sha256(model).hexdigest()
    rows = "\n".join(f"| {name} | {value} |" for name, value in sorted(metrics.items()))
    card = CARD.format(size=len(model), digest=digest, rows=rows)

    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / "model.joblib").write_bytes(model)
    (OUTPUT / "card.md").write_text(card, encoding="utf-8", newline="\n")
    print(f"deploy: model {digest[:12]}, {len(model):,} bytes, with its card in {OUTPUT}/")


if __name__ == "__main__":
    main()
