"""What the page is made from: answers of commands that change nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime, tzinfo

from chalicelib.domain.audit.findings import Finding
from chalicelib.fleet_wire import FleetStatus, FleetWeeks
from chalicelib.owner_wire import FindingsAnswer, JobRetention, RetentionListing, ThawListing, moment_of
from ops.commands.retention.words import zone_of
from ops.service.admin_client import AdminClient


@dataclasses.dataclass(frozen=True)
class FleetFacts:
    """``stage`` is named in the commands; days are those of ``zone``."""

    stage: str
    status: FleetStatus
    weeks: FleetWeeks
    retention: tuple[JobRetention, ...]
    zone_name: str
    thaws: ThawListing
    findings: tuple[Finding, ...]
    findings_left_off: int = 0
    """Besides, how many more there are."""

    @property
    def now(self) -> datetime:
        return moment_of(self.status.written_at)

    @property
    def zone(self) -> tzinfo:
        return zone_of(self.zone_name)


def gather_facts(client: AdminClient, stage: str) -> FleetFacts:
    status = client.ask(FleetStatus, "status")
    pages = list(_retention_pages(client))
    wrong = client.ask(FindingsAnswer, "findings")
    return FleetFacts(
        stage,
        status,
        client.ask(FleetWeeks, "report_weeks"),
        tuple(job for page in pages for job in page.jobs),
        pages[-1].zone,
        client.ask(ThawListing, "thaws"),
        wrong.findings,
        wrong.left_off,
    )


def _retention_pages(client: AdminClient) -> Iterator[RetentionListing]:
    after: str | None = ""
    while after is not None:
        page = client.ask(RetentionListing, "retention_preview", after=after)
        yield page
        after = page.next
