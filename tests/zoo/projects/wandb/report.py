import json
from pathlib import Path

weight = json.loads(Path("model.json").read_text())
Path("report.txt").write_text(f"Weight: {weight:.3f}\n")
