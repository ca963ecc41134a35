"""How reconciling grows with the bucket: memory and CPU time from 10,000 to 1,000,000 objects.

Each size is measured in a process of its own, since a process does not give memory back. Bucket and table are
generated while they are read, so the memory is the service's own. boto3's own work on the answers is missing.

    python -m bench.growth 1000000 filled|empty        one size, as JSON
"""

from __future__ import annotations

import dataclasses
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

VOLUMES_OF_A_SET = 998
SIZES = (10_000, 100_000, 1_000_000)
KEYS_A_CALL = 20_000
"""What a call of the function examines before its time is up; the next one goes on in the same process."""

MOST_MEMORY_MB = 256
MOST_GROWTH = 1.5
"""Of the time a key, from the smallest bucket to the largest."""

TABLES = {"filled": "a job that is known already", "empty": "a bucket that nothing is known of"}


@dataclasses.dataclass(frozen=True)
class Grown:
    """``requests`` are by service and kind; ``memory_mb`` is the most that the process ever had."""

    objects: int
    differences: int
    cpu_seconds: float
    memory_mb: float
    requests: dict[str, int]

    @property
    def cpu_us_a_key(self) -> float:
        return self.cpu_seconds * 1e6 / self.objects


def _time_for(blocks: int) -> Callable[[], bool]:
    """What a call asks after each block of keys: whether there is time for the next one."""
    left = iter(range(blocks))
    return lambda: next(left, None) is not None


def run(console: Console) -> list[str]:
    """Shows the growth; answers with the budgets that were missed."""
    missed: list[str] = []
    for state, about in TABLES.items():
        table = Table("objects", "most memory", "CPU", "CPU a key", "to DynamoDB", "to S3")
        measured = [_in_a_process(size, state) for size in SIZES]
        for one in measured:
            s3 = sum(count for name, count in one.requests.items() if name.startswith("s3 "))
            dynamodb = sum(one.requests.values()) - s3
            cells = [f"{one.memory_mb:.0f} MB", f"{one.cpu_seconds:.1f} s", f"{one.cpu_us_a_key:.0f} µs"]
            table.add_row(f"{one.objects:,}", *cells, f"{dynamodb:,}", f"{s3:,}")
        console.print(f"Reconciling {about}", table)
        growth = measured[-1].cpu_us_a_key / measured[0].cpu_us_a_key
        if growth > MOST_GROWTH:
            missed.append(f"{about}: {growth:.1f} times the CPU a key in the largest, at most {MOST_GROWTH}")
        if measured[-1].memory_mb > MOST_MEMORY_MB:
            missed.append(f"{about}: {measured[-1].memory_mb:.0f} MB of memory, at most {MOST_MEMORY_MB}")
    return missed


def _in_a_process(objects: int, state: str) -> Grown:
    command = [sys.executable, "-m", "bench.growth", str(objects), state]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Grown(**json.loads(answer))


def measure(objects: int, state: str) -> Grown:
    """Reconciles a job of about so many objects, call after call."""
    import app  # noqa: F401  what a worker has loaded counts towards its memory
    from bench.generated.bucket import BUCKET, STORED_AT, GeneratedBucket, Names
    from bench.generated.table import JOB, GeneratedTable
    from chalicelib.adapters.s3_buckets import Buckets
    from chalicelib.adapters.stores.cap_store import CapStore
    from chalicelib.adapters.stores.catalogue_store import CatalogueStore
    from chalicelib.adapters.stores.finding_store import FindingStore
    from chalicelib.adapters.stores.machine_store import MachineStore
    from chalicelib.adapters.stores.notice_store import NoticeStore
    from chalicelib.adapters.stores.run_store import RunStore
    from chalicelib.adapters.table import Table as CatalogueTable
    from chalicelib.journeys.catalogue.catalogue_context import CatalogueContext
    from chalicelib.journeys.catalogue.reconcile_job import reconcile_job

    names = Names(objects // (VOLUMES_OF_A_SET + 2), VOLUMES_OF_A_SET)
    s3, dynamodb = GeneratedBucket(names), GeneratedTable(names, filled=state == "filled")
    table: Any = CatalogueTable(dynamodb, "panicroom-bench")
    stores = MachineStore(table), RunStore(table), NoticeStore(table), CapStore(table)
    catalogue = CatalogueStore(table), FindingStore(table)
    now = STORED_AT + timedelta(days=1)
    context = CatalogueContext(*stores, *catalogue, Buckets(s3), BUCKET, lambda job, names: (), now)
    began = time.process_time()
    after: str | None = ""
    examined = differences = 0
    while after is not None:
        done = reconcile_job(context, JOB, after, _time_for(KEYS_A_CALL // 1000 - 1))
        after = done.next
        examined += done.examined
        differences += len(done.differences)
    spent = time.process_time() - began
    assert examined == len(names), examined
    requests = {f"dynamodb {name}": count for name, count in dynamodb.calls.items()}
    requests |= {f"s3 {name}": count for name, count in s3.calls.items()}
    return Grown(examined, differences, spent, most_memory_mb(), requests)


def most_memory_mb() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would give what the process that started this one had, where that is more.
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes, on a Mac


if __name__ == "__main__":
    print(json.dumps(dataclasses.asdict(measure(int(sys.argv[1]), sys.argv[2]))))
