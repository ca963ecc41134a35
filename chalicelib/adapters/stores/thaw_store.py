"""Thaws in the table: plans, thaws that were started, and what each machine has spent of its budget."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from chalicelib.adapters.stores import rows
from chalicelib.adapters.table import Item, Table, attempted
from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.restore.limits import LEASE, MAX_PAGES_A_MONTH, PLAN_LIFE
from chalicelib.domain.restore.thaws import Thaw, ThawMonth
from chalicelib.domain.restore.volumes import Volumes, canonical_text, volumes_of
from chalicelib.wire import MOST, ThawState, ThawTier

_NEVER = 10**9
"""More events than come."""

MICRO_USD = Decimal(1_000_000)
"""Sums are kept in millionths of a dollar: DynamoDB adds whole numbers without rounding."""

KEPT = timedelta(days=60)
"""How long a thaw's row outlives its copies."""

LONGEST_THAW = timedelta(days=60)
"""Days until its copies are there and have lapsed, extensions included; its volumes are kept as long."""


@dataclasses.dataclass(frozen=True)
class StoredPlan:
    volumes: Volumes
    line_bytes_a_second: int | None
    planned_at: datetime


@dataclasses.dataclass(frozen=True)
class AskedVolumes:
    """``asked`` is what a start paid for; ``others`` were on their way already."""

    asked: Volumes
    others: Volumes


@dataclasses.dataclass(frozen=True)
class NewestThaw:
    """Of a job, the thaw that was started last. ``started_at`` distinguishes two starts of the same thaw."""

    thaw: str
    started_at: str


class ThawStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    # ------------------------------------------------------------ plans

    def plan(self, job: Job, thaw: str) -> StoredPlan | None:
        item = self._table.get(_plans_of(job.machine, job.name), thaw)
        if item is None:
            return None
        line = rows.integer_of(item.get("line_bytes_a_second"))
        return StoredPlan(
            volumes_of(rows.unpacked(item["volumes"])), line, rows.instant_in(item, "planned_at")
        )

    def put_plan(self, job: Job, thaw: str, plan: StoredPlan) -> None:
        expires_at = plan.planned_at + PLAN_LIFE
        fields = {
            "volumes": rows.packed(canonical_text(plan.volumes)),
            "line_bytes_a_second": plan.line_bytes_a_second,
            "planned_at": rows.format_instant(plan.planned_at),
            "expires_at_epoch": int(expires_at.timestamp()),
        }
        self._table.put(rows.new_row(_plans_of(job.machine, job.name), thaw, **fields))

    def count_plan(self, machine: Machine, now: datetime, most: int, *, by_reader: bool = False) -> bool:
        """False beyond the day's ``most``. Readers of the recovery code have their own: a thief with the laptop uses
        up nothing of theirs."""
        key = (_months_of(machine.name), f"{now:%Y-%m-%d}#plans{_readers(by_reader)}", "plans")
        return attempted(self._table.add, *key, 1, at_most=most)

    def count_pages(self, machine: Machine, pages: int, now: datetime, *, by_reader: bool = False) -> bool:
        """False where the month's LIST requests would be more than ``MAX_PAGES_A_MONTH``; readers have their own."""
        key = (_months_of(machine.name), f"{now:%Y-%m}#listed{_readers(by_reader)}", "pages")
        return attempted(self._table.add, *key, pages, at_most=MAX_PAGES_A_MONTH)

    # ------------------------------------------------------------ thaws

    def thaws(self) -> list[Thaw]:
        """Of all machines, those of the last two months; by machine and job."""
        return [thaw_of(item) for item in self._table.query("THAWS")]

    def thaws_of(self, machine: str, job: str) -> list[Thaw]:
        prefix = f"{rows.job_sort_key(machine, job)}#"
        return [thaw_of(item) for item in self._table.query("THAWS", prefix)]

    def thaw(self, machine: str, job: str, thaw: str) -> Thaw | None:
        item = self._table.get("THAWS", _thaw_key(machine, job, thaw))
        return thaw_of(item) if item else None

    def newest(self, machine: str, job: str) -> NewestThaw | None:
        item = self._table.get("THAW_JOBS", rows.job_sort_key(machine, job))
        return NewestThaw(item["thaw"], item["started_at"]) if item else None

    def volumes(self, thaw: Thaw) -> AskedVolumes:
        """What a thaw that was started is about."""
        item = self._table.get(_plans_of(thaw.machine, thaw.job), f"{thaw.id}#asked") or {}
        asked, others = (rows.unpacked(item[name]) if name in item else "" for name in ("asked", "others"))
        return AskedVolumes(volumes_of(asked), volumes_of(others))

    def start(
        self,
        thaw: Thaw,
        volumes: AskedVolumes | None,
        before: tuple[Thaw | None, ThawMonth, NewestThaw | None],
        month: ThawMonth,
        also: Sequence[tuple[Item, str, Item]] = (),
    ) -> bool:
        """Starts it, reserves its price, makes it its job's newest and writes ``also``, or does none of it.

        False where one of ``before`` (the thaw's own row, its machine's month, the job's newest thaw) is not as it was
        read. ``volumes`` are stored already where there are none.
        """
        known, known_month, newest = before
        puts: list[tuple[Item, str | None, Item]] = [
            (thaw_item(thaw), *_unless_changed(known.started_at if known else None)),
            (_month_item(thaw.machine, thaw.started_at, month), *_month_is(known_month)),
            (_newest_item(thaw), *_unless_changed(newest.started_at if newest else None)),
        ]
        if volumes is not None:
            puts.append((_volumes_item(thaw, volumes), None, {}))
        puts += also
        return attempted(self._table.put_all_or_none, puts)

    def put(self, thaw: Thaw, volumes: AskedVolumes, known: Thaw | None) -> bool:
        """Stores one that costs nothing, or that waits for the owner. False where ``known`` is not the row now."""
        self._table.put(_volumes_item(thaw, volumes))
        return attempted(
            self._table.put, thaw_item(thaw), *_unless_changed(known.started_at if known else None)
        )

    def change(self, thaw: Thaw, known: Thaw) -> bool:
        """Stores what differs from ``known``; false where that thaw has been started anew, or its state is another."""
        before, after = thaw_item(known), thaw_item(thaw)
        changes = {
            name: after.get(name)
            for name in {**before, **after}
            if before.get(name) != after.get(name) or name == "state"
        }
        values = {":started": before["started_at"], ":was": before["state"]}
        return attempted(
            self._table.update,
            "THAWS",
            _thaw_key(thaw.machine, thaw.job, thaw.id),
            changes,
            condition="started_at = :started AND #state = :was",
            values=values,
        )

    def take_lease(self, thaw: Thaw, now: datetime, mine: datetime | None = None) -> Thaw | None:
        """The thaw with a lease that is new, or renewed from ``mine``; ``None`` while another call asks S3 for it."""
        until = now + LEASE
        taken = attempted(
            self._table.update,
            "THAWS",
            _thaw_key(thaw.machine, thaw.job, thaw.id),
            {"leased_until": rows.format_instant(until)},
            condition="started_at = :started AND "
            "(attribute_not_exists(leased_until) OR leased_until <= :now OR leased_until = :mine)",
            values={
                ":started": rows.format_instant(thaw.started_at),
                ":now": rows.format_instant(now),
                ":mine": rows.format_instant(mine) or "",
            },
        )
        return dataclasses.replace(thaw, leased_until=until) if taken else None

    def record_download(self, thaw: Thaw, size_bytes: int, now: datetime) -> None:
        """Added to what the row has: requests come side by side."""
        attempted(
            self._table.add,
            "THAWS",
            _thaw_key(thaw.machine, thaw.job, thaw.id),
            "downloaded_bytes",
            size_bytes,
            at_most=MOST,
            must_exist=True,
            changes={"last_download_at": rows.format_instant(now)},
        )

    # ------------------------------------------------------------ events

    def count_completed(self, machine: str, job: str, number: int) -> str | None:
        """Counts events of volumes that can be read now; the thaw, if they are as many as it lacks."""
        key = "THAW_JOBS", rows.job_sort_key(machine, job)
        if not attempted(self._table.add, *key, "completed", number, at_most=_NEVER, must_exist=True):
            return None
        item = self._table.get(*key) or {}
        return item["thaw"] if item.get("completed", 0) >= item.get("lacking", 0) else None

    def record_lacking(self, thaw: Thaw) -> None:
        """How many volumes a look found not to be readable yet; events are counted from there. Of a thaw that is over,
        no number of events is enough."""
        lacking = max(1, thaw.volumes - thaw.done) if thaw.is_under_way else _NEVER
        attempted(
            self._table.update,
            "THAW_JOBS",
            rows.job_sort_key(thaw.machine, thaw.job),
            {"lacking": lacking, "completed": 0},
            condition="thaw = :thaw",
            values={":thaw": thaw.id},
        )

    # ------------------------------------------------------------ what they cost

    def month(self, machine: str, now: datetime) -> ThawMonth:
        return self.months([machine], now)[machine]

    def months(self, machines: Sequence[str], now: datetime) -> dict[str, ThawMonth]:
        """What each machine's thaws have come to this month (UTC)."""
        month = f"{now:%Y-%m}"
        found = self._table.get_many([(_months_of(machine), month) for machine in machines])
        return {machine: _month_of(found.get((_months_of(machine), month), {})) for machine in machines}

    def reserve(self, machine: Machine, usd: Decimal, now: datetime) -> bool:
        """Counts what an extension costs; false where that is more than the machine's budget has left."""
        known = self.month(machine.name, now)
        month = dataclasses.replace(known, reserved=known.reserved + usd)
        if month.reserved > machine.thaw_budget_usd:
            return False
        return attempted(self._table.put, _month_item(machine.name, now, month), *_month_is(known))


def _plans_of(machine: str, job: str) -> str:
    return f"THAW_PLANS#{rows.job_sort_key(machine, job)}"


def _months_of(machine: str) -> str:
    return f"THAW_MONTHS#{machine}"


def _readers(by_reader: bool) -> str:
    return "#readers" if by_reader else ""


def _thaw_key(machine: str, job: str, thaw: str) -> str:
    return f"{rows.job_sort_key(machine, job)}#{thaw}"


def _unless_changed(started_at: datetime | str | None) -> tuple[str, Item]:
    """The condition that a row is still that of one start, or that there is none."""
    if started_at is None:
        return "attribute_not_exists(pk)", {}
    text = started_at if isinstance(started_at, str) else rows.format_instant(started_at)
    return "started_at = :started", {":started": text}


def _volumes_item(thaw: Thaw, volumes: AskedVolumes) -> Item:
    texts = {"asked": volumes.asked, "others": volumes.others}
    packed = {name: rows.packed(canonical_text(one)) for name, one in texts.items()}
    expires_at = int((thaw.started_at + LONGEST_THAW).timestamp())
    partition = _plans_of(thaw.machine, thaw.job)
    return rows.new_row(partition, f"{thaw.id}#asked", **packed, expires_at_epoch=expires_at)


def _newest_item(thaw: Thaw) -> Item:
    return rows.new_row(
        "THAW_JOBS",
        rows.job_sort_key(thaw.machine, thaw.job),
        thaw=thaw.id,
        started_at=rows.format_instant(thaw.started_at),
        lacking=thaw.volumes,
        completed=0,
    )


def _month_item(machine: str, at: datetime, month: ThawMonth) -> Item:
    return rows.new_row(_months_of(machine), f"{at:%Y-%m}", **_month_fields(month))


def _month_fields(month: ThawMonth) -> Item:
    return {
        "reserved_micro_usd": int(month.reserved * MICRO_USD),
        "approved_micro_usd": int(month.approved * MICRO_USD),
        "expedited": month.expedited,
        "size_bytes": month.size_bytes,
        "drill_micro_usd": int(month.drilled * MICRO_USD),
    }


def _month_of(item: Item) -> ThawMonth:
    return ThawMonth(
        reserved=Decimal(item.get("reserved_micro_usd", 0)) / MICRO_USD,
        approved=Decimal(item.get("approved_micro_usd", 0)) / MICRO_USD,
        expedited=int(item.get("expedited", 0)),
        size_bytes=int(item.get("size_bytes", 0)),
        drilled=Decimal(item.get("drill_micro_usd", 0)) / MICRO_USD,
    )


def _month_is(known: ThawMonth) -> tuple[str, Item]:
    """The condition that nothing was reserved or approved since the month was read."""
    condition = (
        "reserved_micro_usd = :reserved AND approved_micro_usd = :approved AND size_bytes = :bytes"
        # Rows of a version before 0.2 have no sum of drills.
        " AND (attribute_not_exists(drill_micro_usd) OR drill_micro_usd = :drills)"
    )
    if known == ThawMonth():
        condition = f"attribute_not_exists(pk) OR ({condition})"
    fields = _month_fields(known)
    return condition, {
        ":reserved": fields["reserved_micro_usd"],
        ":approved": fields["approved_micro_usd"],
        ":bytes": fields["size_bytes"],
        ":drills": fields["drill_micro_usd"],
    }


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
        next_look_at=rows.format_instant(thaw.next_look_at),
        leased_until=rows.format_instant(thaw.leased_until),
        is_drill=thaw.is_drill or None,
        code_made_at=rows.format_instant(thaw.code_made_at),
        expires_at_epoch=int((_over_at(thaw) + KEPT).timestamp()),
    )


def _over_at(thaw: Thaw) -> datetime:
    """When its copies have lapsed at the latest, as far as is known."""
    return thaw.readable_until or thaw.ready_by + timedelta(days=thaw.days + 1)


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
        next_look_at=rows.parse_instant(item.get("next_look_at")),
        leased_until=rows.parse_instant(item.get("leased_until")),
        is_drill=bool(item.get("is_drill", False)),
        code_made_at=rows.parse_instant(item.get("code_made_at")),
    )
