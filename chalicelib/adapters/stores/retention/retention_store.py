"""What the owner has said of chains, which chains were let go, and what retention goes by besides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from chalicelib.adapters.stores import catalogue_rows, rows
from chalicelib.adapters.table import Item, Table, attempted
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.retention.facts import OwnerChoices
from chalicelib.domain.retention.let_go import LetGo
from chalicelib.domain.retention.limits import NOT_FETCHED_FOR

RETENTION, ANNOUNCED, FETCHED = "RETENTION", "ANNOUNCED", "FETCHED"

ANNOUNCEMENTS_KEPT = timedelta(days=120)
"""A chain that was announced and could not go is announced anew after that."""

LET_GO_KEPT = timedelta(days=60)
"""How long the row of a chain outlives its files: the month's statement names what went."""

CLAIM_LIFE = timedelta(minutes=20)
"""Longer than a function runs."""

_LEFT_ALONE = "attribute_not_exists(undone_at) AND attribute_not_exists(dropped)"

JobName = tuple[str, str]
"""``(machine, job)``."""


class RetentionStore:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._recorded_on, self._recorded = "", set[str]()

    # ------------------------------------------------------------ what the owner has said

    def choices(self, job: Job) -> OwnerChoices:
        item = self._table.get(RETENTION, rows.job_sort_key(job.machine, job.name))
        return _choices_of(item) if item else OwnerChoices()

    def all_choices(self) -> dict[JobName, OwnerChoices]:
        return {_job_name(item): _choices_of(item) for item in self._table.query(RETENTION)}

    def choose(self, job: Job, chosen: OwnerChoices) -> bool:
        """Stores the choices, made from those of ``chosen.revision``; False if they have changed since."""
        return attempted(self._table.put, *_choices_put(job, chosen))

    # ------------------------------------------------------------ chains that were let go

    def begin(self, let_go: LetGo, job: Job, choices: OwnerChoices) -> bool:
        """Hides the chain, all of it at once. False where the owner's choices are not ``choices`` any more, or the
        chain was let go already: of two that try at once, one does it."""
        puts = [_choices_put(job, choices), (_let_go_item(let_go), "attribute_not_exists(pk)", {})]
        return attempted(self._table.put_all_or_none, puts)

    def let_gos(self, job: Job | None = None) -> list[LetGo]:
        """Those of a job, or all, by when they began."""
        prefix = catalogue_rows.job_set_sort_key(job, None) + catalogue_rows.LETGO if job else ""
        found = self._table.query(catalogue_rows.QUARANTINES, prefix)
        return sorted(
            (_let_go_of(item) for item in found if f"#{catalogue_rows.LETGO}" in item["sk"]),
            key=lambda one: one.begun_at,
        )

    def claim(self, let_go: LetGo, by: str, now: datetime) -> bool:
        """Makes ``by`` the one call that marks its files, until ``record``, or renews that. False while another call
        does, and where the owner has brought it back, or removes it, meanwhile."""
        item = _let_go_item(let_go)
        return attempted(
            self._table.update,
            item["pk"],
            item["sk"],
            {"claimed_by": by, "claimed_until": rows.format_instant(now + CLAIM_LIFE)},
            condition=f"attribute_exists(pk) AND {_LEFT_ALONE}"
            " AND (attribute_not_exists(claimed_until) OR claimed_until <= :now OR claimed_by = :by)",
            values={":now": rows.format_instant(now), ":by": by},
        )

    def record(self, let_go: LetGo) -> bool:
        """How far it has come, and ends a claim; False where the owner has brought it back meanwhile.

        That the owner brings it back waits for the end of a claim, and is False until then: what has just been brought
        back must not be marked again.
        """
        condition, values = "attribute_exists(pk)", {}
        if let_go.undone_at is not None:
            condition += " AND (attribute_not_exists(claimed_until) OR claimed_until <= :at)"
            values = {":at": rows.format_instant(let_go.undone_at)}
        elif not let_go.dropped:
            condition += f" AND {_LEFT_ALONE}"
        return attempted(self._table.put, _let_go_item(let_go), condition, values)

    def end(self, let_go: LetGo) -> None:
        """The chain counts again: all of it is back."""
        item = _let_go_item(let_go)
        self._table.delete(item["pk"], item["sk"])

    def forget_later(self, let_go: LetGo, now: datetime) -> None:
        """Nothing of it is stored any more: its row goes after a while."""
        at = int((now + LET_GO_KEPT).timestamp())
        item = {**_let_go_item(let_go), "expires_at_epoch": at}
        attempted(self._table.put, item, "attribute_exists(pk) AND attribute_not_exists(expires_at_epoch)")

    # ------------------------------------------------------------ what was announced, and what was fetched

    def announced(self) -> dict[JobName, dict[SetId, int]]:
        """In how many weekly mails each chain was named."""
        found: dict[JobName, dict[SetId, int]] = defaultdict(dict)
        for item in self._table.query(ANNOUNCED):
            found[_job_name(item)][_set_of(item)] = len(item["issues"])
        return found

    def announce(self, issue: datetime, chains: Iterable[tuple[Job, SetId]], now: datetime) -> None:
        """The mail of that issue, which has reached somebody, named these chains; recorded twice it counts once."""
        known = {item["sk"]: item for item in self._table.query(ANNOUNCED)}
        text = rows.format_instant(issue)
        for job, full in chains:
            key = catalogue_rows.job_set_sort_key(job, full)
            issues = sorted({*known.get(key, {}).get("issues", ()), text})
            expires = int((now + ANNOUNCEMENTS_KEPT).timestamp())
            self._table.put(rows.new_row(ANNOUNCED, key, issues=issues, expires_at_epoch=expires))

    def forget_announcements(self, job: Job, full: SetId | None) -> None:
        """Of one chain or all of the job: once the owner holds it, it goes only after mails that come later."""
        prefix = catalogue_rows.job_set_sort_key(job, full)
        for item in list(self._table.query(ANNOUNCED, prefix)):
            self._table.delete(ANNOUNCED, item["sk"])

    def fetched(self) -> dict[JobName, dict[SetId, datetime]]:
        """When a volume of each set was last fetched, to the day; of the last days only."""
        found: dict[JobName, dict[SetId, datetime]] = defaultdict(dict)
        for item in self._table.query(FETCHED):
            found[_job_name(item)][_set_of(item)] = rows.instant_in(item, "fetched_at")
        return found

    def record_fetch(self, job: Job, set_ids: Collection[SetId], now: datetime) -> None:
        """A volume of each of these sets was handed out. One write a set and day: a restore asks some hundred times, of
        few copies of the function, and each remembers what it has recorded."""
        day = rows.format_instant(now.replace(hour=0, minute=0, second=0, microsecond=0)) or ""
        if self._recorded_on != day:
            self._recorded_on, self._recorded = day, set()
        expires = int((now + NOT_FETCHED_FOR + timedelta(days=1)).timestamp())
        for sort_key in {catalogue_rows.job_set_sort_key(job, one) for one in set_ids} - self._recorded:
            item = rows.new_row(FETCHED, sort_key, fetched_at=day, expires_at_epoch=expires)
            condition = "attribute_not_exists(pk) OR fetched_at < :day"
            attempted(self._table.put, item, condition, {":day": day})
            self._recorded.add(sort_key)


def _job_name(item: Item) -> JobName:
    machine, _, job = item["sk"].partition("#")[0].partition("/")
    return machine, job


def _set_of(item: Item) -> SetId:
    return SetId.parse(item["sk"].partition("#")[2])


def _choices_put(job: Job, chosen: OwnerChoices) -> tuple[Item, str, Item]:
    item = rows.new_row(
        RETENTION,
        rows.job_sort_key(job.machine, job.name),
        looked_at=rows.format_instant(chosen.looked_at),
        digest=chosen.digest,
        named=sorted(map(str, chosen.named)),
        held=sorted(map(str, chosen.held)),
        holds_all=chosen.holds_all,
        seen=sorted(map(str, chosen.seen)),
        revision=chosen.revision + 1,
    )
    if chosen.revision:
        return item, "revision = :known", {":known": chosen.revision}
    return item, "attribute_not_exists(pk)", {}


def _choices_of(item: Item) -> OwnerChoices:
    return OwnerChoices(
        rows.parse_instant(item.get("looked_at")),
        item["digest"],
        frozenset(map(SetId.parse, item["named"])),
        frozenset(map(SetId.parse, item["held"])),
        item["holds_all"],
        frozenset(map(SetId.parse, item["seen"])),
        int(item["revision"]),
    )


def _let_go_item(let_go: LetGo) -> Item:
    sort_key = f"{let_go.machine}/{let_go.job}#{catalogue_rows.LETGO}{let_go.chain}"
    return rows.new_row(
        catalogue_rows.QUARANTINES,
        sort_key,
        sets=rows.packed(list(map(str, let_go.sets))),
        begun_at=rows.format_instant(let_go.begun_at),
        size_bytes=let_go.size_bytes,
        files=let_go.files,
        marked_at=rows.format_instant(let_go.marked_at),
        undone_at=rows.format_instant(let_go.undone_at),
        dropped=let_go.dropped or None,
        went=rows.packed(
            {
                str(set_id): {name: (tally.count, tally.size_bytes) for name, tally in tallies.items()}
                for set_id, tallies in let_go.went.items()
            }
        ),
    )


def _let_go_of(item: Item) -> LetGo:
    name, _, rest = item["sk"].partition("#")
    machine, _, job = name.partition("/")
    return LetGo(
        machine,
        job,
        SetId.parse(rest.removeprefix(catalogue_rows.LETGO)),
        tuple(map(SetId.parse, rows.unpacked(item["sets"]))),
        rows.instant_in(item, "begun_at"),
        int(item["size_bytes"]),
        int(item["files"]),
        rows.parse_instant(item.get("marked_at")),
        rows.parse_instant(item.get("undone_at")),
        bool(item.get("dropped")),
        {
            SetId.parse(set_id): {name: Tally(*numbers) for name, numbers in tallies.items()}
            for set_id, tallies in rows.unpacked(item["went"]).items()
        },
    )
