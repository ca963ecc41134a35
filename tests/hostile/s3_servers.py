"""S3 servers that check signatures, on the loopback address, for the length of a ``with``.

Two, written independently of each other and in different languages: where both refuse a request, the refusal is
the protocol's and not one implementation's.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ops.local.ministack import HOST, MiniStack, free_port
from tests.service.conftest import ENVIRONMENT

START_SECONDS = 30.0
_STORES = 100
"""Files in which SeaweedFS keeps everything; each bucket takes seven at a time, be they filled or not."""

ACCESS_KEY, SECRET_KEY = ENVIRONMENT["AWS_ACCESS_KEY_ID"], ENVIRONMENT["AWS_SECRET_ACCESS_KEY"]


@contextmanager
def ministack(folder: Path) -> Iterator[str]:
    """MiniStack with nothing deployed to it; its endpoint's URL. Left to itself it takes unsigned requests."""
    ministack = MiniStack(folder)
    port = free_port()
    ministack.start(port, enforce_iam=True)
    try:
        yield f"http://{HOST}:{port}"
    finally:
        ministack.stop()


@contextmanager
def seaweedfs(folder: Path, *more_access_keys: str, room_gb: float = 1.5) -> Iterator[str]:
    """SeaweedFS, all of it in one process; its S3 endpoint's URL. Other access keys have the same secret."""
    weed = shutil.which("weed", path=str(Path(sys.executable).parent))
    if weed is None:
        pytest.skip("SeaweedFS comes for Linux only")
    (folder / "data").mkdir()
    identities = folder / "identities.json"
    keys = [{"accessKey": one, "secretKey": SECRET_KEY} for one in (ACCESS_KEY, *more_access_keys)]
    identities.write_text(
        json.dumps({"identities": [{"name": "service", "credentials": keys, "actions": ["Admin"]}]})
    )
    ports = _free_ports(
        "master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc", "s3", "s3.grpc"
    )
    arguments = [
        "server", f"-dir={folder / 'data'}", f"-ip={HOST}", f"-ip.bind={HOST}",
        "-filer", "-s3", f"-s3.config={identities}",
        *(f"-{part.replace('.', '.port.')}={port}" for part, port in ports.items() if "." in part),
        *(f"-{part}.port={port}" for part, port in ports.items() if "." not in part),
        "-s3.port.iceberg=0", "-s3.port.lance=0",
        f"-volume.max={_STORES}", f"-master.volumeSizeLimitMB={room_gb * 1024 / _STORES:.0f}",
        "-master.telemetry=false",
    ]  # fmt: skip
    with (folder / "seaweedfs.log").open("w") as log:
        process = subprocess.Popen(
            [weed, *arguments],
            cwd=folder,
            env={"HOME": str(folder), "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    endpoint = f"http://{HOST}:{ports['s3']}"
    try:
        _wait_until_it_stores(process, endpoint, folder / "seaweedfs.log")
        yield endpoint
    finally:
        process.kill()  # asked politely it takes five seconds to put data away that nobody wants
        process.wait()


SERVERS = {"ministack": ministack, "seaweedfs": seaweedfs}


def _wait_until_it_stores(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    """It listens some time before its parts know of each other."""
    deadline = time.monotonic() + START_SECONDS
    once = Config(retries={"total_max_attempts": 1}, read_timeout=START_SECONDS)
    s3 = boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=endpoint,
        config=once,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )
    trouble: Exception | None = None
    while time.monotonic() < deadline and process.poll() is None:
        try:
            s3.put_object(Bucket="ready", Key="ready", Body=b"ready")
        except s3.exceptions.NoSuchBucket:
            s3.create_bucket(Bucket="ready")
        except (BotoCoreError, ClientError) as error:
            trouble = error
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"SeaweedFS did not start: {trouble}\n{log.read_text()[-2000:]}")


def _free_ports(*parts: str) -> dict[str, int]:
    """Held until all are chosen, so that they differ."""
    with ExitStack() as held:
        ports = {}
        for part in parts:
            probe = held.enter_context(socket.socket())
            probe.bind((HOST, 0))
            ports[part] = probe.getsockname()[1]
        return ports
