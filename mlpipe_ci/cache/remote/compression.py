"""Contents as zstd frames (RFC 8878) with their size and a checksum. What does not pay stays raw.

An encoder stores what cannot be made smaller as it is, at the speed of a copy.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

LEVEL = 3
MOST = 1 << 50
"""Bytes that a frame may claim to hold: a petabyte."""


class FrameError(Exception):
    """Not a frame, not a whole one, or not what its checksum says."""


@cache
def _library() -> Any:
    import zstandard  # noqa: PLC0415 - an extra, and 10 ms

    return zstandard


def packed(data: bytes) -> bytes:
    """One frame."""
    return bytes(_library().ZstdCompressor(level=LEVEL, write_checksum=True).compress(data))


def unpacked(data: bytes, most: int) -> bytes:
    """The content of a frame that claims to hold `most` bytes at most. Raises FrameError."""
    size = _size(data)
    if size > most:
        raise FrameError(f"it claims to hold {size} bytes")
    return b"".join(unpack([data]))


def pack(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """One frame of chunks that have `size` bytes together, bit by bit."""
    compressor = _library().ZstdCompressor(level=LEVEL, write_checksum=True, threads=2)
    stream = compressor.compressobj(size=size)
    for chunk in chunks:
        if data := stream.compress(chunk):
            yield data
    yield stream.flush()


def unpack(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The content of a frame, bit by bit; never more than it claims. Raises FrameError."""
    library = _library()
    stream = library.ZstdDecompressor().decompressobj()
    left: int | None = None
    try:
        for chunk in chunks:
            left = _size(chunk) if left is None else left
            if stream.eof:
                raise FrameError("there is more after its end")
            for start in range(0, len(chunk), 1 << 17):  # a bomb is seen before it is big
                data = stream.decompress(chunk[start : start + (1 << 17)])
                left -= len(data)
                if left < 0:
                    raise FrameError("it holds more than it claims")
                if data:
                    yield data
    except library.ZstdError as error:
        raise FrameError(str(error)) from error
    if left or not stream.eof:
        raise FrameError("its end is missing")
    if stream.unused_data:
        raise FrameError("there is more after its end")


def _size(start: bytes) -> int:
    library = _library()
    try:
        size = library.frame_content_size(start[:32])
    except library.ZstdError as error:
        raise FrameError(str(error)) from error
    if not 0 <= size <= MOST:
        raise FrameError("it does not say how much it holds")
    return int(size)
