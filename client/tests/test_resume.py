"""What a resumed set keeps, decided on bucket, local files and journal alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from panicroom.backup.change_search import plan_search
from panicroom.backup.resume import Decision, decide
from panicroom.duplicity_run.file_identity import changed_since, has_changed, identity_of
from panicroom.names import set_time
from panicroom.transfer.checked_set import CheckedSet
from panicroom.transfer.journal import Journal, JournalState, MadeVolume, StoredFile
from panicroom.wire import ListedFile

OPEN = "full.20261122T213347Z"
MANIFEST = f"meta_duplicity-{OPEN}.manifest"
SIGNATURES = "meta_duplicity-full-signatures.20261122T213347Z.sigtar"


def volume(number: int, set_name: str = OPEN) -> str:
    return f"data_duplicity-{set_name}.vol{number}.difftar.gpg"


def listed(name: str, etag: str = "e") -> ListedFile:
    return ListedFile(name, 100, etag, "2026-11-22T21:34:00Z", "STANDARD")


def journal_of(made: int, stored: tuple[int, ...], set_name: str = OPEN, **more: object) -> JournalState:
    volumes = {
        volume(number, set_name): MadeVolume(
            volume(number, set_name), set_name, number, number * 1000, number * 100, 1.0, "/home", **more
        )
        for number in range(1, made + 1)
    }
    files = {
        volume(number, set_name): StoredFile(volume(number, set_name), set_name, 100, "aa", "e")
        for number in stored
    }
    return JournalState(volumes, files)


LOCAL = {f"{MANIFEST}.part": 100_000, f"{SIGNATURES}.part": 1_000_000}


def decided(
    bucket: list[ListedFile],
    journal: JournalState,
    local: dict[str, int] = LOCAL,
    changed: tuple[int, ...] = (),
    source: str = "/home",
) -> Decision:
    return decide(bucket, local, journal, source, lambda item: item.volume in changed)


def numbers(decision: Decision) -> list[int] | None:
    if decision.resume is None:
        return None
    return [int(name.split(".vol")[1].split(".")[0]) for name in decision.resume.volumes]


def test_nothing_is_left_over() -> None:
    assert decided([], journal_of(0, ()), {}) == Decision(None, (), (), JournalState({}, {}))


def test_volumes_without_a_gap_are_kept_and_the_last_is_made_again() -> None:
    """Of 1 to 4 stored, 1 to 3 keep their signatures; the local files are cut to exactly these."""
    decision = decided([listed(volume(n)) for n in (1, 2, 3, 4)], journal_of(5, (1, 2, 3, 4)))
    assert numbers(decision) == [1, 2, 3, 4]
    assert decision.resume is not None
    assert decision.resume.last_kept.volume == 3
    assert decision.resume.cut == {f"{MANIFEST}.part": 400, f"{SIGNATURES}.part": 3000}
    assert decision.discard == ()
    assert decision.remove == ()


def test_what_arrived_out_of_order_is_discarded() -> None:
    """Volume 5 without 4 could pass for a volume of the resumed run later."""
    bucket = [listed(volume(n)) for n in (1, 2, 3, 5)]
    decision = decided(bucket, journal_of(6, (1, 2, 3, 5)))
    assert numbers(decision) == [1, 2, 3]
    assert decision.discard == (volume(5),)
    assert set(decision.journal.stored) == {volume(1), volume(2), volume(3)}


def test_a_volume_with_other_bytes_than_the_journal_knows_is_not_trusted() -> None:
    bucket = [listed(volume(1)), listed(volume(2)), listed(volume(3), etag="other"), listed(volume(4))]
    decision = decided(bucket, journal_of(4, (1, 2, 3, 4)))
    assert numbers(decision) == [1, 2]
    assert decision.discard == (volume(3), volume(4))


def test_a_volume_that_s3_confirmed_to_nobody_is_not_trusted() -> None:
    """The kill came between S3's answer and the journal."""
    assert numbers(decided([listed(volume(n)) for n in (1, 2, 3)], journal_of(4, (1, 2)))) == [1, 2]


@pytest.mark.parametrize("stored", [(), (1,), (2, 3)])
def test_with_less_than_two_volumes_the_set_is_begun_afresh(stored: tuple[int, ...]) -> None:
    decision = decided([listed(volume(n)) for n in stored], journal_of(3, stored))
    assert decision.resume is None
    assert decision.discard == tuple(volume(n) for n in stored)
    assert set(decision.remove) == set(LOCAL)
    assert decision.journal == JournalState({}, {})


def test_a_file_that_changed_in_the_middle_sends_the_set_back_to_before_it() -> None:
    """The volumes 2 and 3 end in the middle of a file that has changed since; 1 does not."""
    journal = journal_of(5, (1, 2, 3, 4, 5), open_file="ff")
    decision = decided([listed(volume(n)) for n in range(1, 6)], journal, changed=(2, 3, 4))
    assert numbers(decision) == [1, 2]
    assert decision.discard == (volume(3), volume(4), volume(5))


def test_nothing_is_kept_if_the_first_volume_ends_in_a_file_that_changed() -> None:
    journal = journal_of(3, (1, 2, 3), open_file="ff")
    assert decided([listed(volume(n)) for n in (1, 2, 3)], journal, changed=(1, 2)).resume is None


def test_local_files_that_a_power_cut_shortened_lead_further_back() -> None:
    local = {**LOCAL, f"{SIGNATURES}.part": 2500}
    decision = decided([listed(volume(n)) for n in (1, 2, 3, 4)], journal_of(5, (1, 2, 3, 4)), local)
    assert numbers(decision) == [1, 2, 3]


def test_a_lost_cache_means_a_fresh_set() -> None:
    decision = decided([listed(volume(n)) for n in (1, 2, 3)], journal_of(3, (1, 2, 3)), {})
    assert decision.resume is None
    assert decision.discard == tuple(volume(n) for n in (1, 2, 3))


def test_a_set_begun_on_another_folder_is_begun_afresh() -> None:
    bucket = [listed(volume(n)) for n in (1, 2, 3)]
    assert decided(bucket, journal_of(3, (1, 2, 3)), source="/home/other").resume is None
    assert decided(bucket, journal_of(3, (1, 2, 3))).resume is not None


def test_partial_files_of_a_sealed_set_are_removed_and_nothing_else_of_it() -> None:
    """Killed between "manifest stored" and duplicity's next line, which otherwise jams the job for ever."""
    bucket = [listed(volume(1)), listed(f"{MANIFEST}.gpg")]
    local = {**LOCAL, f"{MANIFEST}.gpg": 10, f"{SIGNATURES}.gz": 10, "lockfile": 0}
    decision = decided(bucket, journal_of(1, (1,)), local)
    assert decision.resume is None
    assert decision.discard == ()
    assert set(decision.remove) == {*LOCAL, f"{MANIFEST}.gpg"}


def test_stored_signatures_of_an_open_set_are_discarded() -> None:
    bucket = [*(listed(volume(n)) for n in (1, 2, 3)), listed(f"{SIGNATURES}.gpg")]
    decision = decided(bucket, journal_of(3, (1, 2, 3)))
    assert numbers(decision) == [1, 2, 3]
    assert decision.discard == (f"{SIGNATURES}.gpg",)


def test_an_increment_is_resumed_only_on_the_newest_finished_set() -> None:
    increment = "inc.20261122T213347Z.to.20261123T213347Z"
    local = {
        f"meta_duplicity-{increment}.manifest.part": 10_000,
        "meta_duplicity-new-signatures.20261122T213347Z.to.20261123T213347Z.sigtar.part": 10_000,
    }
    bucket = [listed(f"{MANIFEST}.gpg"), *(listed(volume(n, increment)) for n in (1, 2, 3))]
    journal = journal_of(3, (1, 2, 3), increment)
    assert numbers(decided(bucket, journal, local)) == [1, 2, 3]
    newer = listed("meta_duplicity-full.20261124T213347Z.manifest.gpg")
    assert decided([*bucket, newer], journal, local).resume is None


def test_a_changed_file_is_noticed_by_its_change_time_alone(tmp_path: Path) -> None:
    """Same size, same time of modification: the change time cannot be turned back."""
    path = tmp_path / "file"
    path.write_bytes(b"one")
    status, identity = path.lstat(), identity_of(path)
    later = status.st_ctime + 100
    assert not has_changed(path, later, identity)
    assert has_changed(path, status.st_ctime - 1, identity)
    assert has_changed(path, later, replace_last(identity))
    path.unlink()
    assert has_changed(path, later, identity)
    assert changed_since(5, 20, 10)
    assert not changed_since(5, 6, 10)


def replace_last(identity: tuple[int, ...] | None) -> tuple[int, ...]:
    assert identity is not None
    return (*identity[:-1], identity[-1] + 1)


def test_the_journal_forgets_a_stored_volume_that_is_made_again(tmp_path: Path) -> None:
    """Until S3 has confirmed its new bytes, what is there is somebody else's."""
    journal = Journal(tmp_path / "journal.jsonl")
    made = MadeVolume(volume(1), OPEN, 1, 10, 20, 1.5, "/home", "ff", (1, 2, 3, 4))
    stored = StoredFile(volume(1), OPEN, 100, "aa", "e")
    journal.made(made)
    journal.stored(stored)
    assert journal.read() == JournalState({volume(1): made}, {volume(1): stored})
    journal.made(replace(made, signature_bytes=11))
    assert journal.read().stored == {}


def test_a_torn_line_costs_the_journal_only_that_line(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    stored = StoredFile(volume(1), OPEN, 100, "aa", "e")
    with journal.path.open("w") as file:
        file.write('{"stored": {"name": "half a li')
    journal.stored(stored)
    assert journal.read().stored == {volume(1): stored}
    journal.rewrite(journal.read())
    assert journal.read().stored == {volume(1): stored}


CHECKED = CheckedSet(OPEN, "/home", True, ("61",))
INCREMENT = "inc.20261122T213347Z.to.20261123T213347Z"


def test_the_journal_knows_what_a_set_skipped_and_that_all_its_runs_searched(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.begun(CheckedSet("full.20200101T000000Z", "/home"))
    journal.begun(CheckedSet(OPEN, "/home"))
    journal.skipped("full.20200101T000000Z", b"of another set")
    journal.skipped(OPEN, b"a")
    journal.skipped(OPEN, b"a")
    with journal.path.open("a") as file:
        file.write('{"skipped": {"set": 1}}\n{"begun": 7}\n')
        file.write(json.dumps({"skipped": {"set": OPEN, "path": "no hex"}}) + '\n{"sk')
    with journal.path.open("ab") as binary:
        binary.write(b"\xff\xfe\0\n")  # what a power cut may leave
    assert journal.read().checked == CHECKED
    journal.rewrite(journal.read())
    assert journal.read().checked == CHECKED
    journal.begun(CheckedSet(OPEN, "/home", change_time=False))  # resumed, with other settings
    assert journal.read().checked == replace(CHECKED, change_time=False)


def test_what_was_skipped_is_kept_with_the_set_that_goes_on_and_only_with_it() -> None:
    bucket = [listed(volume(n)) for n in (1, 2, 3)]
    journal = replace(journal_of(4, (1, 2, 3)), checked=CHECKED)
    assert decided(bucket, journal).journal.checked == CHECKED
    assert decided([], journal).journal.checked is None
    other = replace(journal, checked=replace(CHECKED, set="full.20200101T000000Z"))
    assert decided(bucket, other).journal.checked is None


@pytest.mark.parametrize(
    ("sealed", "known", "source", "change_time", "since"),
    [
        ([OPEN], CHECKED, "/home", True, None),
        ([OPEN], replace(CHECKED, change_time=False), "/home", False, None),
        ([OPEN], replace(CHECKED, change_time=False), "/home", True, "full"),
        ([OPEN], None, "/home", True, "full"),
        ([OPEN, INCREMENT], CHECKED, "/home", True, "full"),  # another computer, or an older client, made one
        ([OPEN, INCREMENT], replace(CHECKED, set=INCREMENT), "/home", True, None),
        ([OPEN], CHECKED, "/moved", True, 0.0),
        ([], CHECKED, "/home", True, None),
    ],
)
def test_the_search_goes_back_to_the_last_set_that_missed_nothing(
    sealed: list[str], known: CheckedSet | None, source: str, change_time: bool, since: float | str | None
) -> None:
    if since == "full":
        since = set_time(OPEN).timestamp() - 1200
    search = plan_search(sealed, Path("changes.json"), known, source, change_time)
    assert search.since == since
    assert (search.unread_file is not None) == (since is None and bool(sealed))
    assert search.change_time is change_time


def test_a_memory_that_a_power_cut_emptied_is_none(tmp_path: Path) -> None:
    path = tmp_path / "changes.json"
    CHECKED.store(path)
    assert CheckedSet.load(path) == CHECKED
    for text in ("", "null", "{}", '{"set": 1}', "[1"):
        path.write_text(text)
        assert CheckedSet.load(path) is None
