"""Which weekly mails were sent, to whom, and with which figures.

An issue is claimed before it is sent, each recipient is stored when SES has accepted their mail, and the issue
is marked when all of them have it. The figures of each job stand in rows of their own: the client asks for the
newest mail's time with each backup, and must not read those.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from chalicelib.adapters.stores import rows
from chalicelib.adapters.table import Item, Table, attempted
from chalicelib.domain.retries import LONGEST_OF_WEEKLY_MAIL, rest_of_weekly_mail

if TYPE_CHECKING:
    from chalicelib.domain.costs.figures import Figures, JobFigures

CLAIM_LIFE = timedelta(minutes=5)
"""As long as the report's function may run: a claim that lapsed belongs to a call that died before its mail was
taken, or between SES's answer and its own mark."""

_MONEY = ("monthly", "so_far", "forecast")


class ReportStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def claim(self, issue: datetime, now: datetime) -> bool:
        """False if the issue was sent, is being sent by another call, or failed a while ago and rests."""
        rests_until = now + rest_of_weekly_mail(now - issue)
        free = "(attribute_not_exists(claimed_until) OR claimed_until <= :now)"
        awake = "(attribute_not_exists(rests_until) OR rests_until <= :now OR rests_until > :longest)"
        return attempted(
            self._table.update,
            "REPORTS",
            _key(issue),
            {
                "claimed_until": rows.format_instant(now + CLAIM_LIFE),
                "rests_until": rows.format_instant(rests_until),
            },
            condition=f"attribute_not_exists(sent_at) AND {free} AND {awake}",
            values={
                ":now": rows.format_instant(now),
                ":longest": rows.format_instant(now + LONGEST_OF_WEEKLY_MAIL),
            },
        )

    def release(self, issue: datetime, refused: Mapping[str, str] | None = None) -> None:
        """It could not be sent to everybody: a later hour may try again. ``refused`` are addresses with reasons."""
        self._table.update(
            "REPORTS", _key(issue), {"claimed_until": None, "refused": dict(refused or {}) or None}
        )

    def delivered(self, issue: datetime) -> frozenset[str]:
        """Who has this issue already, from a call that did not come to its end."""
        return frozenset(item["sk"] for item in self._table.query(_deliveries(issue)))

    def mark_delivered(
        self, issue: datetime, recipients: Iterable[str], message_id: str, now: datetime
    ) -> None:
        for recipient in recipients:
            item = {"pk": _deliveries(issue), "sk": recipient, "schema": rows.SCHEMA_VERSION}
            self._table.put({**item, "message_id": message_id, "sent_at": rows.format_instant(now)})
        self._table.update("REPORTS", _key(issue), {"delivered_at": rows.format_instant(now)})

    def mark_sent(self, issue: datetime, now: datetime) -> None:
        """Everybody has it."""
        self._table.update("REPORTS", _key(issue), {"sent_at": rows.format_instant(now), "refused": None})

    def refused(self) -> dict[str, str]:
        """Who did not get the newest issue, with SES's reasons."""
        for item in self._table.query("REPORTS", newest_first=True):
            return dict(item.get("refused", {}))
        return {}

    def last_sent_at(self) -> datetime | None:
        """When the newest mail reached anybody."""
        for item in self._table.query("REPORTS", newest_first=True):
            if "delivered_at" in item:
                return rows.parse_instant(item["delivered_at"])
        return None

    # ------------------------------------------------------------ figures

    def store_figures(self, issue: datetime, figures: Figures, jobs: Mapping[str, JobFigures]) -> None:
        """For the trend in later reports."""
        money = {name: getattr(figures, name) for name in _MONEY}
        self._table.update(
            "REPORTS",
            _key(issue),
            {
                "written_at": rows.format_instant(figures.written_at),
                "backups": figures.backups,
                "in_need": figures.in_need,
                "stored_bytes": figures.stored_bytes,
                **{name: str(amount) for name, amount in money.items() if amount is not None},
            },
        )
        item = {"pk": "JOB_FIGURES", "sk": _key(issue), "schema": rows.SCHEMA_VERSION}
        self._table.put({**item, "jobs": _packed(jobs)})

    def stored_figures(self, issues: int) -> list[Figures]:
        """The figures of the newest issues, the oldest first."""
        found: list[Figures] = []
        for item in self._table.query("REPORTS", newest_first=True):
            if "written_at" in item and len(found) < issues:
                found.append(_figures(item))
            if len(found) == issues:
                break
        return found[::-1]

    def stored_job_figures(self) -> dict[str, JobFigures]:
        """The newest issue's figures of each job, by ``machine/job``."""
        newest = self.weeks_of_jobs(1)
        return newest[0][1] if newest else {}

    def weeks_of_jobs(self, issues: int) -> list[tuple[datetime, dict[str, JobFigures]]]:
        """The same of the newest issues, each with its time, the oldest first."""
        newest = itertools.islice(self._table.query("JOB_FIGURES", newest_first=True), issues)
        return [(rows.instant_of(item["sk"]), _unpacked(item["jobs"])) for item in newest][::-1]

    def first_over_budget(self, month: datetime) -> bool:
        """True once a month: for one notice."""
        item = {"pk": "OVER_BUDGET", "sk": f"{month:%Y-%m}", "schema": rows.SCHEMA_VERSION}
        return attempted(self._table.put, item, "attribute_not_exists(pk)")


def _key(issue: datetime) -> str:
    return str(rows.format_instant(issue))


def _deliveries(issue: datetime) -> str:
    return f"DELIVERIES#{_key(issue)}"


def _figures(item: Item) -> Figures:
    # Not above: the API asks for the newest mail's time alone, at each cold start.
    from chalicelib.domain.costs.figures import Figures

    money = {name: Decimal(item[name]) if name in item else None for name in _MONEY}
    return Figures(
        written_at=rows.instant_of(item["written_at"]),
        backups=int(item["backups"]),
        in_need=int(item["in_need"]),
        stored_bytes=int(item["stored_bytes"]),
        **money,
    )


def _packed(jobs: Mapping[str, JobFigures]) -> bytes:
    """3,000 jobs take some 60 KB of the 400 KB that a row may have."""
    fields = {
        name: [f"{figures.monthly:.9f}", figures.current_bytes, figures.noncurrent_bytes]
        for name, figures in jobs.items()
    }
    return rows.packed(fields)


def _unpacked(attribute: Any) -> dict[str, JobFigures]:
    from chalicelib.domain.costs.figures import JobFigures

    return {
        name: JobFigures(Decimal(monthly), int(current), int(noncurrent))
        for name, (monthly, current, noncurrent) in rows.unpacked(attribute).items()
    }
