import json
import logging
from pathlib import Path

import hydra
from omegaconf import DictConfig

log = logging.getLogger(__name__)


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config: DictConfig) -> None:
    weights = [round(config.rate**layer, 6) for layer in range(config.model.layers)]
    log.info("%d layers", len(weights))
    Path("build").mkdir(exist_ok=True)
    Path("build/model.json").write_text(json.dumps(weights))


main()
