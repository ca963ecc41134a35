"""Whose turn it is to be compared with its bucket."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from chalicelib.domain.backups.machines import Job, ReconcileProgress
from chalicelib.domain.backups.names import Location
from chalicelib.domain.backups.reconciles import reconciles_due

SUNDAY = datetime(2026, 11, 22, 3, 0, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


def job(name: str, comparison: ReconcileProgress | None = None) -> Job:
    return Job("anna", name, Location("b", f"anna/{name}/"), reconcile=comparison)


def done(name: str, at: datetime) -> Job:
    return job(name, ReconcileProgress(begun_at=at, done_at=at))


@pytest.mark.parametrize(
    ("last", "now", "is_due"),
    [
        (SUNDAY - 6 * 24 * HOUR, SUNDAY - HOUR, False),
        (SUNDAY - 6 * 24 * HOUR, SUNDAY, True),
        (SUNDAY - HOUR, SUNDAY + HOUR, True),
        (SUNDAY, SUNDAY + HOUR, False),
        (SUNDAY + HOUR, SUNDAY + 6 * 24 * HOUR, False),
    ],
)
def test_each_job_is_due_once_a_week_from_three_on_sunday_utc(
    last: datetime, now: datetime, is_due: bool
) -> None:
    assert bool(reconciles_due([done("system", last)], now)) is is_due


def test_a_new_job_is_due_at_once() -> None:
    [due] = reconciles_due([job("system")], SUNDAY - HOUR)
    assert due.name == "system"


def test_one_that_has_not_come_to_its_end_is_due_until_it_has() -> None:
    half = job("system", ReconcileProgress(begun_at=SUNDAY + HOUR, after="data_x", done_at=SUNDAY - HOUR))
    assert reconciles_due([half], SUNDAY + 2 * HOUR) == [half]


def test_whichever_was_taken_up_longest_ago_comes_first_so_that_none_holds_up_the_others() -> None:
    deadly = job("a", ReconcileProgress(begun_at=SUNDAY + 2 * HOUR))
    waiting = done("b", SUNDAY - 7 * 24 * HOUR)
    new = job("c")
    assert reconciles_due([deadly, waiting, new], SUNDAY + 3 * HOUR) == [new, waiting, deadly]
