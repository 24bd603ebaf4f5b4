import json
from pathlib import Path

score = json.loads(Path("metrics.json").read_text())["score"]
Path("report.md").write_text(f"Score: {score}\n")
