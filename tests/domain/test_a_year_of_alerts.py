"""A year of 50 machines, hour by hour: outages, holidays, wrong clocks, a service that rests, mails that are refused.

What must hold is told by the simulation, which knows each machine's true times, and not by the rules under test.
"""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain.audit.findings import OpenFinding, new_finding
from chalicelib.domain.backups.freshness import evaluate_freshness
from chalicelib.domain.backups.machines import Job, LastRun, Machine
from chalicelib.domain.backups.names import Location, SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.mail.alert_items import Alert, JobNow
from chalicelib.domain.mail.alert_record import AlertRecord
from chalicelib.domain.mail.alerts import REPEATED_AFTER, alerts_due

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)
MACHINES = 50
DAYS = 365
BERLIN = ZoneInfo("Europe/Berlin")


@dataclasses.dataclass
class Life:
    """A machine's year: when it is out of order or on holiday (days from the beginning), and its backups."""

    name: str
    grace: timedelta
    outages: list[tuple[float, float]]
    holidays: list[tuple[float, float]]
    clock_off: timedelta
    newest_at: datetime = BEGIN
    sets: list[BackupSet] = dataclasses.field(default_factory=list)
    paused_at: datetime | None = None
    paused_until: datetime | None = None
    last_run: LastRun | None = None
    mailed: list[tuple[datetime, str]] = dataclasses.field(default_factory=list)

    def live(self, now: datetime, chance: random.Random) -> None:
        """One hour: a holiday may begin, a backup may be made if it is time for one."""
        day = (now - BEGIN) / DAY
        for begin, end in self.holidays:
            if begin <= day < begin + 1 / 24:
                self.paused_at, self.paused_until = now, BEGIN + end * DAY
        away = any(begin <= day < end for begin, end in self.outages + self.holidays)
        if not away and now - self.newest_at >= DAY - HOUR and chance.random() < 0.7:
            stored_at = now - timedelta(minutes=chance.randrange(60))
            named = stored_at + self.clock_off  # the laptop's own idea of the time
            done = BackupSet(SetId(None, named), frozenset({1}), 1, True, sealed_at=stored_at)
            self.sets = [*self.sets[-1:], done]
            self.newest_at = stored_at
            self.last_run = LastRun("r", "full", stored_at, stored_at, exit_code=0)

    def machine(self) -> Machine:
        return Machine(self.name, BEGIN, paused_at=self.paused_at, paused_until=self.paused_until)

    def job(self) -> Job:
        grace = int(self.grace.total_seconds())
        return Job(self.name, "system", Location("b", f"{self.name}/"), 86_400, grace, last_run=self.last_run)

    def overdue_since(self, now: datetime) -> datetime | None:
        """By its true times: since when it has been beyond its grace, and not on holiday."""
        due_at = max(self.newest_at + DAY + self.grace, self.paused_until or BEGIN)
        return due_at if now > due_at else None


@dataclasses.dataclass
class Service:
    """The service as it was: it rests now and then, SES refuses now and then, its clock is wrong now and then."""

    chance: random.Random
    record: AlertRecord = dataclasses.field(default_factory=AlertRecord)
    strays: dict[str, datetime] = dataclasses.field(default_factory=dict)
    misplaced: dict[str, datetime] = dataclasses.field(default_factory=dict)
    rests_until: datetime = BEGIN
    refuses_until: datetime = BEGIN
    clock_off: timedelta = timedelta(0)

    def live(self, now: datetime) -> None:
        chance = self.chance
        if chance.random() < 0.004:
            self.rests_until = now + chance.randrange(1, 5) * HOUR
        if chance.random() < 0.004:
            self.refuses_until = now + chance.randrange(1, 5) * HOUR
        if chance.random() < 0.003:
            self.clock_off = timedelta(minutes=chance.choice([-90, -7, 0, 0, 11, 90]))
        for things in (self.strays, self.misplaced):
            if chance.random() < 0.03:
                things[f"thing-{chance.randrange(10**6)}"] = now
            if things and chance.random() < 0.03:
                things.pop(chance.choice(sorted(things)))

    def mail(self, lives: list[Life], now: datetime) -> Alert | None:
        clock = now + self.clock_off
        findings = [
            OpenFinding(
                new_finding(code, machine="m00", job="system", subject=name, message="It is so."), opened_at
            )
            for code, things in (("stray", self.strays), ("wrong_prefix", self.misplaced))
            for name, opened_at in things.items()
        ]
        alert, record = alerts_due(
            self.record,
            findings=findings,
            notices=[],
            jobs=[judged(life, clock) for life in lives],
            machines={life.name for life in lives},
            now=clock,
            zone=BERLIN,
        )
        if alert is not None and now < self.refuses_until:
            return None
        self.record = record
        return alert


def judged(life: Life, clock: datetime) -> JobNow:
    freshness = evaluate_freshness(life.machine(), life.job(), life.sets, clock)
    newest = freshness.newest_complete_at
    return JobNow(life.name, "system", freshness.state, "", False, newest, life.paused_until)


def lives_of(chance: random.Random) -> list[Life]:
    def spells(count: int, longest: float) -> list[tuple[float, float]]:
        """One in each part of the year; the next does not begin before the last has ended."""
        part = DAYS / count
        begins = [number * part + chance.uniform(2, part - longest - 2) for number in range(count)]
        return [(begin, begin + chance.uniform(0.5, longest)) for begin in begins]

    lives = []
    for number in range(MACHINES):
        is_laptop = number % 5 != 0
        lives.append(
            Life(
                f"m{number:02}",
                grace=14 * DAY if is_laptop else DAY,
                # A third of them never fail: of these no mail may say anything.
                outages=[] if number % 3 == 0 else spells(3, 60 if is_laptop else 12),
                holidays=spells(2, 30) if is_laptop else [],
                clock_off=chance.choice([0, 0, 0, 1, -1]) * timedelta(days=chance.uniform(0, 4000)),
            )
        )
    return lives


@pytest.mark.parametrize("seed", [7, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(10, 20))])
def test_a_year_of_fifty_machines(seed: int) -> None:
    chance = random.Random(seed)
    lives, service = lives_of(chance), Service(chance)
    warned: Counter[date] = Counter()
    overdue_mails = 0
    for hour in range(DAYS * 24):
        now = BEGIN + hour * HOUR
        for life in lives:
            life.live(now, chance)
        service.live(now)
        alert = service.mail(lives, now) if now >= service.rests_until else None
        if alert is not None:
            if alert.warnings:
                warned[(now + service.clock_off).astimezone(BERLIN).date()] += 1
            overdue_mails += _note(lives, alert, now)
        for life in lives:
            _check_that_it_was_told(life, now)
    assert max(warned.values()) == 1
    assert sum(warned.values()) > 50
    assert overdue_mails > 50
    for life in lives:
        if not life.outages:
            assert life.mailed == [], f"{life.name} was well all year"


def _note(lives: list[Life], alert: Alert, now: datetime) -> int:
    """Writes down who was mailed about. Nobody who is well may be."""
    by_name = {f"{life.name}/system": life for life in lives}
    for item in alert.jobs:
        life = by_name[item.whose]
        since = life.overdue_since(now + 2 * HOUR)  # the service's clock may be as far ahead
        assert since is not None, f"{life.name} is well at {now}"
        life.mailed.append((now, "trouble"))
    for item in alert.over:
        if item.whose in by_name and "backed up again" in item.title:
            life = by_name[item.whose]
            assert life.overdue_since(now - 2 * HOUR) is None
            assert life.mailed[-1][1] == "trouble", "only what was mailed is over, and once"
            life.mailed.append((now, "over"))
    return len(alert.jobs)


def _check_that_it_was_told(life: Life, now: datetime) -> None:
    since = life.overdue_since(now)
    if since is not None and now - since > DAY:
        told = [at for at, what in life.mailed if at >= since - 2 * HOUR and what == "trouble"]
        assert told, f"{life.name} is overdue since {since}, and nobody was told by {now}"
        # And told again: at the latest after the longest interval.
        assert now - told[-1] <= REPEATED_AFTER[-1] + DAY
    elif since is None and life.mailed and life.mailed[-1][1] == "trouble" and now - life.newest_at > DAY:
        paused_since = life.paused_at is not None and life.paused_at >= life.mailed[-1][0] - DAY
        assert paused_since or life.newest_at < life.mailed[-1][0], (
            f"{life.name} is well again, and nobody said so"
        )
