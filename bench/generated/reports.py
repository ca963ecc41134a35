"""A table as the weekly report finds it, behind a real DynamoDB client of boto3: answers are made as they are asked.

Each job has one full set, which holds nearly all of its volumes, and increments of one volume each.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import boto3
from boto3.dynamodb.types import TypeSerializer
from botocore.awsrequest import AWSRequest, AWSResponse

from chalicelib.adapters.stores import catalogue_rows, machine_rows
from chalicelib.adapters.stores.rows import format_instant, new_row
from chalicelib.adapters.table import Item
from chalicelib.domain.backups.machines import Job, LastRun, Machine
from chalicelib.domain.backups.names import Location, SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.tallies import Tally

PAGE_BYTES = 2**20
"""DynamoDB answers with at most a megabyte."""

VOLUME_BYTES = 25 * 2**20


class GeneratedReports:
    """``requests`` and ``answered_bytes`` count what is asked; making it is not the service's work, and is timed."""

    def __init__(
        self, machines: int, jobs: Sequence[str], volumes: int, increments: int, now: datetime
    ) -> None:
        self._machines = [f"office-{number:04d}" for number in range(machines)]
        self._jobs = jobs
        self._increments = increments
        self._now = now
        self._in_full = max(1, volumes // (machines * len(jobs)) - increments)
        self.volumes = machines * len(jobs) * (self._in_full + increments)
        self.requests = 0
        self.answered_bytes = 0
        self.generating_seconds = 0.0
        self._serializer = TypeSerializer()

    def client(self) -> Any:
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")
        client = session.resource("dynamodb", region_name="us-east-1").meta.client
        answer: Any = self._answer  # the stubs know of hooks that answer nothing
        client.meta.events.register("before-send.dynamodb.Query", answer)
        nothing: Any = self._answer_nothing
        client.meta.events.register("before-send.dynamodb.BatchGetItem", nothing)
        return client

    def _answer_nothing(self, request: AWSRequest, **_: Any) -> AWSResponse:
        """Of the rows that are asked for by their keys none is there."""
        [table] = json.loads(request.body)["RequestItems"]
        self.requests += 1
        return _response(request, json.dumps({"Responses": {table: []}}).encode())

    def _answer(self, request: AWSRequest, **_: Any) -> AWSResponse:
        began = time.process_time()
        asked = json.loads(request.body)
        values = asked["ExpressionAttributeValues"]
        items = self._rows(values[":pk"]["S"], values.get(":sk", {}).get("S", ""))
        encoded: list[dict[str, Any]] = []
        size, start = 0, int(asked.get("ExclusiveStartKey", {}).get("sk", {}).get("S", "0"))
        answer: dict[str, Any] = {}
        for number, item in enumerate(items[start:], start):
            one = {name: self._serializer.serialize(value) for name, value in item.items()}
            size += len(json.dumps(one))
            encoded.append(one)
            if size > PAGE_BYTES:
                answer["LastEvaluatedKey"] = {"pk": values[":pk"], "sk": {"S": str(number + 1)}}
                break
        body = json.dumps({**answer, "Items": encoded, "Count": len(encoded)}).encode()
        self.requests += 1
        self.answered_bytes += len(body)
        response = _response(request, body)
        self.generating_seconds += time.process_time() - began
        return response

    def _rows(self, partition: str, prefix: str) -> list[Item]:
        if partition == "MACHINES":
            long_ago = self._now - timedelta(days=200)
            return [
                machine_rows.machine_item(Machine(name, long_ago, token_sha256="0" * 64))
                for name in self._machines
            ]
        if partition == "SUMMARIES":
            return [
                new_row(partition, f"{machine}/{name}", **self._summary(number))
                for number, machine in enumerate(self._machines)
                for name in self._jobs
            ]
        if partition == "JOBS":
            return [
                machine_rows.job_item(self._job(machine, name))
                for machine in self._machines
                for name in self._jobs
            ]
        if partition.startswith("JOB#") and "SET#".startswith(prefix):
            machine, _, name = partition.removeprefix("JOB#").partition("/")
            job = self._job(machine, name)
            return [catalogue_rows.set_item(job, one, 1) for one in self._sets()]
        return []

    def _summary(self, number: int) -> dict[str, Any]:
        """Of every tenth machine the newest backup is nine days old."""
        age = timedelta(days=9) if number % 10 == 0 else timedelta(hours=4)
        newest = format_instant(self._now - age)
        stored = self._in_full * VOLUME_BYTES
        return {
            "newest_complete_at": newest,
            "chain_length": 10,
            "stored_bytes": stored,
            "volumes": self._in_full,
        }

    def _job(self, machine: str, name: str) -> Job:
        ended = self._now - timedelta(hours=4)
        run = LastRun("r", "incremental", ended - timedelta(minutes=9), ended, exit_code=0)
        return Job(machine, name, Location("bucket", f"{machine}/{name}/"), last_run=run)

    def _sets(self) -> list[BackupSet]:
        step = timedelta(days=3)
        begun = self._now - step * self._increments - timedelta(hours=5)
        full = self._set(SetId(None, begun), self._in_full)
        return [
            full,
            *(
                self._set(SetId(begun + step * number, begun + step * (number + 1)), 1)
                for number in range(self._increments)
            ),
        ]

    def _set(self, set_id: SetId, volumes: int) -> BackupSet:
        sealed = set_id.end + timedelta(hours=1)
        moved = self._now - sealed > timedelta(days=7)
        stored = Tally(volumes, volumes * VOLUME_BYTES)
        metadata = Tally(3, 400_000)
        current = {"GLACIER_IR": stored, "STANDARD": metadata} if moved else {"STANDARD": stored + metadata}
        numbers = frozenset(range(1, volumes + 1))
        return BackupSet(set_id, numbers, volumes, True, True, sealed, current, {}, sealed)


def _response(request: AWSRequest, body: bytes) -> AWSResponse:
    headers: Any = {"Content-Type": "application/x-amz-json-1.0"}
    return AWSResponse(str(request.url), 200, headers, _Raw(body))


class _Raw:
    """The body of an answer, as urllib3 would give it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Any:
        body, self._body = self._body, b""
        return iter([body])

    def read(self, *_: Any, **__: Any) -> bytes:
        body, self._body = self._body, b""
        return body
