"""Notices in the table: one a day for each kind and job, and for each of a job's thaws; kept as long as the journal."""

from __future__ import annotations

from datetime import datetime

from chalicelib.adapters.stores import rows
from chalicelib.adapters.table import Item, Table, attempted
from chalicelib.domain.audit.notices import Notice
from chalicelib.domain.fleet.journal import KEPT


class NoticeStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, notice: Notice) -> None:
        """Once a day for each kind and job: a flood of requests must not fill the owner's mail."""
        attempted(self._table.put, notice_item(notice), "attribute_not_exists(pk)")

    def since(self, since: datetime) -> list[Notice]:
        """Newest first."""
        notices: list[Notice] = []
        for item in self._table.query("NOTICES", newest_first=True):
            if item["sk"] < f"{since:%Y-%m-%d}":
                break
            at = rows.instant_of(item["noticed_at"])
            about = item["code"], item["machine"], item["job"], item["message"]
            notices.append(Notice(*about, at, item.get("subject", "")))
        return [notice for notice in notices if notice.at >= since]


def notice_item(notice: Notice) -> Item:
    return {
        "pk": "NOTICES",
        "sk": notice.key,
        "schema": rows.SCHEMA_VERSION,
        "code": notice.code,
        "machine": notice.machine,
        "job": notice.job,
        "message": notice.message,
        "noticed_at": rows.format_instant(notice.at),
        "subject": notice.subject,
        "expires_at_epoch": int((notice.at + KEPT).timestamp()),
    }
