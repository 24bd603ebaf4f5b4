import json
from pathlib import Path

degree = int(Path("params.yaml").read_text().split()[1])
values = [int(line) ** degree for line in Path("clean.txt").read_text().split()]
Path("model.json").write_text(json.dumps(values))
Path("metrics.json").write_text(json.dumps({"score": sum(values)}))
