"""A year of 50 machines, some of which were taken over and some of which never began: who is told what, by the alerts
and by the weekly mails. When somebody has to be told is known to the simulation, which made the backups."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain.audit.findings import Finding, OpenFinding
from chalicelib.domain.audit.silence import find_foreign_writer, find_silence
from chalicelib.domain.backups.freshness import Freshness, evaluate_freshness
from chalicelib.domain.backups.machines import Job, LastRun, Machine
from chalicelib.domain.backups.names import Location, SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.mail.alert_items import JobNow
from chalicelib.domain.mail.alert_record import AlertRecord
from chalicelib.domain.mail.alerts import REPEATED_AFTER, alerts_due
from chalicelib.domain.mail.report import compose_report
from chalicelib.domain.mail.report_parts import EvaluatedJob

DAY = timedelta(days=1)
BEGIN = datetime(2026, 1, 5, 6, tzinfo=timezone.utc)
"""A Monday, at the hour of the weekly mail."""
DAYS = 365
BERLIN = ZoneInfo("Europe/Berlin")
MACHINES, ADOPTED, STOPPING, NEVER_BEGUN = 50, 10, 3, 5


@dataclasses.dataclass
class Life:
    """One machine. ``by_script``: its backups are still written by its own script, past the service; they end on
    ``stops_on`` (a day from the beginning), and so does its owner's peace."""

    number: int
    grace: timedelta
    adopted: bool = False
    begins: bool = True
    by_script: bool = False
    stops_on: int | None = None
    gaps: list[tuple[float, float]] = dataclasses.field(default_factory=list)
    sets: list[BackupSet] = dataclasses.field(default_factory=list)
    newest_at: datetime | None = None
    alerted: list[datetime] = dataclasses.field(default_factory=list)
    reported: list[datetime] = dataclasses.field(default_factory=list)
    warned_of: Counter[str] = dataclasses.field(default_factory=Counter)

    @property
    def name(self) -> str:
        return f"m{self.number:02}"

    @property
    def machine(self) -> Machine:
        return Machine(self.name, BEGIN, token_sha256="0" * 64 if self.begins else None)

    @property
    def job(self) -> Job:
        run = None
        if self.newest_at and not self.by_script and not (self.adopted and len(self.sets) == 1):
            run = LastRun("r", "inc", self.newest_at, self.newest_at, exit_code=0)
        place = Location("attic" if self.adopted else "own", f"{self.name}/")
        grace = int(self.grace.total_seconds())
        return Job(self.name, "system", place, 86_400, grace, last_run=run, added_at=BEGIN)

    def live(self, now: datetime, chance: random.Random) -> None:
        day = (now - BEGIN) / DAY
        stopped = self.stops_on is not None and day >= self.stops_on
        away = any(begin <= day < end for begin, end in self.gaps)
        due = self.newest_at is None or now - self.newest_at >= DAY / 2
        if self.begins and due and not (stopped or away):
            self.store(now - timedelta(minutes=chance.randrange(60)), proven=not self.by_script)

    def store(self, at: datetime, *, proven: bool) -> None:
        start = self.sets[-1].set_id.end if self.sets else None
        done = BackupSet(SetId(start, at), frozenset({1}), 1 if proven else None, True, sealed_at=at)
        # Many sets make no other state than the first and the newest ones.
        self.sets = [*self.sets[:1], *self.sets[1:][-1:], done]
        self.newest_at = at

    @property
    def overdue_at(self) -> datetime:
        return (self.newest_at or BEGIN) + DAY + self.grace


def lives_of(chance: random.Random) -> list[Life]:
    lives = []
    for number in range(MACHINES):
        life = Life(number, grace=chance.choice([2 * DAY, 3 * DAY, 14 * DAY]))
        if number < ADOPTED:
            life.adopted = True
            life.store(BEGIN - timedelta(hours=12), proven=False)
            life.by_script = number < STOPPING
            life.stops_on = chance.randrange(40, 250) if life.by_script else None
        life.begins = not ADOPTED <= number < ADOPTED + NEVER_BEGUN
        # A laptop that sleeps: never for as long as its owner said was well, less what it takes to catch up.
        longest = (life.grace - DAY) / DAY
        begins = [part * 30 + chance.uniform(0, 14) for part in range(12)]
        life.gaps = [(begin, begin + chance.uniform(0, longest)) for begin in begins]
        lives.append(life)
    return lives


def findings_about(lives: list[Life], now: datetime, since: dict[str, datetime]) -> Iterator[OpenFinding]:
    for life in lives:
        found: list[Finding] = find_silence(life.machine, life.job, life.sets, now)
        for one in found + find_foreign_writer(life.machine, life.job, life.sets):
            yield OpenFinding(one, since.setdefault(one.key, now))


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 12))])
def test_whoever_should_be_told_is_told_once_in_time_and_nobody_else(seed: int) -> None:
    chance = random.Random(seed)
    lives = lives_of(chance)
    record, since = AlertRecord(), dict[str, datetime]()
    for day in range(DAYS):
        now = BEGIN + day * DAY
        for life in lives:
            life.live(now, chance)
        states = [evaluate_freshness(life.machine, life.job, life.sets, now) for life in lives]
        found = list(findings_about(lives, now, since))
        alert, record = alerts_due(
            record,
            findings=found,
            notices=[],
            jobs=[
                JobNow(life.name, "system", state.state, "", False, life.newest_at, never_came=not life.sets)
                for life, state in zip(lives, states, strict=True)
            ],
            machines={life.name for life in lives},
            now=now,
            zone=BERLIN,
        )
        by_name = {f"{life.name}/system": life for life in lives}
        for item in alert.jobs if alert else ():
            by_name[item.whose].alerted.append(now)
        for item in (*alert.safety, *alert.critical, *alert.over, *alert.warnings) if alert else ():
            by_name[item.whose].warned_of[item.title] += 1
        if day % 7 == 0:
            report_to(lives, states, found, now)
    for life in lives:
        check_life(life)


def report_to(lives: list[Life], states: list[Freshness], found: list[OpenFinding], now: datetime) -> None:
    report = compose_report(
        [EvaluatedJob(life.job, state) for life, state in zip(lives, states, strict=True)],
        [one.finding for one in found],
        [],
        now=now,
        next_issue=now + 7 * DAY,
        zone=BERLIN,
    )
    in_need = {line.machine for line in report.problems}
    assert report.headline.startswith(f"{len(in_need)} of 50 backups need") or not in_need, report.headline
    for life in lives:
        if life.name in in_need:
            life.reported.append(now)


def check_life(life: Life) -> None:
    end = BEGIN + DAYS * DAY
    if life.begins and life.stops_on is None:
        assert (life.alerted, life.reported) == ([], []), f"{life.name} is well all year"
        assert life.warned_of == {}, life.name
        return
    first, *again = life.alerted
    assert life.overdue_at < first <= life.overdue_at + DAY, life.name
    # Once, and then ever more seldom for as long as it lasts.
    waits = [after - before for before, after in zip(life.alerted, again, strict=False)]
    expected = [*REPEATED_AFTER, *[REPEATED_AFTER[-1]] * 20][: len(waits)]
    assert waits == expected, life.name
    mondays = [BEGIN + week * 7 * DAY for week in range(53)]
    assert life.reported == [at for at in mondays if life.overdue_at < at <= end], life.name
    # That somebody writes with AWS keys is a warning of its own, once in all the time.
    titles = {"backups are still written with AWS keys"} if life.by_script else set()
    assert set(life.warned_of.values()) <= {1}
    assert len(life.warned_of) == len(titles), life.warned_of
