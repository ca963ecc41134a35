"""All that a machine has stored: what removing it comes to, and its removal, by the owner's own credentials."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from chalicelib.adapters.s3_buckets import Buckets
from chalicelib.domain.backups.names import Location
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.fleet_wire import MachineDropPlan
from ops.buckets.bring_back import FileHistory, histories
from ops.buckets.let_go_files import (
    DropSurvey,
    Removed,
    StoredInClass,
    remove_files,
    sum_of_fees,
    survey_files,
)


@dataclasses.dataclass(frozen=True)
class Belongings:
    """Files of a machine in one bucket; volumes are in their class from ``after_days`` after the upload on."""

    bucket: str
    after_days: int
    files: list[FileHistory]


@dataclasses.dataclass(frozen=True)
class MachineSurvey:
    """What removing a machine comes to; ``files`` are keys, and each may have several versions."""

    files: int
    found: DropSurvey


def owns(plan: MachineDropPlan, bucket: str, key: str) -> bool:
    """Whether the key is the machine's: below its name in the service's own bucket, and a file of one of its jobs in
    one that was adopted."""
    if bucket == plan.bucket:
        return key.startswith(plan.prefix)
    return any(place.has_file(key) for place in _adopted(plan) if place.bucket == bucket)


def belongings(s3: Any, plan: MachineDropPlan) -> list[Belongings]:
    """All of the machine's files, older versions and markers too, as the buckets have them now."""
    after_days = {Location(job.bucket, job.prefix): job.archive_after_days for job in plan.jobs}
    found = []
    for place in _places(s3, plan):
        by_days: dict[int, list[FileHistory]] = defaultdict(list)
        for file in histories(s3, place, lambda key, bucket=place.bucket: owns(plan, bucket, key)):  # type: ignore[misc]
            by_days[_days_of(after_days, place.bucket, file.key)].append(file)
        found += [Belongings(place.bucket, days, files) for days, files in by_days.items()]
    return found


def survey_machine(s3: Any, plan: MachineDropPlan, table: PriceTable | None, now: datetime) -> MachineSurvey:
    """Nothing is changed."""
    found = belongings(s3, plan)
    surveys = [survey_files(s3, one.bucket, one.files, table, one.after_days, now) for one in found]
    return MachineSurvey(sum(len(one.files) for one in found), _together(surveys))


def remove_machine_files(s3: Any, plan: MachineDropPlan) -> Removed:
    """Deletes every version and marker, and ends unfinished uploads. Repeatable after a crash at any request. Raises
    ``OpsError`` where S3 refuses for another reason than a lock."""
    for place in _places(s3, plan):
        _abort_uploads(s3, plan, place)
    removed = [remove_files(s3, one.bucket, one.files) for one in belongings(s3, plan)]
    return Removed(
        _sum(one.gone for one in removed),
        _sum(one.held for one in removed),
        max((one.held_until for one in removed if one.held_until), default=None),
    )


def _abort_uploads(s3: Any, plan: MachineDropPlan, place: Location) -> None:
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=place.bucket, Prefix=place.prefix)
    for upload in [upload for page in pages for upload in page.get("Uploads", [])]:
        if owns(plan, place.bucket, upload["Key"]):
            s3.abort_multipart_upload(Bucket=place.bucket, Key=upload["Key"], UploadId=upload["UploadId"])


def _places(s3: Any, plan: MachineDropPlan) -> list[Location]:
    """Without those in buckets that the owner has deleted."""
    buckets = Buckets(s3)
    adopted = [place for place in _adopted(plan) if buckets.exists(place.bucket)]
    return [Location(plan.bucket, plan.prefix), *adopted]


def _adopted(plan: MachineDropPlan) -> Iterator[Location]:
    for job in plan.jobs:
        if job.bucket != plan.bucket:
            yield Location(job.bucket, job.prefix)


def _days_of(after_days: dict[Location, int], bucket: str, key: str) -> int:
    """0 for what is of no job."""
    return next(
        (days for place, days in after_days.items() if place.bucket == bucket and place.has_file(key)), 0
    )


def _together(surveys: Sequence[DropSurvey]) -> DropSurvey:
    by_class: dict[str, list[StoredInClass]] = defaultdict(list)
    for survey in surveys:
        for one in survey.classes:
            by_class[one.storage_class].append(one)
    return DropSurvey(
        tuple(
            StoredInClass(name, _sum(one.versions for one in some), sum_of_fees(one.fee for one in some))
            for name, some in sorted(by_class.items())
        ),
        _sum(survey.locked for survey in surveys),
        max((survey.locked_until for survey in surveys if survey.locked_until), default=None),
    )


def _sum(tallies: Iterable[Tally]) -> Tally:
    return sum(tallies, Tally())
