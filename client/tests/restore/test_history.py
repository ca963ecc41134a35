"""What the sets of a job say about its paths, and the paths that somebody may have meant."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from panicroom.duplicity_files.signatures import SignatureEntry
from panicroom.reading.history import SetEntries, tree_at, versions
from panicroom.stored.similar_paths import similar_paths

BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)
State = dict[str, int]
"""The size of each file of a small tree."""

states = st.lists(
    st.dictionaries(st.sampled_from(["a", "b/c", "b/d", "e"]), st.integers(1, 9)), min_size=1, max_size=6
)


def entry(path: str, size: int | None) -> SignatureEntry:
    index = tuple(name.encode() for name in path.split("/"))
    if size is None:
        return SignatureEntry(index, "deleted")
    return SignatureEntry(index, "file", 0o644, size, size, 1)


def made(states: list[State], fulls: set[int]) -> list[SetEntries]:
    """A set for each state: a full one of everything, or an increment of what differs from the state before."""
    found = []
    before: State = {}
    for number, state in enumerate(states):
        is_full = number == 0 or number in fulls
        entries = [
            entry(path, size) for path, size in sorted(state.items()) if is_full or before.get(path) != size
        ]
        if not is_full:
            entries += [entry(path, None) for path in before.keys() - state.keys()]
        kind = "full" if is_full else "incremental"
        found.append(SetEntries(f"set {number}", BEGIN + timedelta(days=number), kind, 1, entries))  # type: ignore[arg-type]
        before = state
    return found


def below(state: State, folder: str) -> State:
    return {path: size for path, size in state.items() if f"{path}/".startswith(f"{folder}/")}


@given(states, st.sets(st.integers(0, 5)))
def test_the_tree_is_the_one_that_was_backed_up(found: list[State], fulls: set[int]) -> None:
    last_full = max([0, *(number for number in fulls if number < len(found))])
    tree = tree_at(made(found, fulls)[last_full:])
    assert {b"/".join(path).decode(): item.size_bytes for path, item in tree.items()} == found[-1]


@given(states, st.sets(st.integers(0, 5)), st.sampled_from(["a", "b", "b/c"]))
def test_versions_are_where_the_path_differs_from_the_set_before(
    found: list[State], fulls: set[int], folder: str
) -> None:
    """Also across a full backup."""
    index = tuple(name.encode() for name in folder.split("/"))
    expected = []
    before: State = {}
    for number, state in enumerate(found):
        now = below(state, folder)
        if now != before:
            changed = sum(before[path] != now[path] for path in before.keys() & now.keys())
            counts = len(now.keys() - before.keys()), changed, len(before.keys() - now.keys())
            expected.append((f"set {number}", *counts, len(now), sum(now.values())))
        before = now
    assert [
        (item.name, item.new, item.changed, item.deleted, item.files, item.size_bytes)
        for item in versions(made(found, fulls), index)
    ] == expected


def test_a_folder_whose_list_of_names_changed_is_no_version_of_its_own() -> None:
    folders = [SignatureEntry((b"b",), "folder", 0o755, time) for time in (1, 2)]
    sets = [
        SetEntries("full", BEGIN, "full", 1, [folders[0]]),
        SetEntries("inc", BEGIN, "incremental", 1, [folders[1]]),
    ]
    assert [item.name for item in versions(sets)] == ["full"]


def test_the_paths_that_may_be_meant_are_few_and_likely() -> None:
    known = ["letters", "letters/1998", "letters/1999", "photos", "photos/letters", "Über"]
    assert similar_paths("Letters", known) == ["letters"]
    assert similar_paths("u\u0308ber", known) == ["Über"]
    assert set(similar_paths("letters/1989", known)) == {"letters/1998", "letters/1999"}
    assert similar_paths("Letters\\1998", known) == ["letters/1998"]
    assert similar_paths("1998", known) == ["letters/1998"]
    assert similar_paths("photso", known) == ["photos"]
    assert similar_paths("no such thing", known) == []
