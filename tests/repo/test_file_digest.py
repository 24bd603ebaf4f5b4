"""The digest of a file."""

import os
from pathlib import Path

from blake3 import blake3

from mlpipe_ci.repo.file_digest import file_digest


def test_a_large_file_is_hashed_in_pieces(tmp_path: Path) -> None:
    data = os.urandom(1 << 20) * 9
    (tmp_path / "big").write_bytes(data)
    assert file_digest(tmp_path / "big") == f"blake3:{blake3(data).hexdigest()}"
