"""Random lives of a bucket: whatever reaches the catalogue, in whatever order, the rows are what a rebuild from the
bucket alone would make of it; and what a reconcile reports is what had been lost.

What the bucket cannot tell, and a rebuild therefore does not compare: the sequencers of object rows, tombstones of keys
of which no version is left, the revisions of rows, when a set last changed, the digests that only a HEAD tells, and all
that is not the catalogue's (machines, jobs, runs, gates, notices). A reconcile leaves all of these as they are.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from moto.s3.models import s3_backends

from chalicelib import web, wiring
from chalicelib.domain.backups.events import KeyChange
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.objects import ObjectRow
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.journeys.catalogue.catalogue_changes import catalogue_changes
from chalicelib.journeys.catalogue.reconcile_job import Reconciled, reconcile_job
from tests.service.conftest import BUCKET, Service

TIMES = ["20261101T000000Z", "20261108T000000Z", "20261115T000000Z"]
SETS = [
    f"full.{TIMES[0]}",
    f"inc.{TIMES[0]}.to.{TIMES[1]}",
    f"inc.{TIMES[1]}.to.{TIMES[2]}",
    f"full.{TIMES[2]}",
]
NAMES = [
    *(f"data_duplicity-{one}.vol{number}.difftar.gpg" for one in SETS for number in (1, 2, 10)),
    *(f"meta_duplicity-{one}.manifest.gpg" for one in SETS),
    *(
        "meta_duplicity-"
        + one.replace("full.", "full-signatures.").replace("inc.", "new-signatures.")
        + ".sigtar.gpg"
        for one in SETS
    ),
    f"meta_duplicity-{SETS[0]}.vol1.difftar.gpg",  # misplaced
    "notes.txt",
    "Grüße +%20.txt",
]
DEEDS = ["put", "put", "put", "delete", "delete a version", "transition", "restore"]

_numbers = itertools.count(1)


@dataclass
class Life:
    """One machine's part of the bucket, and the events that S3 would send of it."""

    service: Service
    job: Job
    events: list[KeyChange] = field(default_factory=list)

    def do(self, deed: str, name: str, chance: random.Random) -> None:
        key = self.job.location.key(name)
        sequenced = True
        if deed == "put":
            metadata = {"Metadata": {"volumes": str(chance.randrange(10, 13))}} if "manifest" in name else {}
            self.service.put(key, chance.randbytes(chance.randrange(1, 50)), **metadata)
        elif deed == "delete":
            self.service.s3.delete_object(Bucket=BUCKET, Key=key)
        elif deed == "delete a version":
            found = self.service.s3.list_object_versions(Bucket=BUCKET, Prefix=key)
            versions = [one for one in found.get("Versions", []) if one["Key"] == key]
            if not versions:
                return
            chosen = chance.choice(versions)["VersionId"]
            self.service.s3.delete_object(Bucket=BUCKET, Key=key, VersionId=chosen)
        elif deed == "transition":
            stored = s3_backends["123456789012"]["aws"].get_object(BUCKET, key)
            if stored is None:
                return
            stored.set_storage_class("GLACIER_IR")
            sequenced = False
        else:
            sequenced = False
        number = f"{next(_numbers):016X}"
        self.events.append(KeyChange(BUCKET, key, number if sequenced else ""))


Rows = tuple[dict[str, ObjectRow], list[BackupSet]]


def rows_of(job: Job) -> Rows:
    """The fields that the bucket can tell."""
    catalogue = wiring.catalogue_store()
    strays = catalogue.strays_between(job.location, "", "\U0010ffff")
    objects = {row.name: comparable(row) for row in [*strays, *catalogue.objects(job)]}
    kept = {name: row for name, row in objects.items() if row.stored or row.noncurrent}
    sets = [replace(one, changed_at=None) for one in catalogue.sets(job)]
    return kept, sorted(sets, key=lambda one: str(one.set_id))


def comparable(row: ObjectRow) -> ObjectRow:
    stored = replace(row.stored, sha256=None) if row.stored else None
    return replace(row, sequencer="", stored=stored)


def reconcile(job: Job) -> Reconciled:
    return reconcile_job(wiring.catalogue_context(web.now()), job, "", lambda: True)


def rebuilt(service: Service, job: Job) -> Rows:
    """The rows that the bucket alone makes, from an empty catalogue."""
    table = wiring._table()
    for partition in (f"OBJECTS#{job.machine}/{job.name}", f"JOB#{job.machine}/{job.name}"):
        for item in list(table.query(partition)):
            table.delete(item["pk"], item["sk"])
    for item in list(table.query("STRAYS", f"{BUCKET}/{job.location.prefix}")):
        table.delete(item["pk"], item["sk"])
    reconcile(job)
    return rows_of(job)


def deliver(events: list[KeyChange], chance: random.Random) -> None:
    remaining = list(events)
    while remaining:
        batch = [remaining.pop() for _ in range(min(len(remaining), chance.randrange(1, 8)))]
        assert catalogue_changes(wiring.catalogue_context(web.now()), batch) == []


def new_lives(service: Service) -> list[Life]:
    bucket = s3_backends["123456789012"]["aws"].get_bucket(BUCKET)
    bucket.keys = type(bucket.keys)()  # moto copies every version it knows for each listing
    lives = []
    for _ in range(2):
        name = f"machine-{next(_numbers)}"
        service.admin("machine_add", name=name)
        (job,) = wiring.machine_store().jobs(name)
        lives.append(Life(service, job))
    return lives


STORIES = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(DEEDS), st.sampled_from(NAMES)), min_size=1, max_size=25
)
WITH_THE_SERVICE = settings(
    max_examples=8,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # making a failure smaller takes minutes here
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def live(service: Service, story: list[tuple[int, str, str]], chance: random.Random) -> list[Life]:
    lives = new_lives(service)
    for which, deed, name in story:
        lives[which].do(deed, name, chance)
    return lives


@WITH_THE_SERVICE
@given(story=STORIES, seed=st.integers())
def test_shuffled_repeated_and_late_events_make_the_rows_a_rebuild_makes(
    service: Service, story: list[tuple[int, str, str]], seed: int
) -> None:
    chance = random.Random(seed)
    lives = live(service, story, chance)
    events = [event for one in lives for event in one.events]
    events += chance.sample(events, len(events) // 2)
    chance.shuffle(events)
    deliver(events, chance)
    for one in lives:
        found = rows_of(one.job)
        assert reconcile(one.job).differences == ()
        assert rows_of(one.job) == found == rebuilt(service, one.job)


@WITH_THE_SERVICE
@given(story=STORIES, seed=st.integers(), kept=st.floats(0, 1))
def test_a_reconcile_mends_what_was_lost_and_names_exactly_that(
    service: Service, story: list[tuple[int, str, str]], seed: int, kept: float
) -> None:
    chance = random.Random(seed)
    lives = live(service, story, chance)
    deliver([event for one in lives for event in one.events if chance.random() < kept], chance)
    for one in lives:
        before = rows_of(one.job)[0]
        told = {difference.key for difference in reconcile(one.job).differences}
        after = rows_of(one.job)
        lost = {name for name in before.keys() | after[0].keys() if before.get(name) != after[0].get(name)}
        assert told == {one.job.location.key(name) for name in lost}
        assert after == rebuilt(service, one.job)


def test_a_reconcile_in_many_short_calls_does_the_same(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.journeys.catalogue.reconcile_job.KEYS_A_BLOCK", 3)
    chance = random.Random(3)
    (one, _) = live(service, [(0, "put", name) for name in NAMES], chance)
    told: list[Any] = []
    after, calls = "", 0
    while True:
        done = reconcile_job(wiring.catalogue_context(web.now()), one.job, after, lambda: False)
        told += done.differences
        calls += 1
        if done.next is None:
            break
        after = done.next
    assert calls >= len(NAMES) // 3
    assert {difference.what for difference in told} == {"unknown"}
    assert sorted(difference.key for difference in told) == sorted(one.job.location.key(n) for n in NAMES)
    assert rows_of(one.job) == rebuilt(service, one.job)


def test_an_event_between_the_look_at_the_rows_and_the_write_wins(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(4)
    (one, _) = live(service, [(0, "put", NAMES[0]), (0, "put", NAMES[1])], chance)
    store = type(wiring.catalogue_store())
    write = store.write_page
    interrupted = []

    def write_late(self: Any, *arguments: Any) -> bool:
        if not interrupted:
            interrupted.append(True)
            one.do("put", NAMES[0], chance)
            deliver([one.events[-1]], chance)
        return write(self, *arguments)

    monkeypatch.setattr(store, "write_page", write_late)
    reconcile(one.job)
    assert interrupted
    assert rows_of(one.job) == rebuilt(service, one.job)


def test_a_set_row_that_does_not_add_up_is_mended_and_named(service: Service) -> None:
    chance = random.Random(5)
    (one, _) = live(service, [(0, "put", name) for name in NAMES[:3]], chance)
    deliver(one.events, chance)
    table = wiring._table()
    table.update(f"JOB#{one.job.machine}/system", f"SET#{SETS[0]}", {"volumes": "1-9"})
    (difference,) = reconcile(one.job).differences
    assert difference.what == "sum"
    assert "volumes 1-9" in difference.detail
    assert rows_of(one.job) == rebuilt(service, one.job)


def test_a_lasting_difference_is_told_to_the_owner_and_a_young_one_is_not(service: Service) -> None:
    (one, other) = live(service, [(0, "put", NAMES[0]), (1, "put", NAMES[0])], random.Random(6))
    service.now = datetime.now(timezone.utc)
    assert reconcile(one.job).differences[0].settling
    assert "differed from the bucket" not in service.admin("report_preview")["text"]
    service.now += timedelta(minutes=3)
    assert not reconcile(other.job).differences[0].settling
    assert f"catalogue of {other.job.machine}/system differed" in service.admin("report_preview")["text"]


def test_what_was_stored_before_its_job_was_added_comes_to_it(service: Service) -> None:
    names = [name for name in NAMES if SETS[0] in name and "data_" in name]
    for name in [*names, "notes.txt"]:
        service.put(f"attic/photos/{name}", b"bytes")
    assert service.catalogue(*[f"attic/photos/{name}" for name in names]) == {"batchItemFailures": []}
    assert [one["code"] for one in service.admin("findings")["findings"]] == ["unknown_job"]
    service.admin("machine_add", name="attic", jobs=["photos"])
    (job,) = wiring.machine_store().jobs("attic")
    service.now = datetime.now(timezone.utc) + timedelta(minutes=3)
    told = {one.key.rpartition("/")[2]: one.what for one in reconcile(job).differences}
    assert told == {**dict.fromkeys(names, "stray"), "notes.txt": "unknown"}
    assert service.admin("findings")["findings"] == []
    assert [row.name for row in wiring.catalogue_store().strays(BUCKET) if row.stored] == [
        "attic/photos/notes.txt"
    ]
    assert reconcile(job).differences == ()
    assert rows_of(job) == rebuilt(service, job)


def test_a_job_that_was_added_after_its_files_is_no_news_to_the_owner(service: Service) -> None:
    service.put(f"attic/photos/{NAMES[0]}", b"bytes")
    service.catalogue(f"attic/photos/{NAMES[0]}")
    service.admin("machine_add", name="attic", jobs=["photos"])
    service.now = datetime.now(timezone.utc) + timedelta(minutes=3)
    (job,) = wiring.machine_store().jobs("attic")
    assert reconcile(job).differences
    assert "differed from the bucket" not in service.admin("report_preview")["text"]


def test_what_an_earlier_call_found_of_a_large_job_is_told_as_well(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.journeys.catalogue.reconcile_job.KEYS_A_BLOCK", 1)
    (one, _) = live(service, [(0, "put", NAMES[0]), (0, "put", NAMES[1])], random.Random(7))
    deliver(one.events[1:], random.Random(7))
    service.now = datetime.now(timezone.utc) + timedelta(minutes=3)
    done = reconcile_job(wiring.catalogue_context(web.now()), one.job, "", lambda: False)
    assert done.next is not None
    assert (
        reconcile_job(wiring.catalogue_context(web.now()), one.job, done.next, lambda: True).differences == ()
    )
    assert "differed from the bucket" in service.admin("report_preview")["text"]
