"""The journal in the table: a partition a month. An entry is never changed; DynamoDB removes it after ``KEPT``."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable, Iterator
from datetime import datetime

from aws_lambda_powertools import Logger

from chalicelib.adapters.stores import rows
from chalicelib.adapters.table import Item, Table
from chalicelib.domain.fleet.journal import KEPT, JournalEntry, months_since

logger = Logger()

AT_ONCE = 100
"""As many as DynamoDB writes in one call."""


class JournalStore:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._numbers = itertools.count()

    def write(self, entries: Iterable[JournalEntry]) -> None:
        """Never raises: what the entries tell is done, and must not look as if it had failed. ``entries`` may be a
        generator; what that raises is logged as well."""
        try:
            items = [
                (_item(entry, next(self._numbers)), "attribute_not_exists(pk)", Item()) for entry in entries
            ]
            for first in range(0, len(items), AT_ONCE):
                self._table.put_all_or_none(items[first : first + AT_ONCE])
        except Exception:
            logger.exception("a journal entry could not be written")

    def since(self, since: datetime, now: datetime) -> Iterator[JournalEntry]:
        """Newest first."""
        first = rows.format_instant(max(since, now - KEPT))
        for month in months_since(max(since, now - KEPT), now):
            for item in self._table.query(f"JOURNAL#{month}", newest_first=True):
                if item["sk"] < str(first):
                    return
                yield _entry(item)


def _item(entry: JournalEntry, number: int) -> Item:
    """Several entries of one command have the same time, and stay in their order: ``number`` counts up in a process."""
    return rows.new_row(
        f"JOURNAL#{entry.at:%Y-%m}",
        f"{rows.format_instant(entry.at)}#{number:08d}#{secrets.token_hex(8)}",
        who=entry.who,
        what=entry.what,
        machine=entry.machine,
        job=entry.job,
        detail=entry.detail,
        expires_at_epoch=int((entry.at + KEPT).timestamp()),
    )


def _entry(item: Item) -> JournalEntry:
    at = rows.instant_of(item["sk"].partition("#")[0])
    return JournalEntry(at, item["who"], item["what"], item["machine"], item["job"], item["detail"])
