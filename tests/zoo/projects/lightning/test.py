import json
from pathlib import Path

state = json.loads(Path("checkpoints/last.ckpt").read_text())["state_dict"]
Path("report.txt").write_text(f"weight: {state['weight']}\n")
