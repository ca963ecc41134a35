"""Forty-five years of pictures in which nothing has changed: seconds of ``panicroom backup``, and what it stores."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import boto3

from bench.budgets import Budgets
from bench.programs import Client, UploadTarget
from bench.upload import places
from chalicelib.owner_wire import MachineAdded
from ops.aws import Aws
from ops.service.admin_client import local_admin_client
from ops.service.lambda_function import LambdaFunction
from ops.service.reconcile import jobs_to_reconcile, reconcile
from ops.steps import silent_steps

YEARS = range(1982, 2027)
FILES_A_YEAR = 220
ROUNDS = 5
MOST_SECONDS = 2.0


class PhotoClient(Client):
    """A machine with a family, and no other job; ``source`` has the pictures."""

    def set_up(self) -> None:
        client = local_admin_client(self.place.stack)
        code = client.ask(MachineAdded, "machine_add", name=self.name, photos=True).code
        source = f"photos={self.source}"
        self.panicroom("enrol", self.place.stack.api_url, code, "--source", source, "--yes")


def main(say: Callable[[str], None]) -> list[str]:
    """Says seconds and objects; the budgets that were missed."""
    budgets = Budgets(say)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        pictures = _make_pictures(folder / "Pictures")
        with places(folder) as found:
            place = found["near"]
            client = PhotoClient(place, pictures)
            first = client.panicroom("backup")
            _have_events_come(client)
            budgets.say(f"{len(YEARS)} years, {len(YEARS) * FILES_A_YEAR:,} files, in full: {first}")
            before = _objects(place)
            seconds = min(client.panicroom("backup").seconds for _ in range(ROUNDS))
            budgets.check(f"nothing changed in {len(YEARS)} years", seconds, MOST_SECONDS, " s")
            budgets.check("objects stored by these backups", float(_objects(place) - before), 0.0, "")
    return budgets.missed


def _have_events_come(client: PhotoClient) -> None:
    """The service learns of what was stored from the bucket, as the server here sends it no events."""
    stack = client.place.stack
    jobs = jobs_to_reconcile(local_admin_client(stack), client.name, None)
    reconcile(
        LambdaFunction(Aws(stack.region, stack.endpoint), stack.functions["reconcile"]), jobs, silent_steps()
    )


def _make_pictures(top: Path) -> Path:
    """Small ones: a look reads none of them."""
    chance = random.Random(1)
    for year in YEARS:
        for number in range(FILES_A_YEAR):
            path = top / str(year) / f"{number // 40:02}" / f"{number:04}.raw"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(chance.randbytes(2000))
            os.utime(path, (1_600_000_000, 1_600_000_000))
    return top


def _objects(place: UploadTarget) -> int:
    s3 = boto3.client(
        "s3",
        endpoint_url=place.endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=place.stack.bucket)
    return sum(page["KeyCount"] for page in pages)
