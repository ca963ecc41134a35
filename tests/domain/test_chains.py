"""A chain is a full set and all that hangs on it."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone

import pytest

from chalicelib.domain.backups.chains import BackupChain, chains_of, count_needing, newest_chain
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.sets import BackupSet

T0 = datetime(2026, 11, 1, tzinfo=timezone.utc)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def a_set(start: int | None, end: int, sealed: float | None = -1) -> BackupSet:
    """Named by days; sealed a minute after its end, unless on another day or (``None``) not at all."""
    ends = T0 + end * DAY
    sealed_at = None if sealed is None else ends + MINUTE if sealed == -1 else T0 + sealed * DAY
    set_id = SetId(None if start is None else T0 + start * DAY, ends)
    return BackupSet(set_id, frozenset({1}), sealed_at and 1, has_signatures=True, sealed_at=sealed_at)


FULL, FIRST, SECOND = a_set(None, 0), a_set(0, 1), a_set(1, 2)


def only(sets: list[BackupSet]) -> BackupChain:
    (chain,) = chains_of(sets).chains
    return chain


def test_a_chain_has_its_forks_and_open_sets_too_in_the_order_of_the_names() -> None:
    fork, on_the_fork, growing = a_set(0, 3), a_set(3, 4), a_set(2, 5, None)
    found = chains_of([growing, on_the_fork, SECOND, fork, FIRST, FULL])
    assert only([growing, on_the_fork, SECOND, fork, FIRST, FULL]).sets == (
        FULL, FIRST, SECOND, fork, on_the_fork, growing
    )  # fmt: skip
    assert found.others == ()


def test_what_hangs_on_no_sealed_full_set_is_no_chain() -> None:
    open_full, on_it, orphan = a_set(None, 5, None), a_set(5, 6), a_set(8, 9)
    found = chains_of([FULL, open_full, on_it, orphan])
    assert [chain.sets for chain in found.chains] == [(FULL,)]
    assert found.others == (open_full, on_it, orphan)


def test_chains_come_by_s3s_time_of_their_full_sets_whatever_their_names_say() -> None:
    backdated = a_set(None, -500, sealed=9)
    assert [chain.full for chain in chains_of([backdated, FULL]).chains] == [FULL, backdated]


def test_a_name_that_goes_back_in_time_makes_no_ring() -> None:
    backwards = a_set(2, 0, sealed=3)
    assert only([FULL, FIRST, SECOND, backwards]).sets == (FULL, backwards, FIRST, SECOND)


@pytest.mark.parametrize(
    ("sets", "is_sound"),
    [
        ([FULL, FIRST, SECOND], True),
        ([FULL, FIRST, a_set(1, 2, None)], True),
        ([FULL, FIRST, dataclasses.replace(SECOND, volumes=frozenset())], False),
        ([FULL, FIRST, dataclasses.replace(SECOND, volumes_promised=None)], False),
        ([dataclasses.replace(FULL, has_signatures=False), FIRST], False),
        ([FULL, FIRST, a_set(0, 2)], False),  # a fork
        ([FULL, FIRST, a_set(1, 0, sealed=3)], False),  # two with one end
        ([FULL, FIRST, a_set(1, -1, sealed=3)], False),  # back in time
        ([FULL, a_set(0, 1, sealed=-1 + 1e-9)], False),  # sealed before its name
        (
            [a_set(None, 0, sealed=2), FIRST],
            False,
        ),  # a full set that was stored, or copied, after what hangs on it
    ],
)
def test_sound_is_what_can_be_restored_as_far_as_anybody_sees(sets: list[BackupSet], is_sound: bool) -> None:
    assert only(sets).is_sound is is_sound


@pytest.mark.parametrize(("late", "is_sound"), [(10 * MINUTE, True), (10 * MINUTE + MINUTE, False)])
def test_a_name_may_be_ten_minutes_ahead_of_s3(late: timedelta, is_sound: bool) -> None:
    ahead = dataclasses.replace(FULL, sealed_at=FULL.set_id.end - late)
    assert only([ahead]).is_sound is is_sound


def test_the_newest_chain_is_of_the_sealed_full_set_that_is_named_last() -> None:
    older, growing, orphan = a_set(None, -9), a_set(None, 20, None), a_set(8, 9)
    newest = newest_chain([orphan, SECOND, older, FIRST, FULL, growing])
    assert newest is not None
    assert newest.sets == (FULL, FIRST, SECOND)
    assert newest_chain([FIRST, growing]) is None


def test_each_set_is_needed_by_all_that_hang_on_it() -> None:
    fork, orphan, on_the_orphan = a_set(0, 3), a_set(8, 9), a_set(9, 10, None)
    needing = count_needing([FULL, FIRST, SECOND, fork, orphan, on_the_orphan])
    assert list(needing.values()) == [3, 1, 0, 0, 1, 0]
