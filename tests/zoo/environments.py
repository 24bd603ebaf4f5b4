"""The environments of the zoo's tools: locked by hash, made once, and kept in build/zoo."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.repository import INHERITED, ROOT

REQUIREMENTS = Path(__file__).parent / "requirements"
KEPT = ROOT / "build" / "zoo"


def environment(group: str) -> Path:
    """The directory of the environment of a group of tools, made where there is none yet.

    Its name has the digest of the lock and of the interpreter, so another lock makes another one.
    Tests that run at once make it once.
    """
    lock = REQUIREMENTS / f"{group}.txt"
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    made = KEPT / f"{group}-{digest}"
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / f"{group}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not (made / "ready").exists():
            for old in KEPT.glob(f"{group}-*"):
                shutil.rmtree(old)
            _uv("venv", "--python", sys.executable, str(made))
            python = str(made / "bin" / "python")
            _uv("pip", "sync", "--require-hashes", "--python", python, str(lock))
            (made / "ready").touch()
    return made


def _uv(*words: str) -> None:
    uv = str(Path(sys.executable).parent / "uv")
    done = subprocess.run(
        [uv, "--quiet", *words], env=INHERITED, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
