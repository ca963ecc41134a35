"""What an event costs: requests to DynamoDB and S3, items written, and CPU time beside the calls to AWS.

The service's own code runs in this process, its table on moto, its bucket generated. What the calls themselves
take says nothing of AWS and is left out.
"""

from __future__ import annotations

import gc
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import boto3
from moto import mock_aws
from rich.console import Console
from rich.table import Table

from bench.generated.bucket import BUCKET, PREFIX, STORED_AT, GeneratedBucket, Names

TABLE = "panicroom-bench"
BATCH_SIZE = 25
"""As app.py asks of the queue."""

NAMES = Names(sets=8, volumes_of_a_set=50)
ALONE = 100
"""How many events are handled one by one, which takes moto long."""

MOST_WRITES = 2
MOST_CPU_MS = 1

S3_OPERATIONS = ("list_object_versions", "head_object", "get_object_tagging")
READS = ("get_item", "batch_get_item", "query")
WRITES = ("put_item", "update_item", "delete_item", "transact_write_items")


@dataclass
class Meter:
    """Counts the calls that its clients make, and the CPU time inside them."""

    calls: Counter[str] = field(default_factory=Counter)
    items_written: int = 0
    cpu_seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def watch(self, client: Any, service: str, operations: Sequence[str]) -> Any:
        """The client, whose ``operations`` are counted as requests to ``service``."""
        for operation in operations:
            setattr(client, operation, self._counted(getattr(client, operation), f"{service} {operation}"))
        return client

    def _counted(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def counted(*values: Any, **arguments: Any) -> Any:
            began = time.thread_time()
            try:
                return call(*values, **arguments)
            finally:
                with self._lock:
                    self.cpu_seconds += time.thread_time() - began
                    self.calls[name] += 1
                    if name.partition(" ")[2] in WRITES:
                        self.items_written += len(arguments.get("TransactItems", [None]))

        return counted

    def requests(self, service: str) -> int:
        return sum(count for name, count in self.calls.items() if name.startswith(f"{service} "))


@dataclass(frozen=True)
class EventCost:
    """Of handling so many events; ``cpu_seconds`` beside the calls."""

    events: int
    meter: Meter
    cpu_seconds: float

    @property
    def writes(self) -> float:
        """Items written an event."""
        return self.meter.items_written / self.events

    @property
    def cpu_ms(self) -> float:
        """An event."""
        return self.cpu_seconds * 1000 / self.events


def run(console: Console) -> list[str]:
    """Shows what an event costs; answers with the budgets that were missed."""
    table = Table("an event", "items written", "to DynamoDB", "to S3", "CPU")
    missed: list[str] = []
    for kind, cost in measure_events().items():
        dynamodb, s3 = (cost.meter.requests(service) / cost.events for service in ("dynamodb", "s3"))
        table.add_row(kind, f"{cost.writes:.2f}", f"{dynamodb:.2f}", f"{s3:.2f}", f"{cost.cpu_ms:.2f} ms")
        if round(cost.writes, 1) > MOST_WRITES:  # a set that begins is one more, once
            missed.append(f"{kind}: {cost.writes:.2f} items written an event, at most {MOST_WRITES}")
        if cost.cpu_ms > MOST_CPU_MS:
            missed.append(f"{kind}: {cost.cpu_ms:.2f} ms of CPU an event, at most {MOST_CPU_MS}")
    console.print("What an event costs the catalogue: items, requests, and CPU beside them", table)
    return missed


def measure_events() -> dict[str, EventCost]:
    """By the way in which the events come."""
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    }  # fmt: skip
    keys = as_duplicity_stores()
    mixed = random.Random(1).sample(keys, len(keys))
    with mock_aws():
        return {
            "of a backup as it comes": handle(batches(keys)),
            "told once more": handle(batches(keys), after=batches(keys)),
            "of many sets mixed": handle(batches(mixed)),
            "in a batch of its own": handle([[key] for key in keys[:ALONE]]),
        }


def handle(told: Iterable[Sequence[str]], after: Iterable[Sequence[str]] = ()) -> EventCost:
    """Catalogues batches of keys in an empty table; those of ``after`` come first and are not counted."""
    from chalicelib import queue_batches

    meter = Meter()
    with empty_table():
        context = catalogue_context(meter)
        for batch in after:
            queue_batches.handle(message_batch(batch), context, lambda _: None)
        before = Meter(meter.calls.copy(), meter.items_written, meter.cpu_seconds)
        # An earlier event of a key has the same sequencer, so each of these is a duplicate of it.
        messages = [message_batch(batch) for batch in told]
        with no_collection():
            began = time.process_time()
            for message in messages:
                answer = queue_batches.handle(message, context, lambda _: None)
                assert answer == {"batchItemFailures": []}, answer
            spent = time.process_time() - began
    counted = Meter(meter.calls - before.calls, meter.items_written - before.items_written)
    events = sum(len(message["Records"]) for message in messages)
    return EventCost(events, counted, spent - (meter.cpu_seconds - before.cpu_seconds))


def catalogue_context(meter: Meter) -> Any:
    """The catalogue with one job, its clients watched."""
    from chalicelib.adapters.s3_buckets import Buckets
    from chalicelib.adapters.stores.cap_store import CapStore
    from chalicelib.adapters.stores.catalogue_store import CatalogueStore
    from chalicelib.adapters.stores.finding_store import FindingStore
    from chalicelib.adapters.stores.machine_store import MachineStore
    from chalicelib.adapters.stores.notice_store import NoticeStore
    from chalicelib.adapters.stores.run_store import RunStore
    from chalicelib.adapters.table import Table as CatalogueTable
    from chalicelib.domain.backups.machines import Job, Machine
    from chalicelib.domain.backups.names import Location
    from chalicelib.journeys.catalogue.catalogue_context import CatalogueContext

    table = CatalogueTable(
        meter.watch(boto3.resource("dynamodb").meta.client, "dynamodb", READS + WRITES), TABLE
    )
    machines = MachineStore(table)
    machines.create_machine(Machine("anna", STORED_AT))
    machines.create_job(Job("anna", "system", Location(BUCKET, PREFIX)))
    buckets = Buckets(meter.watch(GeneratedBucket(NAMES), "s3", S3_OPERATIONS))
    stores = machines, RunStore(table), NoticeStore(table), CapStore(table)
    catalogue = CatalogueStore(table), FindingStore(table)
    now = STORED_AT + timedelta(hours=1)
    return CatalogueContext(*stores, *catalogue, buckets, BUCKET, lambda job, names: (), now)


@contextmanager
def no_collection() -> Iterator[None]:
    """The garbage is moto's nearly all, and would be collected in the middle of the service's own code."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def empty_table() -> Iterator[None]:
    dynamodb = boto3.client("dynamodb")
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
    )
    yield
    dynamodb.delete_table(TableName=TABLE)


def as_duplicity_stores() -> list[str]:
    """All keys, set by set: its volumes, its signatures, its manifest."""
    keys: list[str] = []
    for number in range(NAMES.sets):
        time_of_set = NAMES.set_time(number)
        volumes = range(1, NAMES.volumes_of_a_set + 1)
        keys += [f"{PREFIX}data_duplicity-full.{time_of_set}.vol{volume}.difftar.gpg" for volume in volumes]
        keys.append(f"{PREFIX}meta_duplicity-full-signatures.{time_of_set}.sigtar.gpg")
        keys.append(f"{PREFIX}meta_duplicity-full.{time_of_set}.manifest.gpg")
    return keys


def batches(keys: Sequence[str]) -> list[Sequence[str]]:
    return [keys[start : start + BATCH_SIZE] for start in range(0, len(keys), BATCH_SIZE)]


def message_batch(keys: Sequence[str]) -> dict[str, Any]:
    """What Lambda hands to the function: one S3 event a message."""
    return {
        "Records": [
            {"messageId": f"m{number}", "receiptHandle": "r", "body": json.dumps({"Records": [record(key)]})}
            for number, key in enumerate(keys)
        ]
    }


def record(key: str) -> dict[str, Any]:
    described = {
        "key": key,
        "size": 1,
        "eTag": "9dd4e461268c8034f5c8564e155c67a6",
        "sequencer": "0055AED6DCD90281E5",
    }
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": BUCKET}, "object": described},
    }
