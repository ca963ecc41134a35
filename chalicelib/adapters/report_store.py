"""Which weekly mails were sent. An issue is claimed before it is sent, and marked when SES has taken it."""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.adapters import rows
from chalicelib.adapters.table import ConditionFailed, Table

CLAIM_LIFE = timedelta(minutes=5)
"""Longer than the report's function may run: a claim that lapsed belongs to a call that died before its mail was
taken, or between SES's answer and its own mark."""


class ReportStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def claim(self, issue: datetime, now: datetime) -> bool:
        """False if the issue was sent, or is being sent by another call."""
        try:
            self._table.update(
                "REPORTS",
                str(rows.format_instant(issue)),
                {"claimed_until": rows.format_instant(now + CLAIM_LIFE)},
                condition="attribute_not_exists(sent_at)"
                " AND (attribute_not_exists(claimed_until) OR claimed_until <= :now)",
                values={":now": rows.format_instant(now)},
            )
        except ConditionFailed:
            return False
        return True

    def release(self, issue: datetime) -> None:
        """SES refused: the next hour may try again."""
        self._table.update("REPORTS", str(rows.format_instant(issue)), {"claimed_until": None})

    def mark_sent(self, issue: datetime, message_id: str, now: datetime) -> None:
        changes = {"sent_at": rows.format_instant(now), "message_id": message_id}
        self._table.update("REPORTS", str(rows.format_instant(issue)), changes)

    def last_sent_at(self) -> datetime | None:
        for item in self._table.query("REPORTS", newest_first=True):
            if "sent_at" in item:
                return rows.parse_instant(item["sent_at"])
        return None
