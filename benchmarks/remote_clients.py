"""Pushes or pulls files with one client of S3: python remote_clients.py CLIENT push|pull DIRECTORY.

The bucket is BUCKET, the prefix PREFIX, both from the environment. Each client does it the way that
its documentation shows, with its own default number of transfers at once.
"""

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

BUCKET, PREFIX = os.environ.get("BUCKET", ""), os.environ.get("PREFIX", "")
AT_ONCE = 50


def boto(push: bool, files: list[Path]) -> None:  # noqa: FBT001 - a script
    """boto3: its transfer manager for a large file, ten threads for small ones."""
    import boto3  # noqa: PLC0415 - each client pays for its own import

    client = boto3.client("s3")

    def one(path: Path) -> None:
        key = f"{PREFIX}/{path.name}"
        if push:
            client.upload_file(str(path), BUCKET, key)
        else:
            client.download_file(BUCKET, key, str(path))

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(one, files))


def s3fs(push: bool, files: list[Path]) -> None:  # noqa: FBT001
    """Fsspec's S3: lists of files at once, as it does by itself."""
    import s3fs as library  # type: ignore[import-not-found] # noqa: PLC0415

    system = library.S3FileSystem()
    here, there = [str(path) for path in files], [f"{BUCKET}/{PREFIX}/{p.name}" for p in files]
    if push:
        system.put(here, there)
    else:
        system.get(there, here)


def obstore(push: bool, files: list[Path]) -> None:  # noqa: FBT001
    """Obstore: asynchronous, in parts where a file is large."""
    from obstore.store import S3Store  # noqa: PLC0415

    store = S3Store(BUCKET, prefix=PREFIX, client_options={"allow_http": True})
    asyncio.run(_obstore(store, push, files))


async def _obstore(store: Any, push: bool, files: list[Path]) -> None:  # noqa: FBT001
    import obstore as library  # noqa: PLC0415

    gate = asyncio.Semaphore(AT_ONCE)

    async def one(path: Path) -> None:
        async with gate:
            if push:
                await library.put_async(store, path.name, path)
            else:
                await _fetch(library, store, path)

    await asyncio.gather(*(one(path) for path in files))


async def _fetch(library: Any, store: Any, path: Path) -> None:
    answer = await library.get_async(store, path.name)
    with path.open("wb") as file:
        async for data in answer.stream(min_chunk_size=8 << 20):
            file.write(data)


CLIENTS = {"boto3": boto, "s3fs": s3fs, "obstore": obstore}


def main() -> None:
    """As the first line of this file says. For a pull, names come from `DIRECTORY.names`."""
    client, what, directory = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    names = Path(f"{directory}.names").read_text().split()
    CLIENTS[client](what == "push", [directory / name for name in names])
    os._exit(0)  # obstore's threads may abort an interpreter that takes its time to end


if __name__ == "__main__":
    main()
