"""Which sets build on each other, and which hold a time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from panicroom.duplicity_files.stored_sets import Chain, chains
from panicroom.exit_codes import ExitCode, Problem
from panicroom.stored.chain import chain_at
from panicroom.wire import ListedFile

BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)


def day(number: int) -> datetime:
    return BEGIN + timedelta(days=number)


def stamp(number: int) -> str:
    return f"{day(number):%Y%m%dT%H%M%SZ}"


def listed(name: str, size: int = 1) -> ListedFile:
    return ListedFile(name, size, f"etag of {name}", "2026-01-01T00:00:00Z", "STANDARD")


def full(end: int, *, manifest: bool = True, volumes: tuple[int, ...] = (1,)) -> list[ListedFile]:
    names = [f"data_duplicity-full.{stamp(end)}.vol{number}.difftar.gpg" for number in volumes]
    names.append(f"meta_duplicity-full-signatures.{stamp(end)}.sigtar.gpg")
    names += [f"meta_duplicity-full.{stamp(end)}.manifest.gpg"] if manifest else []
    return [listed(name) for name in names]


def increment(start: int, end: int, *, manifest: bool = True) -> list[ListedFile]:
    times = f"{stamp(start)}.to.{stamp(end)}"
    names = [f"data_duplicity-inc.{times}.vol1.difftar.gpg"]
    names.append(f"meta_duplicity-new-signatures.{times}.sigtar.gpg")
    names += [f"meta_duplicity-inc.{times}.manifest.gpg"] if manifest else []
    return [listed(name) for name in names]


def days(chain: Chain) -> list[int]:
    return [(item.end - BEGIN).days for item in chain.sets]


def test_a_set_has_its_volumes_by_number_and_its_metadata() -> None:
    ((chain,), orphans, unsealed) = _parts(
        [*full(0, volumes=(1, 2, 10)), listed("notes.txt"), listed("meta_x")]
    )
    (item,) = chain.sets
    assert (item.name, item.kind, item.start, item.end) == (f"full.{stamp(0)}", "full", day(0), day(0))
    assert list(item.volumes) == [1, 2, 10]
    assert item.manifest is not None
    assert item.signatures is not None
    assert (orphans, unsealed) == ((), ())


def _parts(files: list[ListedFile]) -> tuple[tuple[Chain, ...], tuple[object, ...], tuple[object, ...]]:
    found = chains(files)
    return found.chains, found.orphans, found.unsealed


def test_increments_follow_their_full_set_and_two_full_sets_are_two_chains() -> None:
    found = chains(increment(1, 2) + full(0) + increment(0, 1) + full(5) + increment(5, 6))
    assert [days(chain) for chain in found.chains] == [[0, 1, 2], [5, 6]]
    assert days(chain_at(found, day(1))) == [0, 1]
    assert days(chain_at(found, day(4))) == [0, 1, 2]
    assert days(chain_at(found, day(5))) == [5]
    assert days(chain_at(found, None)) == [5, 6]


def test_a_time_before_the_oldest_set_is_refused_with_the_oldest() -> None:
    found = chains(full(3) + increment(3, 4))
    with pytest.raises(Problem, match=f"the oldest is of .* \\(--time {stamp(3)}\\)") as refused:
        chain_at(found, day(3) - timedelta(seconds=1))
    assert refused.value.exit_code == ExitCode.NOT_FOUND


@pytest.mark.parametrize("manifest_only", [True, False])
def test_the_time_of_an_increment_that_is_gone_is_refused_with_those_around_it(manifest_only: bool) -> None:
    """The increment after it still says that there was one; the full set before it is another answer."""
    rest = increment(0, 1, manifest=False) if manifest_only else []
    found = chains(full(0) + rest + increment(1, 2) + full(7))
    for asked in (day(1), day(1) + timedelta(hours=1), day(2), day(6)):
        with pytest.raises(Problem, match=f"--time {stamp(0)}.*--time {stamp(7)}") as refused:
            chain_at(found, asked)
        assert refused.value.exit_code == ExitCode.NOT_FOUND
    assert days(chain_at(found, day(0) + timedelta(hours=5))) == [0]
    assert days(chain_at(found, None)) == [7]


def test_the_newest_set_is_not_passed_over_in_silence_when_its_base_is_missing() -> None:
    with pytest.raises(Problem, match="cannot be restored"):
        chain_at(chains(full(0) + increment(1, 2)), None)


def test_a_set_that_is_just_being_made_is_no_loss() -> None:
    found = chains(full(0) + increment(0, 1, manifest=False))
    assert days(chain_at(found, None)) == [0]
    assert days(chain_at(found, day(9))) == [0]


def test_two_increments_on_one_set_are_restored_each_on_its_own() -> None:
    found = chains(full(0) + increment(0, 1) + increment(0, 2) + increment(2, 3))
    assert [days(chain) for chain in found.chains] == [[0, 1], [0, 2, 3]]
    assert days(chain_at(found, day(1))) == [0, 1]
    assert days(chain_at(found, None)) == [0, 2, 3]


def test_a_set_left_out_takes_along_what_builds_on_it() -> None:
    false = f"inc.{stamp(0)}.to.{stamp(1)}"
    top = chains(full(0) + increment(0, 1), leave_out=[false])
    assert days(chain_at(top, None)) == [0]
    middle = chains(full(0) + increment(0, 1) + increment(1, 2), leave_out=[false])
    assert [item.name for item in middle.orphans] == [f"inc.{stamp(1)}.to.{stamp(2)}"]


def test_a_file_stored_in_two_forms_counts_once_and_the_encrypted_one() -> None:
    plain = listed(f"meta_duplicity-full.{stamp(0)}.manifest")
    for files in ([plain, *full(0)], [*full(0), plain]):
        manifest = chains(files).chains[0].sets[0].manifest
        assert manifest is not None
        assert manifest.name.endswith(".gpg")


def test_names_with_times_that_no_calendar_has_are_passed_over() -> None:
    files = [listed("meta_duplicity-full.20261399T999999Z.manifest.gpg"), *full(0)]
    assert [days(chain) for chain in chains(files).chains] == [[0]]


def test_nothing_stored_is_said() -> None:
    with pytest.raises(Problem, match="there is no backup"):
        chain_at(chains([]), None)


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), st.booleans()), max_size=14),
    st.randoms(),
    st.integers(0, 9),
)
def test_a_chain_is_whole_and_the_newest_of_its_time_or_there_is_none(
    made: list[tuple[int, int, bool]], order: object, asked: int
) -> None:
    files = [
        file
        for start, end, sealed in set(made)
        for file in (full(end, manifest=sealed) if start >= end else increment(start, end, manifest=sealed))
    ]
    order.shuffle(files)  # type: ignore[attr-defined]
    found = chains(files)
    known = [item for chain in found.chains for item in chain.sets]
    assert {item.name for item in known}.isdisjoint(item.name for item in (*found.orphans, *found.unsealed))
    try:
        chain = chain_at(found, day(asked))
    except Problem:
        return
    assert chain.sets[0].kind == "full"
    for before, after in zip(chain.sets, chain.sets[1:], strict=False):
        assert after.kind == "incremental"
        assert after.start == before.end
    assert all(item.manifest for item in chain.sets)
    ends = {item.end for item in (*known, *found.orphans)}
    assert chain.end == max(end for end in ends if end <= day(asked))
