"""``ops page`` for 1,000 machines with two jobs each and 100 sets a job: what the function takes for all of its
answers, and what the page takes to be written.

The function reads rows that are generated behind boto3's own client.
"""

from __future__ import annotations

import json
import time
import types
from collections.abc import Callable
from typing import Any

from bench.budgets import Budgets
from bench.generated.reports import GeneratedReports
from bench.report import NOW, report_context
from chalicelib import wire
from chalicelib.journeys.admin.administer import READS, administer
from ops.fleet_page.compose import fleet_page
from ops.fleet_page.facts import gather_facts
from ops.fleet_page.html import as_html

MACHINES = 1000
JOBS_A_MACHINE = ("system", "home")
VOLUMES = 1_000_000
INCREMENTS = 99
MOST_FUNCTION_CPU_SECONDS = 40
MOST_READS_A_JOB = 1.1
MOST_WRITING_CPU_SECONDS = 5
MOST_PAGE_BYTES = 1_000_000


def measure(say: Callable[[str], None]) -> list[str]:
    """Answers with the budgets that were missed."""
    budgets, jobs = Budgets(say), MACHINES * len(JOBS_A_MACHINE)
    service = _Service(GeneratedReports(MACHINES, JOBS_A_MACHINE, VOLUMES, INCREMENTS, NOW))
    client: Any = service
    facts = gather_facts(client, "home")
    began = time.process_time()
    page = as_html(fleet_page(facts)).encode()
    writing = time.process_time() - began
    say(f"page of {MACHINES:,} machines, {jobs * (INCREMENTS + 1):,} sets")
    budgets.check("the function's CPU", service.cpu_seconds, MOST_FUNCTION_CPU_SECONDS, " s")
    budgets.check("its requests to the table, a job", service.generated.requests / jobs, MOST_READS_A_JOB)
    budgets.check("writing the page: CPU", writing, MOST_WRITING_CPU_SECONDS, " s")
    budgets.check("the page", len(page), MOST_PAGE_BYTES, " bytes")
    return budgets.missed


class _Service:
    """In the place of ``AdminClient``: the function in this process. ``cpu_seconds`` is without making the rows."""

    def __init__(self, generated: GeneratedReports) -> None:
        self.generated = generated
        self.cpu_seconds = 0.0
        report = report_context(generated.client())
        settings = types.SimpleNamespace(read=lambda *_, **__: None)
        self._context: Any = types.SimpleNamespace(
            **vars(report),
            report=report,
            notices=report.notice_store,
            audit=types.SimpleNamespace(settings=settings, findings=report.findings),
        )

    def ask(self, shape: Any, command: str, **arguments: Any) -> Any:
        began, making = time.process_time(), self.generated.generating_seconds
        answer = json.dumps(administer(self._context, {"command": command, **arguments}, READS))
        self.cpu_seconds += time.process_time() - began - (self.generated.generating_seconds - making)
        return wire.from_json(shape, json.loads(answer)["result"])
