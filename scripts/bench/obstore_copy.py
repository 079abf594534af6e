"""Puts or gets a file or a directory through obstore (Python over Rust's object_store)."""

import asyncio
import os
import sys
from pathlib import Path

import obstore
from obstore.store import S3Store

PART = 8 << 20
PARTS_AT_ONCE = 16
FILES_AT_ONCE = 64


async def put_file(store, local, key):
    with open(local, "rb") as file:
        await obstore.put_async(store, key, file, use_multipart=True, chunk_size=PART, max_concurrency=PARTS_AT_ONCE)


async def get_file(store, local, key):
    """In ranges: obstore has no parallel get of its own."""
    size = (await obstore.head_async(store, key))["size"]
    file = os.open(local, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)

    async def get_range(start):
        data = await obstore.get_range_async(store, key, start=start, end=min(size, start + PART))
        await asyncio.to_thread(os.pwrite, file, data, start)

    await at_once(PARTS_AT_ONCE, [get_range(start) for start in range(0, size, PART)])
    os.close(file)


async def put_directory(store, local, key):
    async def put_one(path):
        await obstore.put_async(store, f"{key}/{path.name}", path, use_multipart=False)

    await at_once(FILES_AT_ONCE, [put_one(path) for path in Path(local).iterdir()])


async def get_directory(store, local, key):
    directory = Path(local)
    directory.mkdir()

    async def get_one(name):
        answer = await obstore.get_async(store, name)
        (directory / name.rsplit("/", 1)[1]).write_bytes(await answer.bytes_async())

    names = [meta["path"] for page in obstore.list(store, key + "/") for meta in page]
    await at_once(FILES_AT_ONCE, [get_one(name) for name in names])


async def at_once(limit, tasks):
    slots = asyncio.Semaphore(limit)

    async def within(task):
        async with slots:
            await task

    await asyncio.gather(*[within(task) for task in tasks])


def main(operation, local, bucket, key):
    url = os.environ["AWS_ENDPOINT_URL"]
    store = S3Store(
        bucket,
        endpoint=url,
        virtual_hosted_style_request=False,
        client_options={"allow_http": url.startswith("http:")},
    )
    operations = {"put": put_file, "get": get_file, "put-dir": put_directory, "get-dir": get_directory}
    asyncio.run(operations[operation](store, local, key))


if __name__ == "__main__":
    main(*sys.argv[1:])
    # Python's end, with threads of obstore's about, aborts the process now and then.
    os._exit(0)
