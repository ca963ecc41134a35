"""How fast a full backup goes up: the client against duplicity's stock S3 backend (and restic, where there is one).

All of them write to the same S3 server (SeaweedFS) on this machine, one after the other in one run; only ratios mean
anything. The service runs in MiniStack and signs URLs that point to that server, so its API calls are part of the
client's time. ``near``: the server as it is. ``far``: behind a proxy with 30 ms each way and 5 MB/s a connection.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3

from bench.slow_line import slow_line
from ops.admin_client import local_admin_client
from ops.environments import LAPTOP, ROOT
from ops.laptop import gpg_folder
from ops.local_stack import local_stack
from ops.stack_file import StackDescription
from tests.hostile.s3_servers import seaweedfs

PROGRAMS = Path(ROOT) / LAPTOP / "bin"
MB = 2**20
PASSPHRASE = "a passphrase for measuring"
SIGNER = "000000000000"
"""The access key that MiniStack gives its Lambda functions."""

DELAY_SECONDS = 0.030
BYTES_A_SECOND = 5 * MB

BUDGETS = {("near", "incompressible"): 0.55, ("near", "text"): 1.0, ("far", "incompressible"): 0.25}
"""The client's time as a part of the stock backend's."""


@dataclass(frozen=True)
class Place:
    """Where the measured programs write to, and what they share."""

    endpoint: str
    stack: StackDescription
    folder: Path
    gpg: Path

    def environment(self, home: Path) -> dict[str, str]:
        return {
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "HOME": str(home),
            "GNUPGHOME": str(self.gpg),
            "LANG": "C.UTF-8",
            "PASSPHRASE": PASSPHRASE,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "RESTIC_PASSWORD": PASSPHRASE,
            "PANICROOM_KEYRING": "file",
            "PANICROOM_CONFIG_DIR": str(home / "config"),
            "PANICROOM_STATE_DIR": str(home / "state"),
            "PANICROOM_CACHE_DIR": str(home / "cache"),
        }


def make_source(folder: Path, kind: str, size_mb: int) -> Path:
    """Files of 10 MB: random bytes, or text as gpg compresses well."""
    chance = random.Random(1)
    words = [chance.randbytes(4).hex().encode() for _ in range(2000)]
    source = folder / kind
    source.mkdir()
    for number in range(size_mb // 10):
        content = (
            chance.randbytes(10 * MB)
            if kind == "incompressible"
            else b" ".join(chance.choices(words, k=10 * MB // 9))
        )
        (source / f"file-{number:03}").write_bytes(content)
    return source


def time_client(place: Place, source: Path) -> float:
    name = f"bench-{time.time_ns()}"
    home = place.folder / name
    home.mkdir()
    code = local_admin_client(place.stack).call("machine_add", name=name)["code"]
    run = [str(PROGRAMS / "panicroom")]
    _run(
        [*run, "enrol", place.stack.api_url, code, "--source", str(source), "--yes"], place.environment(home)
    )
    return _time([*run, "backup", "full"], place.environment(home))


def time_stock(place: Place, source: Path) -> float:
    home = place.folder / f"stock-{time.time_ns()}"
    home.mkdir()
    command = [
        str(PROGRAMS / "duplicity"), "full", "--volsize", "25", "--archive-dir", str(home / "cache"),
        "--file-prefix-archive=data_", "--file-prefix-manifest=meta_", "--file-prefix-signature=meta_",
        "--s3-endpoint-url", place.endpoint, "--s3-region-name", "us-east-1",
        str(source), f"boto3+s3://measured/{home.name}",
    ]  # fmt: skip
    return _time(command, place.environment(home))


def time_restic(place: Place, source: Path) -> float | None:
    restic = shutil.which("restic")
    if restic is None:
        return None
    home = place.folder / f"restic-{time.time_ns()}"
    home.mkdir()
    repository = ["-r", f"s3:{place.endpoint}/measured/{home.name}", "--cache-dir", str(home / "cache")]
    _run([restic, *repository, "init"], place.environment(home))
    return _time([restic, *repository, "backup", str(source)], place.environment(home))


@contextmanager
def places(folder: Path) -> Iterator[dict[str, Place]]:
    """The two lines to one server, each with a service whose URLs go through it."""
    with ExitStack() as stack:
        gpg = stack.enter_context(gpg_folder())
        server = stack.enter_context(seaweedfs(folder, SIGNER, room_gb=20))
        far = stack.enter_context(slow_line(server, DELAY_SECONDS, BYTES_A_SECOND))
        s3 = boto3.client(
            "s3",
            endpoint_url=server,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        s3.create_bucket(Bucket="measured")
        found = {}
        for name, endpoint in (("near", server), ("far", far)):
            description = stack.enter_context(
                local_stack(folder / name, environment={"AWS_ENDPOINT_URL_S3": endpoint})
            )
            if not found:
                s3.create_bucket(Bucket=description.bucket)
                s3.put_bucket_versioning(
                    Bucket=description.bucket, VersioningConfiguration={"Status": "Enabled"}
                )
            found[name] = Place(endpoint, description, folder, gpg)
        yield found


def main(size_mb: int = 300) -> bool:
    """Prints seconds and ratios; whether every budget was kept."""
    well = True
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        sources = {kind: make_source(folder, kind, size_mb) for kind in ("incompressible", "text")}
        with places(folder) as found:
            for (line, kind), budget in BUDGETS.items():
                place, source = found[line], sources[kind]
                stock = time_stock(place, source)
                ours = time_client(place, source)
                kept = ours <= budget * stock
                well = well and kept
                print(
                    f"{line} {kind} {size_mb} MB: stock {stock:.1f} s, client {ours:.1f} s, "
                    f"ratio {ours / stock:.2f} (at most {budget}) {'ok' if kept else 'MISSED'}",
                    flush=True,
                )
                restic = time_restic(place, source) if kind == "incompressible" else None
                if restic is not None:
                    print(
                        f"{line} {kind}: restic {restic:.1f} s, client {ours / restic:.2f} of it", flush=True
                    )
    return well


def _time(command: list[str], environment: dict[str, str]) -> float:
    began = time.perf_counter()
    _run(command, environment)
    return time.perf_counter() - began


def _run(command: list[str], environment: dict[str, str]) -> None:
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise RuntimeError(
            f"{command[0]} ended with {ended.returncode}: {ended.stdout[-500:]}{ended.stderr[-500:]}"
        )


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
