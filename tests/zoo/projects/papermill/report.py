import json
from pathlib import Path

model = json.loads(Path("out/model.json").read_text())
Path("out/report.md").write_text(f"weight: {model['weight']}\n")
