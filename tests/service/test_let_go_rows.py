"""The row of a chain that was let go, kept and read again."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import Location, SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.retention.facts import OwnerChoices
from chalicelib.domain.retention.let_go import let_go_of
from tests.service.conftest import NOW, Service

FULL = SetId(None, NOW - timedelta(days=400))
SETS = [
    BackupSet(FULL, current={"GLACIER_IR": Tally(40, 10**9), "STANDARD": Tally(2, 10**6)}),
    BackupSet(
        SetId(FULL.end, NOW - timedelta(days=390)),
        current={"GLACIER_IR": Tally(1, 10**7)},
        noncurrent={"STANDARD": Tally(3, 500)},
    ),
]


def test_what_each_set_had_outlives_its_files(service: Service) -> None:
    from chalicelib import wiring

    store, job = wiring.retention_store(), Job("anna-laptop", "system", Location("b", "anna-laptop/system/"))
    gone = let_go_of("anna-laptop", "system", FULL, SETS, NOW)
    assert store.begin(gone, job, OwnerChoices())
    assert store.let_gos() == [gone]
    marked = dataclasses.replace(gone, marked_at=NOW + timedelta(minutes=5))
    assert store.record(marked)
    assert store.let_gos(job) == [marked]


def test_older_versions_stay_when_a_chain_is_let_go_and_go_when_it_is_dropped(service: Service) -> None:
    gone = let_go_of("anna-laptop", "system", FULL, SETS, NOW)
    dropped = let_go_of("anna-laptop", "system", FULL, SETS, NOW, dropped=True)
    assert (gone.files, gone.size_bytes) == (43, 10**9 + 10**6 + 10**7)
    assert (dropped.files, dropped.size_bytes) == (46, 10**9 + 10**6 + 10**7 + 500)
    assert dropped.went[SETS[1].set_id] == {"GLACIER_IR": Tally(1, 10**7), "STANDARD": Tally(3, 500)}
