"""Letting go is ended, or crossed, after each single call to AWS: the next run finishes it, and nothing else is
touched."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from chalicelib.domain.backups.names import SetId
from tests.hostile.memory_aws import service_in_memory
from tests.service.interrupted import Calls, Killed, kill
from tests.service.letting_go import TAG, Archive


@pytest.fixture(scope="module")
def calls() -> Iterator[Calls]:
    with pytest.MonkeyPatch.context() as patch:
        yield Calls(patch)


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Archive]]:
    """A machine with two chains, as often as one is wanted, each in a world of its own."""
    with service_in_memory(monkeypatch) as service:
        began = service.now

        def make() -> Archive:
            service.s3.clear()
            service.table.clear()
            service.discards.clear()
            service.now = began
            return Archive(service)

        yield make


def end_of(archive: Archive) -> tuple[list[str], dict[str, list[bool]], dict[str, dict[str, str]]]:
    """Rows, the markers and versions of each file, and the tags of the first version of each."""
    archive.deliver()
    versions = archive.versions()
    rows = [f"{one.chain} {len(one.sets)} {one.files} {one.marked_at is not None}" for one in archive.rows()]
    markers = {key: [is_marker for _, is_marker in of_key] for key, of_key in versions.items()}
    tags = {
        key: archive.tags(key.removeprefix(archive.prefix), of_key[-1][0]) for key, of_key in versions.items()
    }
    return rows, markers, tags


def whole_listing(archive: Archive) -> None:
    """What the laptop is shown are whole sets: of one without its manifest it would give up the rest."""
    listed = archive.listed()
    manifests = {name for name in listed if ".manifest" in name}
    for name in listed:
        stem = name.replace("-signatures", "").replace("duplicity-new", "duplicity-inc")
        if "duplicity-full." in stem:
            set_name = "full." + stem.partition("full.")[2].partition(".")[0]
        else:
            parts = stem.partition("inc.")[2].split(".")
            set_name = f"inc.{parts[0]}.to.{parts[2]}"
        assert any(f"duplicity-{set_name}.manifest" in manifest for manifest in manifests), name


def goes_on(archive: Archive, newest: str) -> None:
    """A backup right after, and the next day's run."""
    archive.deliver()
    whole_listing(archive)
    archive.wait(minutes=30)
    archive.upload(newest)
    whole_listing(archive)
    assert archive.findings() == []
    archive.wait(days=1)
    archive.let_go()


def newest_of(archive: Archive) -> str:
    from chalicelib import wiring

    sets = wiring.catalogue_store().visible_sets(archive.job)
    return str(max((one.set_id for one in sets), key=lambda one: one.end))


def test_ended_after_any_call_it_is_finished_by_the_next_run_and_nothing_else_is_touched(
    fresh: Callable[[], Archive], calls: Calls
) -> None:
    archive = fresh()
    old, _ = archive.two_chains()
    newest = newest_of(archive)
    with calls.counted():
        archive.let_go()
    total = calls.number
    goes_on(archive, newest)
    undisturbed = end_of(archive)
    assert undisturbed[0] == [f"{old} 3 12 True"]
    assert sum(TAG.items() <= tags.items() for tags in undisturbed[2].values()) == 12
    assert total > 60
    for number in range(1, total + 1):
        archive = fresh()
        archive.two_chains()
        with calls.counted(after=number, act=kill), contextlib.suppress(Killed):
            archive.let_go()
        goes_on(archive, newest)
        assert archive.service.discards == []
        assert archive.findings() == []
        assert end_of(archive) == undisturbed, calls.names


def test_two_at_once_equal_one_whenever_the_second_comes(fresh: Callable[[], Archive], calls: Calls) -> None:
    archive = fresh()
    archive.two_chains()
    newest = newest_of(archive)
    with calls.counted():
        archive.let_go()
    total = calls.number
    goes_on(archive, newest)
    undisturbed = end_of(archive)
    for number in range(1, total + 1):
        archive = fresh()
        archive.two_chains()
        with calls.counted(after=number, act=archive.let_go):
            archive.let_go()
        assert all(sum(is_marker for _, is_marker in of_key) <= 1 for of_key in archive.versions().values())
        goes_on(archive, newest)
        assert archive.findings() == []
        assert end_of(archive) == undisturbed, calls.names[:number]


def test_a_hold_that_comes_in_between_keeps_all_of_the_chain_or_comes_too_late(
    fresh: Callable[[], Archive], calls: Calls
) -> None:
    archive = fresh()
    old, _ = archive.two_chains()
    with calls.counted():
        archive.let_go()
    total, kept, held = calls.number, 0, frozenset([SetId.parse(old)])
    for number in range(1, total + 1):
        archive = fresh()
        archive.two_chains()
        with calls.counted(after=number, act=partial(archive.choose, held=held)):
            archive.let_go()
        assert len(archive.marked()) == (12 if archive.rows() else 0)
        kept += not archive.rows()
    assert 10 < kept < total


def undo(archive: Archive, marked: list[int]) -> None:
    """Begins to bring the chain back where that is possible; with how many files marked by then."""
    from chalicelib import wiring

    store = wiring.retention_store()
    if any(store.record(dataclasses.replace(row, undone_at=archive.service.now)) for row in archive.rows()):
        marked.append(len(archive.marked()))


def test_what_the_owner_brings_back_in_between_is_marked_no_more_from_then_on(
    fresh: Callable[[], Archive], calls: Calls
) -> None:
    archive = fresh()
    archive.two_chains()
    with calls.counted():
        archive.let_go()
    total, undone = calls.number, 0
    for number in range(1, total + 1):
        archive = fresh()
        archive.two_chains()
        marked: list[int] = []
        with calls.counted(after=number, act=partial(undo, archive, marked)):
            archive.let_go()
        if marked:
            undone += 1
            assert [len(archive.marked())] == marked
            archive.wait(days=1)
            archive.let_go()
            assert [len(archive.marked())] == marked
    assert undone >= 2
