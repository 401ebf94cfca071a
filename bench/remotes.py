"""Small files to S3 and back, beside `boto3` with 32 threads on the same server (SeaweedFS) and files."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from measure import Row, paired

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "services"))

FILE_BYTES = 10_240


def remotes(scratch: Path, quick: bool) -> list[Row]:
    import s3_server

    from lockgate.data.remotes.opening import open_remote
    from lockgate.data.store import Store
    from lockgate.data.transfer import pull, push

    count, rounds = (200, 2) if quick else (10_000, 3)
    store = Store(scratch / "store")
    md5s = [store.put_bytes(os.urandom(FILE_BYTES)) for _ in range(count)]
    fresh = map(str, itertools.count())
    with s3_server.running() as server:
        client = _client(server.endpoint)
        options = server.options()
        keys: list[str] = []

        def floor_up() -> None:
            keys.append(f"floor-{next(fresh)}")
            _spread(lambda md5: client.upload_file(str(store.path(md5)), "data", f"{keys[-1]}/{md5}"), md5s)

        def ours_up() -> None:
            keys.append(f"ours-{next(fresh)}")
            push(store, open_remote(f"s3://data/{keys[-1]}", options, scratch), md5s)

        up = paired(f"{count:,} files of 10 kB to S3", "boto3, 32 threads", floor_up, ours_up, 1.2, rounds)
        theirs = next(key for key in keys if key.startswith("floor"))
        ours = next(key for key in keys if key.startswith("ours"))

        def floor_down() -> None:
            folder = scratch / f"floor-{next(fresh)}"
            folder.mkdir()
            _spread(lambda md5: client.download_file("data", f"{theirs}/{md5}", str(folder / md5)), md5s)

        def ours_down() -> None:
            brought = Store(scratch / f"ours-{next(fresh)}")
            pull(brought, open_remote(f"s3://data/{ours}", options, scratch), md5s)

        down = paired(
            f"{count:,} files of 10 kB from S3", "boto3, 32 threads", floor_down, ours_down, 1.2, rounds
        )
    return [up, down]


def _spread(call: Callable[[str], object], md5s: list[str]) -> None:
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(call, md5s))


def _client(endpoint: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="AKWRITER",
        aws_secret_access_key="SKWRITER",
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, max_pool_connections=32),
    )
