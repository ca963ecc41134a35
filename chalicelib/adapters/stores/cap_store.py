"""Counters for what a machine may store and download."""

from __future__ import annotations

from datetime import datetime

from chalicelib.adapters.table import Table, attempted
from chalicelib.domain.backups.machines import MAX_PERMITS_A_DAY, MAX_SETS_A_DAY, Machine


class CapStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def count_upload(self, machine: Machine, size_bytes: int) -> bool:
        """False if that would exceed what the machine may store.

        Every permission counts, used or not, and nothing is ever taken off, so the count errs towards refusing;
        ``set_stored_bytes`` corrects it from the bucket.
        """
        key = (f"STORED#{machine.name}", "bytes", "permitted_bytes")
        return attempted(self._table.add, *key, size_bytes, at_most=machine.storage_cap_bytes)

    def set_stored_bytes(self, machine: Machine, size_bytes: int) -> None:
        self._table.update(f"STORED#{machine.name}", "bytes", {"permitted_bytes": size_bytes})

    def count_permits(self, machine: Machine, number: int, now: datetime) -> bool:
        """False beyond ``MAX_PERMITS_A_DAY`` (UTC days)."""
        return self._count_today(machine, "permits", number, MAX_PERMITS_A_DAY, now)

    def count_set(self, machine: Machine, now: datetime) -> bool:
        """Counts a set that begins; false beyond ``MAX_SETS_A_DAY``."""
        return self._count_today(machine, "sets", 1, MAX_SETS_A_DAY, now)

    def _count_today(self, machine: Machine, field: str, number: int, at_most: int, now: datetime) -> bool:
        key = (f"UPLOADS#{machine.name}", f"{now:%Y-%m-%d}", field)
        return attempted(self._table.add, *key, number, at_most=at_most)

    def count_download(self, machine: Machine, size_bytes: int, now: datetime) -> bool:
        """False if that would exceed the machine's daily cap (UTC days)."""
        key = (f"DOWNLOADS#{machine.name}", f"{now:%Y-%m-%d}", "handed_out_bytes")
        return attempted(self._table.add, *key, size_bytes, at_most=machine.download_cap_bytes)
