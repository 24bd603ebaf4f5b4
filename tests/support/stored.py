"""Contents and results as the store keeps them."""

from pathlib import Path

from blake3 import blake3

from mlpipe_ci.cache.store import Store


def saved(store: Store, data: bytes, path: Path) -> str:
    path.write_bytes(data)
    digest, size = store.save(path)
    assert size == len(data)
    return digest


def sealed(text: bytes) -> bytes:
    """The text below the line that vouches for it: what is wrong with it must be found anyway."""
    return blake3(text).hexdigest().encode() + b"\n" + text
