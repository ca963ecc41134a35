"""What is wrong with a job's sets, as seen from outside; a healthy job has no finding."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone

import pytest

from chalicelib.domain.audit.anomalies import find_anomalies
from chalicelib.domain.audit.silence import find_foreign_writer
from chalicelib.domain.backups.machines import Job, LastRun, Machine
from chalicelib.domain.backups.names import Location, SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.tallies import Tally

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=timezone.utc)
DAY = timedelta(days=1)
JOB = Job("anna-laptop", "system", Location("b", "p/"))
GB = 2**30


def a_set(start_days_ago: float | None, end_days_ago: float, **fields: object) -> BackupSet:
    start = None if start_days_ago is None else NOW - start_days_ago * DAY
    end = NOW - end_days_ago * DAY
    healthy = BackupSet(
        SetId(start, end),
        frozenset({1, 2}),
        2,
        has_signatures=True,
        sealed_at=end + timedelta(hours=3),
        current={"STANDARD": Tally(5, GB // 10)},
        changed_at=end + timedelta(hours=3),
    )
    return dataclasses.replace(healthy, **fields)  # type: ignore[arg-type]


CHAIN = [a_set(None, 10), *(a_set(10 - day, 9 - day) for day in range(6))]


def codes(sets: list[BackupSet], job: Job = JOB) -> list[str]:
    return sorted(finding.code for finding in find_anomalies(job, sets, NOW))


def test_a_healthy_chain_has_no_finding() -> None:
    assert codes(CHAIN) == []
    assert codes([]) == []


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"volumes": frozenset({2})}, "gap"),
        ({"volumes": frozenset({1})}, "gap"),
        ({"volumes": frozenset()}, "no_volumes"),
        ({"has_signatures": False}, "signatures_missing"),
        ({"sealed_at": NOW - 20 * DAY}, "clock_off"),
        ({"current": {"STANDARD": Tally(50, 2 * GB)}}, "outsized"),
    ],
)
def test_each_anomaly_of_the_newest_increment_is_found(changed: dict[str, object], code: str) -> None:
    newest = dataclasses.replace(CHAIN[-1], **changed)  # type: ignore[arg-type]
    assert codes([*CHAIN[:-1], newest]) == [code]


def test_a_gap_names_its_volumes_and_its_set() -> None:
    (finding,) = find_anomalies(JOB, [a_set(None, 1, volumes=frozenset({1, 5}), volumes_promised=5)], NOW)
    assert "lacks volume 2-4" in finding.message
    assert finding.subject in finding.message


def test_an_increment_without_its_base_breaks_the_chain() -> None:
    assert codes([*CHAIN[:3], *CHAIN[4:]]) == ["base_missing"]
    unsealed = dataclasses.replace(CHAIN[0], sealed_at=None, changed_at=NOW)
    assert codes([unsealed, CHAIN[1]]) == ["base_missing"]


@pytest.mark.parametrize(
    ("idle", "found"), [(timedelta(days=2), []), (timedelta(days=2, seconds=1), ["stalled"])]
)
def test_an_open_set_may_rest_for_two_days(idle: timedelta, found: list[str]) -> None:
    begun = a_set(None, 5, sealed_at=None, volumes_promised=None, changed_at=NOW - idle)
    assert codes([begun]) == found


def test_what_is_stored_long_after_it_was_made_is_no_wrong_clock() -> None:
    """Over a slow line, or copied from another bucket."""
    assert codes([a_set(None, 30, sealed_at=NOW - DAY)]) == []
    assert codes([*CHAIN[:-1], dataclasses.replace(CHAIN[-1], sealed_at=NOW + 40 * DAY)]) == []


def test_a_set_from_the_future_that_others_continue_is_not_to_be_hidden() -> None:
    ahead = [dataclasses.replace(one, sealed_at=NOW - 200 * DAY) for one in CHAIN]
    *continued, last = [one for one in find_anomalies(JOB, ahead, NOW) if one.code == "clock_off"]
    assert len(continued) == len(CHAIN) - 1
    assert not any("quarantine" in line for one in continued for line in one.commands)
    assert "later sets continue it" in continued[0].message
    assert "quarantine" in last.commands[0]


def test_sets_that_no_client_of_the_service_sealed_are_one_finding_for_all() -> None:
    machine = Machine("anna-laptop", NOW - 100 * DAY)
    job = dataclasses.replace(JOB, added_at=NOW - 15 * DAY)
    by_hand = [dataclasses.replace(one, volumes_promised=None) for one in CHAIN]
    [found] = find_foreign_writer(machine, job, by_hand)
    assert found.code == "written_with_keys"
    assert find_foreign_writer(machine, job, CHAIN) == []
    assert find_foreign_writer(machine, dataclasses.replace(JOB, added_at=NOW), by_hand) == []


@pytest.mark.parametrize(
    ("size", "found"), [(GB // 2, []), (GB, []), (GB + 1, ["outsized"])], ids=["five times", "a GB", "more"]
)
def test_an_increment_is_outsized_from_five_times_the_median_and_a_gigabyte(
    size: int, found: list[str]
) -> None:
    large = dataclasses.replace(CHAIN[-1], current={"STANDARD": Tally(9, size)})
    assert codes([*CHAIN[:-1], large]) == found
    assert codes([CHAIN[0], *CHAIN[-3:-1], large])[-1:] != ["outsized"], "too few to know what is usual"


@pytest.mark.parametrize(
    ("files", "size", "found"),
    [(49, 100, ["source_shrank"]), (100, 49, ["source_shrank"]), (50, 50, []), (None, None, [])],
)
def test_a_source_that_lost_more_than_half_is_told(
    files: int | None, size: int | None, found: list[str]
) -> None:
    run = LastRun("r", "full", NOW, None, 0, None, files, size, 100, 100)
    assert codes(CHAIN, dataclasses.replace(JOB, last_run=run)) == found
