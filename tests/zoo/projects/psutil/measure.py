import json
from pathlib import Path

import psutil

rows = Path("data/rows.txt").read_text().split()
process = psutil.Process()
Path("build").mkdir(exist_ok=True)
Path("build/rows.json").write_text(json.dumps({"sum": sum(map(int, rows))}))
with process.oneshot():
    usage = {
        "rss": process.memory_info().rss,
        "cpus": psutil.cpu_count(),
        "seconds": sum(process.cpu_times()[:2]),
        "disk": psutil.disk_usage(".").percent,
        "name": process.name(),
        "children": len(process.children()),
    }
Path("build/usage.json").write_text(json.dumps(usage))
