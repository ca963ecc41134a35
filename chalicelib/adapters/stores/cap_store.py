"""Counters for what a machine may store and download."""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.adapters.stores import rows
from chalicelib.adapters.table import Table, attempted
from chalicelib.domain.backups.machines import MAX_PERMITS_A_DAY, MAX_SETS_A_DAY, Machine

RECOUNT_EVERY = timedelta(minutes=10)

PERMIT_HOURS = 2
"""The hours, this one included, whose permits may still be used, with time for the event of what they stored. A URL
lives 15 minutes."""

_HOUR = "permits_"


class CapStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def count_upload(self, machine: Machine, size_bytes: int, now: datetime) -> bool:
        """False if that would exceed what the machine may store.

        Every permit counts, used or not, so the count errs towards refusing; ``recount`` corrects it.
        """
        key = (*_stored_key(machine), "permitted_bytes", size_bytes)
        return attempted(self._table.add, *key, at_most=machine.storage_cap_bytes, also=[_hour_field(now)])

    def may_recount(self, machine: Machine, now: datetime) -> bool:
        """True once in ``RECOUNT_EVERY``: a recount reads the rows of all sets."""
        return attempted(
            self._table.update,
            *_stored_key(machine),
            {"recounted_at": rows.format_instant(now)},
            condition="attribute_not_exists(recounted_at) OR recounted_at <= :before",
            values={":before": rows.format_instant(now - RECOUNT_EVERY)},
        )

    def recount(self, machine: Machine, stored_bytes: int, now: datetime) -> None:
        """Counts what is stored, and what was permitted so lately that it may still come: lapsed permits fall away."""
        item = self._table.get(*_stored_key(machine)) or {}
        live = {_hour_field(now - timedelta(hours=hours)) for hours in range(PERMIT_HOURS)}
        total = stored_bytes + sum(int(item.get(field, 0)) for field in live)
        lapsed = {field: None for field in item if field.startswith(_HOUR) and field not in live}
        attempted(  # a permit that came in between: the next recount has it
            self._table.update,
            *_stored_key(machine),
            {"permitted_bytes": total, **lapsed},
            condition="attribute_not_exists(permitted_bytes) OR permitted_bytes = :known",
            values={":known": item.get("permitted_bytes", 0)},
        )

    def set_stored_bytes(self, machine: Machine, size_bytes: int, now: datetime) -> None:
        """The owner's own count, of every version in the bucket; forgets all permits that were not used."""
        item = self._table.get(*_stored_key(machine)) or {}
        forgotten = {field: None for field in item if field.startswith(_HOUR)}
        changes = {"permitted_bytes": size_bytes, "recounted_at": rows.format_instant(now), **forgotten}
        self._table.update(*_stored_key(machine), changes)

    def count_permits(self, machine: Machine, number: int, now: datetime) -> bool:
        """False beyond ``MAX_PERMITS_A_DAY`` (UTC days)."""
        return self._count_today(machine, "permits", number, MAX_PERMITS_A_DAY, now)

    def count_set(self, machine: Machine, now: datetime) -> bool:
        """Counts a set that begins; false beyond ``MAX_SETS_A_DAY``."""
        return self._count_today(machine, "sets", 1, MAX_SETS_A_DAY, now)

    def _count_today(self, machine: Machine, field: str, number: int, at_most: int, now: datetime) -> bool:
        key = (f"UPLOADS#{machine.name}", f"{now:%Y-%m-%d}", field)
        return attempted(self._table.add, *key, number, at_most=at_most)

    def count_download(
        self, machine: Machine, size_bytes: int, now: datetime, *, more_bytes: int = 0
    ) -> bool:
        """False if that would exceed the machine's daily cap (UTC days), which ``more_bytes`` lift."""
        key = (f"DOWNLOADS#{machine.name}", f"{now:%Y-%m-%d}", "handed_out_bytes")
        return attempted(self._table.add, *key, size_bytes, at_most=machine.download_cap_bytes + more_bytes)

    def downloaded_this_month(self, machine: Machine, now: datetime) -> int:
        """Bytes that the machine was handed out since the month began (UTC)."""
        days = self._table.query(f"DOWNLOADS#{machine.name}", f"{now:%Y-%m}")
        return sum(int(day.get("handed_out_bytes", 0)) for day in days)


def _stored_key(machine: Machine) -> tuple[str, str]:
    return f"STORED#{machine.name}", "bytes"


def _hour_field(moment: datetime) -> str:
    return f"{_HOUR}{moment:%Y%m%d%H}"
