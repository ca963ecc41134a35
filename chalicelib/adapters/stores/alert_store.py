"""What went out in between the weekly mails: a row for mail and one for the topic, claimed before a message is sent and
written when SES, or SNS, took it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from chalicelib.adapters.stores import rows
from chalicelib.adapters.table import Item, Table, attempted
from chalicelib.domain.backups.freshness import State
from chalicelib.domain.mail.alert_items import Trouble
from chalicelib.domain.mail.alert_record import AlertRecord
from chalicelib.domain.retries import CLOCKS_DIFFER, RESTS_OF_ALERTS, is_resting, rest_of_alerts

CLAIM_LIFE = timedelta(minutes=5)
"""Longer than the function may run: a claim that lapsed belongs to a call that died before its message was taken, or
between SES's or SNS' answer and its own record."""

MAILED, PUBLISHED = "record", "published"
"""The two ways by which alerts go out, as their rows are called. Neither waits for the other."""
_PARTITION = "ALERTS"
_UNTOUCHED = "(attribute_not_exists(pk) OR revision = :known)"


@dataclasses.dataclass(frozen=True)
class KnownRecord:
    """The record of one way as it was read; ``revision`` guards every write that follows from it.

    ``tries`` are those since the last message that was taken, and none is to be made before ``rests_until``.
    """

    way: str
    record: AlertRecord
    revision: int
    claimed_until: datetime | None = None
    rests_until: datetime | None = None
    tries: int = 0

    def is_claimed(self, now: datetime) -> bool:
        """Another call sends just now."""
        return is_resting(self.claimed_until, now, CLAIM_LIFE)

    def rests(self, now: datetime) -> bool:
        """What was refused a while ago is not tried yet."""
        return is_resting(self.rests_until, now, RESTS_OF_ALERTS[-1])


class AlertStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self) -> tuple[KnownRecord, KnownRecord]:
        """What was mailed, and what was published."""
        items = {item["sk"]: item for item in self._table.query(_PARTITION)}
        return _known(MAILED, items), _known(PUBLISHED, items)

    def claim(self, known: KnownRecord, now: datetime) -> bool:
        """False if another call sends just now, or has written since. It counts as a try that failed until something
        is written: a call that dies rests as well."""
        tries = known.tries + 1
        changes = {
            "claimed_until": rows.format_instant(now + CLAIM_LIFE),
            "revision": known.revision,
            "tries": tries,
            "rests_until": rows.format_instant(now + rest_of_alerts(tries)),
        }
        free = "(attribute_not_exists(claimed_until) OR claimed_until <= :now OR claimed_until > :longest)"
        # A claim that lasts longer than any can is one of a clock that was ahead.
        values = {
            ":known": known.revision,
            ":now": rows.format_instant(now),
            ":longest": rows.format_instant(now + CLAIM_LIFE + CLOCKS_DIFFER),
        }
        return self._update(changes, f"{_UNTOUCHED} AND {free}", values, known.way)

    def release(self, known: KnownRecord) -> None:
        """It was refused: a call after the rest may try again."""
        self._update({"claimed_until": None}, _UNTOUCHED, {":known": known.revision}, known.way)

    def write(self, record: AlertRecord, known: KnownRecord) -> bool:
        """Replaces the record and ends the claim; false if somebody wrote one since it was read."""
        changes = {
            "schema": rows.SCHEMA_VERSION,
            "record": rows.packed(_as_json(record)),
            "revision": known.revision + 1,
            "claimed_until": None,
            "tries": None,
            "rests_until": None,
        }
        return self._update(changes, _UNTOUCHED, {":known": known.revision}, known.way)

    def replace(self, record: AlertRecord, known: KnownRecord, now: datetime) -> bool:
        """Replaces the record where nothing is due; false if another call sends just now or has written since."""
        if not self.claim(known, now):
            return False
        return self.write(record, known)

    def _update(self, changes: Item, condition: str, values: Item, way: str) -> bool:
        key = (_PARTITION, way)
        return attempted(self._table.update, *key, changes, condition=condition, values=values)


def _known(way: str, items: Mapping[str, Item]) -> KnownRecord:
    item = items.get(way)
    if item is None:
        return KnownRecord(way, AlertRecord(), 0)
    packed = item.get("record")
    fields = rows.unpacked(packed) if packed else {}
    return KnownRecord(
        way,
        _record_of(fields),
        int(item["revision"]),
        rows.parse_instant(item.get("claimed_until")),
        rows.parse_instant(item.get("rests_until")),
        int(item.get("tries", 0)),
    )


def _as_json(record: AlertRecord) -> dict[str, Any]:
    def texts(moments: Mapping[str, datetime]) -> dict[str, str | None]:
        return {key: rows.format_instant(at) for key, at in moments.items()}

    return {
        "findings": texts(record.findings),
        "notices": texts(record.notices),
        "at_once": texts(record.at_once),
        "hourly_at": rows.format_instant(record.hourly_at),
        "daily_at": rows.format_instant(record.daily_at),
        "evaluated_at": rows.format_instant(record.evaluated_at),
        "begun_at": rows.format_instant(record.begun_at),
        "troubles": {
            name: {
                "state": trouble.state.value,
                "since": rows.format_instant(trouble.since),
                "mailed_at": rows.format_instant(trouble.mailed_at),
                "mails": trouble.mails,
                "is_over": trouble.is_over,
            }
            for name, trouble in record.troubles.items()
        },
    }


def _record_of(stored: Mapping[str, Any]) -> AlertRecord:
    def moments(name: str) -> dict[str, datetime]:
        return {key: rows.instant_of(text) for key, text in stored.get(name, {}).items()}

    return AlertRecord(
        findings=moments("findings"),
        troubles={
            name: Trouble(
                State(fields["state"]),
                rows.instant_of(fields["since"]),
                rows.parse_instant(fields["mailed_at"]),
                fields["mails"],
                fields["is_over"],
            )
            for name, fields in stored.get("troubles", {}).items()
        },
        notices=moments("notices"),
        at_once=moments("at_once"),
        **{
            name: rows.parse_instant(stored.get(name))
            for name in ("hourly_at", "daily_at", "evaluated_at", "begun_at")
        },
    )
