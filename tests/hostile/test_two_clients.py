"""Two clients on one token: one finishes, the other is told, and every sealed set is whole.

The second is a twin that was set up with the same token, or a clone of the first one's disk, journal and run included.
Each does one call at a time, in any order; the first may sleep for as long as a lease lasts.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.honest_laptop import HonestLaptop
from tests.hostile.memory_aws import service_in_memory
from tests.hostile.presigned_s3 import signing_clock
from tests.hostile.vault import Vault
from tests.service.conftest import Service

TOLD = {"run_in_progress", "lease_lost", "set_sealed"}
MOST_STEPS = 400
"""Many more than two backups take, one of which waits for a seal that another left."""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with (
        pytest.MonkeyPatch.context() as patch,
        service_in_memory(patch) as service,
        signing_clock(patch, service),
    ):
        yield service


def new_vault(service: Service) -> Vault:
    service.s3.clear()
    service.table.clear()
    token = service.enrolled("anna-laptop")
    service.discards.clear()
    return Vault(service, machine="anna-laptop", token=token)


def clone_of(laptop: HonestLaptop) -> HonestLaptop:
    """What a copy of its disk knows: nothing that was in memory only."""
    clone = HonestLaptop(laptop.s3, laptop.token, laptop.known_run, copy.deepcopy(laptop.unfinished))
    clone.finished, clone.newest = dict(laptop.finished), laptop.newest
    return clone


def is_told(laptop: HonestLaptop) -> bool:
    """The real client ends then; it does not try again at once."""
    return bool(TOLD & set(laptop.refusals))


def goes_on(laptop: HonestLaptop) -> bool:
    return not laptop.idle and not is_told(laptop)


@dataclass
class Span:
    """From the first run that a client was given to the end of its work, in turns."""

    began: int | None = None
    ended: int | None = None

    def note(self, laptop: HonestLaptop, turn: int) -> None:
        if self.began is None and laptop.run is not None:
            self.began = turn
        if self.ended is None and (laptop.finished or not goes_on(laptop)):
            self.ended = turn

    def overlaps(self, other: Span) -> bool:
        if None in (self.began, self.ended, other.began, other.ended):
            return False
        return self.began < other.ended and other.began < self.ended  # type: ignore[operator]


HOW_OFTEN = {"suppress_health_check": list(HealthCheck)}
STORIES = given(
    volumes=st.integers(1, 3),
    offset=st.integers(0, 16),
    cloned=st.booleans(),
    order=st.integers(0, 2**24 - 1),
    sleeps=st.booleans(),
)
"""``offset``: the first one's steps before the second begins, with or without a sleep in between. ``order``: whose
turn it is from then on, a bit for each."""


def tell(service: Service, volumes: int, offset: int, cloned: bool, order: int, sleeps: bool) -> None:
    vault = new_vault(service)
    first = HonestLaptop(vault, vault.token)
    first.begin("full", volumes)
    for _ in range(offset):
        first.step()
    second = clone_of(first) if cloned else HonestLaptop(vault, vault.token)
    if second.unfinished is None:
        second.begin("full", volumes)
    service.now += timedelta(minutes=21 if sleeps else 0)
    spans = Span(), Span()
    for turn in range(MOST_STEPS):
        for span, laptop in zip(spans, (first, second), strict=True):
            span.note(laptop, turn)
        awake = [laptop for laptop in (first, second) if goes_on(laptop)]
        if not awake:
            break
        laptop = awake[(order >> turn % 24 & 1) % len(awake)]
        laptop.step()
        service.now += timedelta(seconds=1)
        vault.tell()
        vault.check(told=True)
    assert not goes_on(first), "each comes to an end"
    assert not goes_on(second)
    assert first.finished or second.finished, "one finishes"
    assert all(laptop.finished or is_told(laptop) for laptop in (first, second)), "the other is told"
    assert len(vault.sealed) == 1 or not spans[0].overlaps(spans[1]), "two at a time never seal two sets"
    vault.check_bytes()
    for laptop in (first, second):
        for set_id, files in laptop.finished.items():
            stored = vault.sealed[set_id].files
            assert {one: vault.contents[vault.prefix + one, stored[one]] for one in files} == files


@settings(max_examples=80, derandomize=True, database=None, **HOW_OFTEN)
@STORIES
def test_one_finishes_and_the_other_is_told(service: Service, **story: object) -> None:
    tell(service, **story)  # type: ignore[arg-type]


@pytest.mark.soak
@settings(max_examples=20_000, **HOW_OFTEN)
@STORIES
def test_one_finishes_and_the_other_is_told_however_often_one_tries(
    service: Service, **story: object
) -> None:
    tell(service, **story)  # type: ignore[arg-type]


def test_a_second_client_learns_at_once_that_another_is_at_work(service: Service) -> None:
    vault = new_vault(service)
    first, second = HonestLaptop(vault, vault.token), HonestLaptop(vault, vault.token)
    first.begin("full", 2)
    first.step()
    second.begin("full", 2)
    second.step()
    assert second.refusals == ["run_in_progress"]
    assert "A second backup" in service.admin("report_preview")["text"]


def test_one_after_the_other_both_finish(service: Service) -> None:
    vault = new_vault(service)
    for _ in range(2):
        laptop = HonestLaptop(vault, vault.token)
        laptop.begin("full", 2)
        for _ in range(16):
            laptop.step()
        assert laptop.finished
        assert not laptop.refusals
    vault.tell()
    vault.check(told=True)
    assert len(vault.sealed) == 2
