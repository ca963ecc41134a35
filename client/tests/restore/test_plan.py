"""The plan of a restore: which volumes a file needs, what cannot be had, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from panicroom.duplicity_files.contents import SetContents
from panicroom.duplicity_files.manifest import PathIndex, VolumeRange
from panicroom.duplicity_files.signatures import SignatureEntry
from panicroom.restore import plan as planning
from panicroom.restore.plan import make_plan, newest_sets
from panicroom.wire import ListedFile


def index(path: str) -> PathIndex:
    return tuple(path.encode().split(b"/")) if path else ()


def backup_set(
    number: int,
    kinds: Mapping[str, str],
    volumes: Mapping[int, tuple[str, str]],
    absent: tuple[int, ...] = (),
) -> SetContents:
    """A set in which ``kinds`` of paths were new, changed or deleted; ``volumes`` by number with their ranges."""
    ranges = {
        key: VolumeRange(key, index(first), index(last), None, None, {})
        for key, (first, last) in volumes.items()
    }
    stored = {
        key: ListedFile(f"set{number}.vol{key}", 1000 + key, "e", "2026-11-29T00:00:00Z", "STANDARD")
        for key in ranges
        if key not in absent
    }
    entries = {
        index(path): SignatureEntry(index(path), kind, 0o644, size_bytes=512, block_bytes=512)  # type: ignore[arg-type]
        for path, kind in kinds.items()
    }
    digests = {path: b"%d" % number for path, entry in entries.items() if entry.kind == "file"}
    return SetContents(f"set{number}", number * 100, ranges, stored, entries, digests)


FULL = backup_set(
    0,
    {"": "folder", "a": "file", "b": "folder", "b/x": "file", "b/y": "file", "c": "link", "d": "file"},
    {1: ("", "b"), 2: ("b/x", "b/y"), 3: ("b/y", "d")},
)


def test_a_file_needs_the_volumes_that_hold_it_and_no_others() -> None:
    plan = make_plan([FULL], [index("b/x")])
    assert plan.needs == {index("b/x"): ((0, 2),)}
    assert list(plan.entries) == [index(""), index("b"), index("b/x")]
    (wanted,) = plan.wanted()
    assert (wanted.set, wanted.numbers, wanted.size_bytes) == ("set0", (2,), 1002)


def test_a_file_over_two_volumes_needs_both() -> None:
    assert make_plan([FULL], [index("b/y")]).needs == {index("b/y"): ((0, 2), (0, 3))}


def test_folders_links_and_deleted_paths_need_no_volume() -> None:
    later = backup_set(1, {"d": "deleted"}, {1: ("d", "d")})
    plan = make_plan([FULL, later], [index("c"), index("d")])
    assert plan.needs == {}
    assert index("c") in plan.entries
    assert index("d") not in plan.entries
    assert plan.missing == (index("d"),)


def test_a_changed_file_needs_its_whole_form_and_each_difference() -> None:
    second = backup_set(1, {"a": "file"}, {1: ("a", "a")})
    third = backup_set(2, {"b/x": "file"}, {1: ("a", "d")})  # the range covers it; it has not changed
    fourth = backup_set(3, {"a": "file"}, {4: ("a", "a")})
    plan = make_plan([FULL, second, third, fourth], [index("a")])
    assert plan.needs == {index("a"): ((0, 1), (1, 1), (3, 4))}
    assert plan.digests[index("a")] == b"3"


def test_what_came_before_a_file_was_something_else_is_not_needed() -> None:
    second = backup_set(1, {"a": "folder", "a/in": "file"}, {1: ("a", "a/in")})
    third = backup_set(2, {"a": "file", "a/in": "deleted"}, {1: ("a", "a/in")})
    plan = make_plan([FULL, second, third])
    assert plan.needs[index("a")] == ((2, 1),)
    assert index("a/in") not in plan.entries


def test_any_list_of_paths_means_their_union() -> None:
    union = make_plan([FULL], [index("b"), index("b/x"), index("b/x"), index("nothing")])
    assert union.entries == make_plan([FULL], [index("b")]).entries
    assert union.missing == (index("nothing"),)
    assert make_plan([FULL], [()]).entries == make_plan([FULL]).entries


def test_files_of_absent_and_damaged_volumes_are_lost_and_all_others_are_not() -> None:
    holed = backup_set(
        0, {"a": "file", "b": "file", "c": "file"}, {1: ("a", "b"), 2: ("b", "c")}, absent=(2,)
    )
    plan = make_plan([holed])
    assert list(plan.needs) == [index("a")]
    assert plan.lost == {index("b"): planning.ABSENT, index("c"): planning.ABSENT}
    assert make_plan([FULL], damaged={"set0.vol3"}).lost == {
        index("b/y"): planning.DAMAGED,
        index("d"): planning.DAMAGED,
    }


def test_a_lost_file_has_the_newest_set_as_of_which_it_can_be_had() -> None:
    second = backup_set(1, {"a": "file", "d": "file"}, {1: ("a", "d")})
    third = backup_set(2, {"a": "file"}, {1: ("a", "a")})
    sets = [FULL, second, third]
    assert newest_sets([index("a")], sets, {"set2.vol1"}) == {index("a"): 1}
    assert newest_sets([index("a"), index("d")], sets, {"set1.vol1"}) == {index("a"): 0, index("d"): 0}
    assert newest_sets([index("a")], sets, {"set0.vol1"}) == {}


def test_names_that_lead_out_of_the_folder_are_refused() -> None:
    for name in ("../evil", "..", "b/../../evil", "b/./x"):
        hostile = backup_set(1, {name: "file"}, {1: (name, name)})
        plan = make_plan([FULL, hostile])
        assert plan.lost[index(name)] == planning.UNSAFE_NAME
        assert index(name) not in plan.entries


def test_nothing_below_a_link_is_ever_made() -> None:
    hostile = backup_set(1, {"c/authorized_keys": "file", "c/sub": "folder"}, {1: ("c", "d")})
    plan = make_plan([FULL, hostile])
    assert plan.lost == {
        index("c/authorized_keys"): planning.BELOW_NO_FOLDER,
        index("c/sub"): planning.BELOW_NO_FOLDER,
    }
    assert plan.entries[index("c")].kind == "link"


PATHS = ["a", "b", "b/x", "b/y", "b/x/deep", "c"]
CHANGES = st.dictionaries(
    st.sampled_from(PATHS), st.sampled_from(["file", "folder", "link", "deleted"]), max_size=5
)


@given(st.lists(CHANGES, min_size=1, max_size=6), st.sets(st.integers(0, 5), max_size=3))
def test_what_is_planned_lost_or_missing_is_all_there_is(
    changes: list[dict[str, str]], damaged: set[int]
) -> None:
    """Every path that the last entry calls existing is either planned or lost, never both; a planned file needs no
    damaged volume, and its last volume is of the set that changed it last."""
    sets = [
        backup_set(number, {"": "folder", **kinds}, {1: ("", "z")}) for number, kinds in enumerate(changes)
    ]
    bad = {(number, 1) for number in damaged}
    plan = make_plan(sets, damaged={f"set{number}.vol1" for number in damaged})
    latest: dict[str, tuple[int, str]] = {}
    for number, kinds in enumerate(changes):
        latest.update({path: (number, kind) for path, kind in kinds.items()})
    for path, (number, kind) in latest.items():
        there, lost = index(path) in plan.entries, index(path) in plan.lost
        if kind == "deleted":
            assert not lost
        else:
            assert there != lost
        if kind == "file" and there:
            assert not bad.intersection(plan.needs[index(path)])
            assert plan.needs[index(path)][-1] == (number, 1)
    for path in plan.entries:
        for length in range(len(path)):
            assert plan.entries[path[:length]].kind == "folder"
