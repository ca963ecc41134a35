"""Thaws in the table: plans, thaws that were started, and what each machine has spent of its budget."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from chalicelib.adapters.stores import rows
from chalicelib.adapters.table import Item, Table
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.restore.thaws import Thaw, ThawMonth
from chalicelib.wire import ThawState, ThawTier

MICRO_USD = Decimal(1_000_000)
"""Sums are kept in millionths of a dollar: DynamoDB adds whole numbers without rounding."""


class ThawStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def thaws(self) -> list[Thaw]:
        """Of all machines, those of the last two months; by machine and job."""
        return [thaw_of(item) for item in self._table.query("THAWS")]

    def thaws_of(self, job: Job) -> list[Thaw]:
        prefix = f"{rows.job_sort_key(job.machine, job.name)}#"
        return [thaw_of(item) for item in self._table.query("THAWS", prefix)]

    def months(self, machines: Sequence[str], now: datetime) -> dict[str, ThawMonth]:
        """What each machine's thaws have come to this month (UTC)."""
        month = f"{now:%Y-%m}"
        found = self._table.get_many([(f"THAW_MONTHS#{machine}", month) for machine in machines])
        items = {machine: found.get((f"THAW_MONTHS#{machine}", month), {}) for machine in machines}
        return {
            machine: ThawMonth(_usd_of(item, "reserved_micro_usd"), _usd_of(item, "approved_micro_usd"))
            for machine, item in items.items()
        }


def _usd_of(item: Item, field: str) -> Decimal:
    return Decimal(item.get(field, 0)) / MICRO_USD


def thaw_item(thaw: Thaw) -> Item:
    return rows.new_row(
        "THAWS",
        f"{rows.job_sort_key(thaw.machine, thaw.job)}#{thaw.id}",
        state=thaw.state.value,
        tier=thaw.tier.value,
        started_at=rows.format_instant(thaw.started_at),
        volumes=thaw.volumes,
        size_bytes=thaw.size_bytes,
        days=thaw.days,
        ready_by=rows.format_instant(thaw.ready_by),
        usd=thaw.usd,
        transfer_usd=thaw.transfer_usd,
        done=thaw.done,
        readable_until=rows.format_instant(thaw.readable_until),
        approved_at=rows.format_instant(thaw.approved_at),
        last_download_at=rows.format_instant(thaw.last_download_at),
        downloaded_bytes=thaw.downloaded_bytes,
        message=thaw.message,
    )


def thaw_of(item: Item) -> Thaw:
    place, _, identifier = item["sk"].rpartition("#")
    machine, _, job = place.partition("/")
    return Thaw(
        machine=machine,
        job=job,
        id=identifier,
        state=ThawState(item["state"]),
        tier=ThawTier(item["tier"]),
        started_at=rows.instant_in(item, "started_at"),
        volumes=int(item["volumes"]),
        size_bytes=int(item["size_bytes"]),
        days=int(item["days"]),
        ready_by=rows.instant_in(item, "ready_by"),
        usd=item.get("usd"),
        transfer_usd=item.get("transfer_usd"),
        done=int(item.get("done", 0)),
        readable_until=rows.parse_instant(item.get("readable_until")),
        approved_at=rows.parse_instant(item.get("approved_at")),
        last_download_at=rows.parse_instant(item.get("last_download_at")),
        downloaded_bytes=int(item.get("downloaded_bytes", 0)),
        message=item.get("message", ""),
    )
