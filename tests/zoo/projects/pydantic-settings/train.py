from pathlib import Path

from settings import Settings

Path("model.json").write_text(Settings().model_dump_json())
