"""Writes to the journal what a machine or the service has done. Nothing here can fail what was done."""

from __future__ import annotations

from datetime import datetime

from chalicelib.adapters.stores.fleet.journal_store import JournalStore
from chalicelib.domain.fleet.journal import RECOVERY_CODE, SERVICE, JournalEntry, by_machine
from chalicelib.domain.recovery.recovery import Reader, Recovery


def write_enrolment(
    journal: JournalStore, machine: str, address: str, now: datetime, *, replaces: bool
) -> None:
    ended = " The one before ended." if replaces else ""
    detail = f"Its code was used{_from(address)}: it has a new token.{ended}"
    journal.write([JournalEntry(now, by_machine(machine), "enrolment", machine, "", detail)])


def write_recovery_use(journal: JournalStore, used: Recovery, reader: Reader) -> None:
    detail = (
        f"Its recovery code ending in {used.last_group} was used{_from(reader.address)}: whoever did it can"
        f" read its backups until {reader.until:%Y-%m-%d %H:%M} UTC."
    )
    journal.write([JournalEntry(reader.made_at, RECOVERY_CODE, "recovery", used.machine, "", detail)])


def write_let_go(journal: JournalStore, machine: str, job: str, chain: str, now: datetime) -> None:
    detail = f"{chain} is let go, by what its owner keeps: it is hidden."
    journal.write([JournalEntry(now, SERVICE, "let_go", machine, job, detail)])


def _from(address: str) -> str:
    return f" from {address}" if address else ""
