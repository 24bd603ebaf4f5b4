import json
from pathlib import Path

from slow import expand

values = [float(line) for line in Path("data/values.txt").read_text().split()]
Path("build").mkdir(exist_ok=True)
Path("build/features.json").write_text(json.dumps(expand(values, degree=3)))
