"""What is wrong with pictures that had not changed for a month, and for how long the owner hears of it."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone

import pytest

from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.backups.machines import Job, LastCheck, LastRun, OldChange
from chalicelib.domain.backups.names import Location
from chalicelib.domain.photos.photo_findings import find_photo_trouble
from chalicelib.domain.photos.settled import old_change, was_settled

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=timezone.utc)
DAY = timedelta(days=1)
JOB = Job("anna", "photos-2018", Location("b", "anna/photos-2018/"), family="photos")


def found(job: Job, now: datetime = NOW) -> list[tuple[str, Severity]]:
    return [(one.code, one.severity) for one in find_photo_trouble(job, now)]


@pytest.mark.parametrize(
    ("changed", "severity"), [(1, Severity.WARNING), (50, Severity.WARNING), (51, Severity.CRITICAL)]
)
def test_more_than_one_file_in_twenty_is_critical(changed: int, severity: Severity) -> None:
    for change, code in (
        (OldChange(NOW, 1_000, changed, 0), "old_photo_changed"),
        (OldChange(NOW, 1_000, 0, changed), "photos_vanished"),
    ):
        assert found(dataclasses.replace(JOB, old_change=change)) == [(code, severity)]


def test_a_large_change_says_how_the_owner_acknowledges_it_and_a_small_one_passes_by_itself() -> None:
    for changed, lines in ((1, 1), (1_000, 2)):
        [one] = find_photo_trouble(
            dataclasses.replace(JOB, old_change=OldChange(NOW, 1_000, changed, 0)), NOW
        )
        assert len(one.commands) == lines
        assert any("retention approve anna photos-2018" in line for line in one.commands) == (lines == 2)


def test_it_is_over_after_thirty_days() -> None:
    job = dataclasses.replace(JOB, old_change=OldChange(NOW, 10, 10, 10))
    assert len(found(job, NOW + 30 * DAY)) == 2
    assert found(job, NOW + 30 * DAY + timedelta(seconds=1)) == []


def test_rot_lasts_until_a_check_finds_none() -> None:
    rotten = dataclasses.replace(JOB, last_check=LastCheck(NOW, 10, 10, 10, 10, NOW, rotted=1))
    assert found(rotten, NOW + 400 * DAY) == [("photo_rotted", Severity.CRITICAL)]
    assert found(dataclasses.replace(rotten, last_check=LastCheck(NOW, 10, 10, 10, 10, NOW))) == []


def test_no_job_but_one_of_photos_has_such_findings() -> None:
    check, change = LastCheck(NOW, 1, 1, rotted=1), OldChange(NOW, 1, 1, 1)
    assert found(dataclasses.replace(JOB, family=None, last_check=check, old_change=change)) == []


RUN = LastRun("r", "incremental", NOW - 31 * DAY, NOW - 31 * DAY, exit_code=0)
CHECK = LastCheck(NOW - DAY, 1, 1)


@pytest.mark.parametrize(
    ("settled", "changes"),
    [
        (True, {}),
        (False, {"family": None}),
        (False, {"last_check": None}),
        (False, {"last_check": LastCheck(NOW - 32 * DAY, 1, 1)}),
        (False, {"last_run": None}),
        (False, {"last_run": dataclasses.replace(RUN, exit_code=1)}),
        (False, {"last_run": dataclasses.replace(RUN, ended_at=None)}),
        (False, {"last_run": dataclasses.replace(RUN, ended_at=NOW - 29 * DAY)}),
    ],
)
def test_a_folder_is_settled_when_it_was_found_unchanged_and_its_last_backup_is_a_month_old(
    settled: bool, changes: dict[str, object]
) -> None:
    job = dataclasses.replace(JOB, last_run=RUN, last_check=CHECK)
    assert was_settled(dataclasses.replace(job, **changes), NOW) is settled  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "statistics", "of_settled"),
    [
        (OldChange(NOW, 100, 3, 0), {"SourceFiles": 100, "ChangedFiles": 3, "NewFiles": 900}, True),
        (OldChange(NOW, 106, 0, 6), {"SourceFiles": 100, "DeletedFiles": 6}, True),
        (None, {"SourceFiles": 100, "NewFiles": 50}, True),
        (None, {"SourceFiles": 100, "ChangedFiles": 3}, False),
        (None, {}, True),
        (OldChange(NOW, 102, 1, 2), {"PlainFiles": 100, "ChangedFiles": 1, "DeletedPlainFiles": 2}, True),
        (None, {"PlainFiles": 100, "DeletedPlainFiles": 0, "SourceFiles": 110, "DeletedFiles": 1}, True),
        (None, {"PlainFiles": 100, "DeletedPlainFiles": 4, "DeletedFiles": 5, "RenamedFiles": 4}, True),
        (OldChange(NOW, 101, 0, 1), {"PlainFiles": 100, "DeletedPlainFiles": 5, "RenamedFiles": 4}, True),
    ],
)
def test_new_pictures_folders_and_other_names_are_no_change_of_old_pictures(
    change: OldChange | None, statistics: dict[str, float], of_settled: bool
) -> None:
    run = dataclasses.replace(RUN, of_settled=of_settled)
    assert old_change(run, statistics, NOW) == change
