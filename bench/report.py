"""The weekly report at 1,000 machines, 3,000 jobs and a million volumes: CPU time, memory, and what it reads.

The rows are generated behind boto3's own client, as DynamoDB's answers in JSON, so that reading them counts. Beside it,
what ``duplicity collection-status`` takes for one job (a chain of seven sets in a local folder, unencrypted, its cache
warm: the least that it can take), times the jobs.

    python -m bench.report 1000 1000000        one size, as JSON
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from bench.growth import most_memory_mb

if TYPE_CHECKING:
    from chalicelib.journeys.send_weekly_report import ReportContext

MACHINES = 1000
JOBS_A_MACHINE = ("system", "home", "mail")
VOLUMES = 1_000_000
MOST_CPU_SECONDS = 10
MOST_MEMORY_MB = 256
MOST_GROWTH = 1.3
"""Of the bytes that are read, when there are ten times the volumes in as many jobs."""

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=timezone.utc)
INCREMENTS = 9


@dataclasses.dataclass(frozen=True)
class Measured:
    """``read_mb`` is what DynamoDB answered with."""

    jobs: int
    volumes: int
    cpu_seconds: float
    memory_mb: float
    requests: int
    read_mb: float
    html_kb: float


def run(console: Console) -> list[str]:
    """Shows the sizes and the ratio; answers with the budgets that were missed."""
    table = Table("jobs", "volumes", "CPU", "most memory", "requests", "read", "HTML")
    sizes = [(MACHINES // 10, VOLUMES // 10), (MACHINES, VOLUMES // 10), (MACHINES, VOLUMES)]
    measured = [_in_a_process(*size) for size in sizes]
    for one in measured:
        cells = [f"{one.jobs:,}", f"{one.volumes:,}", f"{one.cpu_seconds:.1f} s", f"{one.memory_mb:.0f} MB"]
        table.add_row(*cells, f"{one.requests:,}", f"{one.read_mb:.1f} MB", f"{one.html_kb:.0f} KB")
    console.print(table)
    whole = measured[-1]
    status = collection_status_seconds()
    by_duplicity = status * whole.jobs
    console.print(
        f"duplicity collection-status: {status:.2f} s of CPU for one job, {by_duplicity:,.0f} s for {whole.jobs:,};"
        f" the report takes {by_duplicity / whole.cpu_seconds:,.0f} times less."
    )
    missed = []
    if whole.cpu_seconds > MOST_CPU_SECONDS:
        missed.append(f"the report takes {whole.cpu_seconds:.1f} s of CPU, at most {MOST_CPU_SECONDS}")
    if whole.memory_mb > MOST_MEMORY_MB:
        missed.append(f"the report takes {whole.memory_mb:.0f} MB of memory, at most {MOST_MEMORY_MB}")
    growth = whole.read_mb / measured[1].read_mb
    if growth > MOST_GROWTH or whole.requests != measured[1].requests:
        missed.append(f"ten times the volumes make the report read {growth:.1f} times as much")
    return missed


def _in_a_process(machines: int, volumes: int) -> Measured:
    command = [sys.executable, "-m", "bench.report", str(machines), str(volumes)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Measured(**json.loads(answer))


def measure(machines: int, volumes: int) -> Measured:
    """Reads, judges, prices, composes and renders the report once."""
    from bench.generated.reports import GeneratedReports
    from chalicelib.journeys.send_weekly_report import preview

    generated = GeneratedReports(machines, JOBS_A_MACHINE, volumes, INCREMENTS, NOW)
    context = report_context(generated.client())
    generated.generating_seconds = 0.0
    began = time.process_time()
    mail = preview(context)
    spent = time.process_time() - began - generated.generating_seconds
    return Measured(
        jobs=machines * len(JOBS_A_MACHINE),
        volumes=generated.volumes,
        cpu_seconds=spent,
        memory_mb=most_memory_mb(),
        requests=generated.requests,
        read_mb=generated.answered_bytes / 2**20,
        html_kb=len(mail.html.encode()) / 2**10,
    )


def report_context(client: Any) -> ReportContext:
    from chalicelib.adapters.price_files import price_table
    from chalicelib.adapters.stores.catalogue_store import CatalogueStore
    from chalicelib.adapters.stores.finding_store import FindingStore
    from chalicelib.adapters.stores.machine_store import MachineStore
    from chalicelib.adapters.stores.notice_store import NoticeStore
    from chalicelib.adapters.stores.recovery.recovery_store import RecoveryStore
    from chalicelib.adapters.stores.report_store import ReportStore
    from chalicelib.adapters.stores.retention.retention_store import RetentionStore
    from chalicelib.adapters.stores.run_store import RunStore
    from chalicelib.adapters.stores.thaw_store import ThawStore
    from chalicelib.adapters.table import Table as RowTable
    from chalicelib.domain.weekly import Weekday, WeeklyTime
    from chalicelib.journeys.send_weekly_report import ReportContext

    table = RowTable(client, "panicroom-bench")
    no_mailer: Any = None
    return ReportContext(
        MachineStore(table),
        NoticeStore(table),
        RunStore(table),
        CatalogueStore(table),
        FindingStore(table),
        ThawStore(table),
        RetentionStore(table),
        RecoveryStore(table),
        ReportStore(table),
        no_mailer,
        WeeklyTime(Weekday.MONDAY, 7, ZoneInfo("Europe/Berlin")),
        ["owner@example.org"],
        NOW,
        prices=price_table("us-east-1"),
    )


def collection_status_seconds() -> float:
    """CPU time of ``duplicity collection-status`` for one job, with its cache warm."""
    from ops.environments import LAPTOP, ROOT

    programs = Path(ROOT) / LAPTOP / "bin"
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        source = folder / "source"
        source.mkdir()
        environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": folder_name, "LANG": "C.UTF-8"}

        def duplicity(*arguments: str) -> float:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(
                [
                    str(programs / "duplicity"),
                    *arguments,
                    "--archive-dir",
                    str(folder / "cache"),
                    "--name",
                    "job",
                ],
                env=environment,
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

        target = f"file://{folder / 'target'}"
        for number in range(7):
            (source / f"file-{number}").write_bytes(os.urandom(2**20))
            duplicity("full" if not number else "incremental", "--no-encryption", str(source), target)
            time.sleep(1.1)  # its sets are named by the second
        return min(duplicity("collection-status", target) for _ in range(3))


if __name__ == "__main__":
    print(json.dumps(dataclasses.asdict(measure(int(sys.argv[1]), int(sys.argv[2])))))
