"""Renamed folders are recognised by what is in them: they would be uploaded again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from panicroom.photos.moves import (
    MovedBetween,
    Renamed,
    is_same_folder,
    keeps_some,
    moved_between,
    renamed_folders,
)
from panicroom.photos.upload_again import price_text
from panicroom.photos.walk import FileSeen, Walk, WalkScope

MB = 2**20


def walk_of(**sizes_mb: int) -> Walk:
    """Files by path, ``__`` for a slash; the time of each follows from its size."""
    files = {
        path.replace("__", "/"): FileSeen(size * MB, 1000 + size, 5, size) for path, size in sizes_mb.items()
    }
    return Walk(WalkScope("/pile/2018"), files, 0)


BEFORE = walk_of(wedding__1=80, wedding__2=81, rome__1=82, x=83)


@pytest.mark.parametrize(
    ("now", "found"),
    [
        (BEFORE, []),
        (
            walk_of(Wedding__1=80, Wedding__2=81, rome__1=82, x=83),
            [Renamed("wedding", "Wedding", 2, 161 * MB)],
        ),
        (walk_of(a__wedding__1=80, a__wedding__2=81, rome__1=82, x=83), [Renamed("", "a", 2, 161 * MB)]),
        (
            walk_of(wedding__b1=80, wedding__b2=81, rome__1=82, x=83),
            [Renamed("wedding", "wedding", 2, 161 * MB)],
        ),
        (walk_of(wedding__1=80, wedding__2=81, Rome__1=82, x=83), [Renamed("rome", "Rome", 1, 82 * MB)]),
        (walk_of(wedding__1=80, rome__1=82, x=83), []),
        (walk_of(wedding__1=80, wedding__2=81, rome__1=82, x=83, new__1=84), []),
        (walk_of(wedding__1=80, wedding__2=81, rome__1=82, rome__x=83), [Renamed("", "rome", 1, 83 * MB)]),
    ],
    ids=[
        *("nothing", "another name", "put into a folder", "files renamed", "other case", "deleted", "new"),
        "moved into a folder",
    ],
)
def test_what_has_another_name_now_is_found(now: Walk, found: list[Renamed]) -> None:
    assert renamed_folders(BEFORE, now) == found


def test_a_copy_beside_the_folder_is_none() -> None:
    both = walk_of(wedding__1=80, wedding__2=81, rome__1=82, x=83, copy__1=80, copy__2=81)
    assert renamed_folders(BEFORE, both) == []


def test_a_few_small_files_are_uploaded_again_without_a_question() -> None:
    assert renamed_folders(walk_of(a__1=3, a__2=4), walk_of(b__1=3, b__2=4)) == []


def test_letters_that_another_system_takes_apart_are_named_as_what_they_are() -> None:
    renamed = Renamed("E\u0301te\u0301", "\u00c9t\u00e9", 2, 161 * MB)
    assert str(renamed) == "the letters with accents in \u00c9t\u00e9 are written in another way now"


def test_a_folder_deep_below_is_named_without_what_is_the_same() -> None:
    before = walk_of(italy__raw__day1__1=80, italy__raw__day1__2=81)
    now = walk_of(italy__raws__day1__1=80, italy__raws__day1__2=81)
    assert renamed_folders(before, now) == [Renamed("italy/raw", "italy/raws", 2, 161 * MB)]


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(11, 14), min_size=1),
    st.dictionaries(st.sampled_from("abcdef"), st.integers(11, 14)),
)
def test_no_more_is_renamed_than_is_new_and_was_there(before: dict[str, int], now: dict[str, int]) -> None:
    found = renamed_folders(walk_of(**before), walk_of(**now))
    new = sum(size for path, size in now.items() if path not in before)
    gone = sum(size for path, size in before.items() if path not in now)
    assert sum(one.bytes for one in found) <= min(new, gone) * MB


def test_what_went_from_one_job_into_another_is_found_by_its_sessions() -> None:
    before = {
        "photos-1": walk_of(wedding__1=80, wedding__raw__2=81, x=83).files,
        "photos-2": walk_of(y=90).files,
    }
    now = {"photos-1": walk_of(new=70).files, "photos-2": walk_of(y=90, a__b__1=80, a__2=81, x=83).files}
    assert sorted(moved_between(before, now), key=str) == [
        MovedBetween("photos-1", "photos-2", "", "", 1, 83 * MB),
        MovedBetween("photos-1", "photos-2", "wedding", "a", 2, 161 * MB),
    ]
    renamed = {"photos-1": walk_of(Wedding__1=80, Wedding__raw__2=81, x=83).files}
    assert moved_between({"photos-1": before["photos-1"]}, renamed) == []


def test_a_folder_in_which_more_than_a_tenth_of_the_files_stay_keeps_some() -> None:
    before = walk_of(**{f"f{number}": number for number in range(1, 20)})
    assert keeps_some(before, walk_of(f1=1, f2=2))
    assert not keeps_some(before, walk_of(f1=1, f2=3))


def test_the_same_folder_is_known_by_nine_tenths_of_its_bytes() -> None:
    assert is_same_folder(BEFORE, walk_of(wedding__1=80, wedding__2=81, rome__1=82, x=83, more=200))
    assert is_same_folder(BEFORE, walk_of(Wedding__1=80, Wedding__2=81, rome__1=82, x=83))
    assert not is_same_folder(BEFORE, walk_of(wedding__1=80, wedding__2=81))
    assert not is_same_folder(walk_of(), walk_of())


@pytest.mark.parametrize(
    ("usd", "rate", "text"),
    [
        (0.012, 2 * MB, "24.0 GB, $0.29 more a year, about 4 hours"),
        (None, None, "24.0 GB"),
        (0.0001, 10**9, "24.0 GB, less than a cent more a year, about a minute"),
    ],
)
def test_size_price_and_time_are_said_as_far_as_they_are_known(
    usd: float | None, rate: float | None, text: str
) -> None:
    assert price_text(24 * 2**30, usd, rate) == text
