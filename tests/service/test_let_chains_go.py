"""A chain goes when another one can stand in for it: hidden at one stroke, tagged, marked, and gone after the grace."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.adapters.s3_versions import VersionStore
from chalicelib.adapters.stores.thaw_store import AskedVolumes
from chalicelib.domain.audit.findings import new_finding
from chalicelib.domain.audit.notices import SECOND_RUN, Notice
from chalicelib.domain.backups.chains import chains_of
from chalicelib.domain.restore.thaws import Thaw
from chalicelib.domain.retention.let_go import UNDO_IMPOSSIBLE
from chalicelib.journeys.retention import extend_locks, let_chains_go
from chalicelib.wire import ThawState, ThawTier
from tests.hostile.honest_laptop import name_of
from tests.hostile.memory_aws import MemoryS3, error, service_in_memory
from tests.service.conftest import Service
from tests.service.interrupted import Calls
from tests.service.letting_go import STORAGE_TAG, TAG, Archive, full_set, next_set


@pytest.fixture(scope="module")
def calls() -> Iterator[Calls]:
    with pytest.MonkeyPatch.context() as patch:
        yield Calls(patch)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with service_in_memory(monkeypatch) as service:
        yield service


@pytest.fixture
def archive(service: Service) -> Archive:
    return Archive(service)


def test_the_old_chain_goes_whole_and_no_other_file_is_touched(archive: Archive) -> None:
    old, _ = archive.two_chains()
    before = archive.versions()
    ran = archive.let_go()
    assert [(row.chain, row.state, len(row.sets), row.files) for row in ran.let_go] == [
        (old, "hidden", 3, 12)
    ]
    marked = archive.marked()
    assert len(marked) == 12
    assert all(old.rpartition(".")[2] in name or "inc" in name or "new-signatures" in name for name in marked)
    for name, of_key in archive.versions().items():
        short = name.removeprefix(archive.prefix)
        if short in marked:
            (_, is_marker), (version, _) = of_key
            assert is_marker
            expected = {**TAG, **(STORAGE_TAG if ".vol" in short else {})}
            assert archive.tags(short, version) == expected
        else:
            assert of_key == before[name]
            assert TAG.items().isdisjoint(archive.tags(short, of_key[0][0]).items())
    archive.deliver()
    assert archive.findings() == []
    assert archive.let_go().let_go == ()
    assert archive.marked() == marked


# ---------------------------------------------------------------- what it waits for


def run_in_progress(archive: Archive) -> None:
    archive.service.run(archive.token)


def open_thaw(archive: Archive) -> None:
    from chalicelib import wiring

    now = archive.service.now
    thaw = Thaw("anna-laptop", "system", "t1", ThawState.THAWING, ThawTier.BULK, now, 1, 1, 3, now)
    wiring.thaw_store().put(thaw, AskedVolumes({}, {}), None)


def critical_finding(archive: Archive) -> None:
    from chalicelib import wiring

    gap = new_finding("gap", subject="x", machine="anna-laptop", job="system", message="A volume is missing.")
    wiring.finding_store().replace(archive.job, [gap], archive.service.now, codes=["gap"])


def notice_about_safety(archive: Archive) -> None:
    from chalicelib import wiring

    notice = Notice(SECOND_RUN, "anna-laptop", "system", "Two ran at once.", archive.service.now)
    wiring.notice_store().put(notice)


def fetch(archive: Archive) -> None:
    from chalicelib import wiring

    (old, *_) = sorted(wiring.catalogue_store().visible_sets(archive.job), key=lambda one: one.set_id.end)
    wiring.retention_store().record_fetch(archive.job, [old.set_id], archive.service.now)


def hold(archive: Archive) -> None:
    archive.choose(holds_all=True)


def rule_that_removes_old_versions(archive: Archive) -> None:
    expiration = {"NoncurrentVersionExpiration": {"NoncurrentDays": 7}}
    archive.service.s3.rules = [{"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, **expiration}]


WAITS_FOR = {
    run_in_progress: "A backup is running",
    open_thaw: "A thaw of the job is open",
    critical_finding: "A volume is missing.",
    notice_about_safety: "Two ran at once.",
    fetch: "It was read from in the last 14 days",
    hold: "You hold it",
    rule_that_removes_old_versions: "removes old versions after 7 days",
}


@pytest.mark.parametrize("act", WAITS_FOR)
@pytest.mark.parametrize("when", ["before", "while the bucket is read"])
def test_it_waits_and_says_why(
    archive: Archive, calls: Calls, act: Callable[[Archive], None], when: str
) -> None:
    archive.two_chains()
    if when == "before":
        act(archive)
        ran = archive.let_go()
    else:
        with calls.counted(after="get_bucket_versioning", act=lambda: act(archive)):
            ran = archive.let_go()
    if when != "before" and act is rule_that_removes_old_versions:
        return  # what is read is read; the rule is found the next day, and the bytes are there for days
    assert ran.let_go == ()
    assert WAITS_FOR[act] in ran.waits[0]
    assert archive.marked() == set()
    assert archive.rows() == []


def test_a_look_that_comes_just_before_it_is_written_down_counts(archive: Archive, calls: Calls) -> None:
    archive.two_chains()
    with calls.counted(after="head_object", act=archive.look):
        assert archive.let_go().let_go != (), "read anew after the bucket: it is the owner's newest look"
    assert len(archive.marked()) == 12


# ---------------------------------------------------------------- when it stops


def test_what_is_missing_in_the_bucket_is_a_finding_that_ends_when_the_chain_has_gone(
    archive: Archive,
) -> None:
    old, _ = archive.two_chains()
    key = archive.prefix + name_of(old, 2)
    marker = archive.service.s3.delete_object(Bucket=archive.bucket, Key=key)["VersionId"]
    archive.wait(hours=2)
    ran = archive.let_go()
    assert "volumes 1-2, 400 bytes" in ran.waits[0]
    assert "volumes 1, 300 bytes" in ran.waits[0]
    assert archive.findings() == ["letgo_stuck"]
    assert archive.rows() == []
    archive.service.s3.delete_object(Bucket=archive.bucket, Key=key, VersionId=marker)
    archive.choose(holds_all=True)
    archive.let_go()
    assert archive.findings() == ["letgo_stuck"], "it only waits: nobody has compared anew"
    archive.choose(holds_all=False)
    assert [row.chain for row in archive.let_go().let_go] == [old]
    assert archive.findings() == []


def test_what_s3_refuses_is_a_finding_and_the_next_run_goes_on(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.two_chains()

    def refuse(*_: object, **__: object) -> None:
        raise error("AccessDenied", 403, "DeleteObjects")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryS3, "delete_objects", refuse)
        archive.let_go()
        archive.deliver()
    assert archive.findings() == ["letgo_stuck"]
    assert [row.is_going for row in archive.rows()] == [True]
    assert archive.listed().isdisjoint(archive.files_of(str(archive.rows()[0].chain)))
    assert [row.state for row in archive.let_go().let_go] == ["hidden"]
    assert archive.findings() == []


def test_what_goes_for_over_two_days_is_a_finding(archive: Archive) -> None:
    from chalicelib import wiring
    from chalicelib.journeys.retention.let_chains_go import let_chains_go

    archive.two_chains()
    for hours, found in ((0, []), (47, []), (2, ["letgo_stuck"])):
        archive.wait(hours=hours)
        ticks = iter([True, False])
        context = wiring.retention_context(archive.service.now, lambda ticks=ticks: next(ticks, False))
        let_chains_go(context, None)
        assert archive.findings() == found


def test_a_failure_of_one_job_leaves_the_others_alone(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Archive(archive.service, "bob-laptop")
    archive.two_chains()
    began = archive.service.now
    other.two_chains()
    assert began < archive.service.now
    from chalicelib import wiring
    from chalicelib.journeys.retention import let_chains_go as module

    real = module.facts_of

    def fail(snapshot: Any, machine: Any, *rest: Any, **options: Any) -> Any:
        if machine.name == "anna-laptop":
            raise RuntimeError("of no interest")
        return real(snapshot, machine, *rest, **options)

    monkeypatch.setattr(module, "facts_of", fail)
    ran, failed = module.let_chains_go(wiring.retention_context(archive.service.now, lambda: True), None)
    assert [job.machine for job, _ in failed] == ["anna-laptop"]
    assert [row.machine for row in ran.let_go] == ["bob-laptop"]


# ---------------------------------------------------------------- the end, and the locks


def expire(archive: Archive) -> list[int | None]:
    """When the rows of chains that were let go lapse."""
    rows = archive.service.table.query(
        KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": "QUARANTINES"}
    )
    return [row.get("expires_at_epoch") for row in rows["Items"]]


def remove_what_is_marked(archive: Archive) -> None:
    """As S3 does by the bucket's rule."""
    for key, of_key in archive.versions().items():
        if of_key[0][1]:
            for version, _ in of_key:
                archive.service.s3.delete_object(Bucket=archive.bucket, Key=key, VersionId=version)
    archive.deliver()


def test_when_nothing_of_it_is_stored_any_more_its_row_goes_later(archive: Archive) -> None:
    archive.two_chains()
    archive.let_go()
    archive.deliver()
    archive.wait(days=32)
    archive.let_go()
    assert expire(archive) == [None], "S3 has not removed it yet"
    remove_what_is_marked(archive)
    archive.let_go()
    assert expire(archive) == [int((archive.service.now + timedelta(days=60)).timestamp())]
    assert archive.findings() == []


def test_that_a_chain_could_not_be_brought_back_is_settled_when_s3_has_removed_the_rest(
    archive: Archive,
) -> None:
    from chalicelib import wiring

    old, _ = archive.two_chains()
    archive.let_go()
    archive.deliver()
    [let_go] = archive.rows()
    assert wiring.retention_store().record(dataclasses.replace(let_go, undone_at=archive.service.now))
    found = new_finding(
        UNDO_IMPOSSIBLE, machine=archive.machine, job=archive.job_name, subject=old, message=""
    )
    wiring.finding_store().replace(archive.job, [found], archive.service.now, codes=[UNDO_IMPOSSIBLE])
    archive.wait(days=32)
    archive.let_go()
    assert archive.findings() == [UNDO_IMPOSSIBLE], "the rest is there still"
    assert expire(archive) == [None]
    remove_what_is_marked(archive)
    archive.let_go()
    assert archive.findings() == []
    assert [one.undone_at for one in archive.rows()] == [None]
    assert expire(archive) == [int((archive.service.now + timedelta(days=60)).timestamp())]


def test_what_is_stored_under_its_names_later_is_marked_too_and_is_no_news(archive: Archive) -> None:
    old, new = archive.two_chains()
    archive.let_go()
    archive.deliver()
    [before] = archive.rows()
    archive.wait(days=1)
    archive.store(old, part=2)
    archive.deliver()
    ran = archive.let_go()
    assert ran.let_go == ()
    assert name_of(old, 2) in archive.marked()
    [(_, is_marker), (version, _), *_] = archive.versions()[archive.prefix + name_of(old, 2)]
    assert is_marker
    assert TAG.items() <= archive.tags(name_of(old, 2), version).items()
    assert archive.rows() == [before], "the rest can be brought back as long as was said"
    assert any(str(new) not in line and "newer" in line for line in ran.waits), (
        "what may go was planned as well"
    )


def test_what_the_owner_brings_back_is_not_taken_for_stored_again(archive: Archive) -> None:
    from chalicelib import wiring

    old, _ = archive.two_chains()
    archive.let_go()
    archive.deliver()
    archive.wait(days=1)
    [row] = archive.rows()
    assert wiring.retention_store().record(dataclasses.replace(row, undone_at=archive.service.now))
    archive.store(old, part=2)
    archive.deliver()
    archive.let_go()
    assert name_of(old, 2) not in archive.marked()


def test_older_versions_of_a_file_get_the_tag_too(archive: Archive) -> None:
    archive.store("full.20261122T195900Z", part=1)
    old, _ = archive.two_chains()
    archive.let_go()
    name = name_of(old, 1)
    [marker, *versions] = archive.versions()[archive.prefix + name]
    assert marker[1]
    assert len(versions) == 2
    assert all(TAG.items() <= archive.tags(name, version).items() for version, _ in versions)


def test_what_the_laptop_had_given_up_of_its_sets_gets_the_tag_and_no_second_marker(archive: Archive) -> None:
    old = full_set(archive.service.now - timedelta(minutes=1))
    archive.store(old, part=3)
    key = archive.prefix + name_of(old, 3)
    archive.service.s3.delete_object(Bucket=archive.bucket, Key=key)
    assert archive.two_chains()[0] == old
    archive.let_go()
    [(_, is_marker), (version, _)] = archive.versions()[key]
    assert is_marker
    assert TAG.items() <= archive.tags(name_of(old, 3), version).items()


def test_a_locked_chain_waits_and_the_newest_is_locked_anew_when_half_of_the_time_is_over(
    archive: Archive,
) -> None:
    archive.service.s3.lock_days = 365
    _, new = archive.two_chains()
    assert "Object Lock keeps it until" in archive.let_go().waits[0]
    assert archive.marked() == set()

    def locks(set_name: str) -> set[int]:
        found = archive.versions()
        asked = [
            (archive.prefix + name, found[archive.prefix + name][0][0]) for name in archive.files_of(set_name)
        ]
        answers = [
            archive.service.s3.get_object_retention(Key=key, VersionId=version) for key, version in asked
        ]
        return {(one["Retention"]["RetainUntilDate"] - archive.service.now).days for one in answers}

    assert locks(new) == {365}, "of 180 days that were left"
    archive.wait(days=100)
    archive.let_go()
    assert locks(new) == {265}
    archive.wait(days=90)
    archive.let_go()
    assert locks(new) == {365}


def test_a_chain_that_fails_does_not_let_the_lock_of_the_newest_lapse(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib import wiring

    archive.service.s3.lock_days = 365
    _, new = archive.two_chains()

    def fails(*_: object) -> None:
        raise ValueError("a row that nobody can read")

    monkeypatch.setattr(let_chains_go, "choose_chain", fails)
    context = wiring.retention_context(archive.service.now, lambda: True)
    ran, [(job, _)] = let_chains_go.let_chains_go(context, None)
    assert (job, "a row that nobody can read" in ran.waits[0]) == (archive.job, True)
    (newest, _), *_ = archive.versions()[archive.prefix + name_of(new, 1)]
    lock = archive.service.s3.get_object_retention(Key=archive.prefix + name_of(new, 1), VersionId=newest)
    assert (lock["Retention"]["RetainUntilDate"] - archive.service.now).days == 365


def test_over_some_days_every_job_has_its_turn_where_a_run_has_time_for_one_alone(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib import wiring

    names = {f"job-{number}" for number in range(5)}
    service.admin("machine_add", name="anna-laptop", jobs=sorted(names))
    turns = []
    for _ in range(60):
        monkeypatch.setattr(service, "now", service.now + timedelta(days=1))
        time = iter([True])
        context = wiring.retention_context(service.now, lambda: next(time, False))  # noqa: B023
        ran, _ = let_chains_go.let_chains_go(context, None)
        waits = {line.partition(":")[0].partition("/")[2] for line in ran.waits if "no time left" in line}
        turns += sorted(names - waits)
    assert set(turns) == names
    assert len(turns) == 60


def test_locks_that_a_call_had_no_time_for_are_extended_by_the_next(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extend_locks, "_AT_ONCE", 1)
    archive.service.s3.lock_days = 365
    full = archive.backup()
    archive.backup_later(full, days=150)
    archive.wait(days=50)

    def run(blocks: int) -> set[int]:
        from chalicelib import wiring

        (job_sets,) = wiring.catalogue_store().sets_of_each([archive.job])
        chains = chains_of(job_sets.visible).chains
        time = iter([True] * blocks)
        extend_locks.extend_locks(
            wiring.catalogue_store(),
            VersionStore(archive.service.s3),
            archive.job,
            chains,
            timedelta(days=365),
            archive.service.now,
            lambda: next(time, False),
        )
        return {
            (answer["Retention"]["RetainUntilDate"] - archive.service.now).days
            for key, ((version, _),) in archive.versions().items()
            for answer in [archive.service.s3.get_object_retention(Key=key, VersionId=version)]
        }

    assert run(3) == {365, 315, 165}
    archive.wait(days=1)
    assert run(9) == {365, 364, 314}
    archive.wait(days=182)
    assert min(run(0)) > 100, "none lapses before the first file asks for all of them"


# ---------------------------------------------------------------- how much it asks for


def test_a_chain_of_300_sets_and_8000_volumes_takes_two_calls_a_file_and_few_beside(
    archive: Archive, calls: Calls
) -> None:
    old = archive.backup(volumes=7_700)
    newest = old
    for _ in range(299):
        archive.wait(days=1)
        archive.store(newest := next_set(newest, archive.service.now - timedelta(minutes=1)), volumes=1)
    archive.deliver()
    archive.wait(days=1)
    new = archive.backup(volumes=4_000)
    archive.wait(days=185)
    archive.look()
    archive.announce(old)
    archive.backup_later(new, hours=1)
    archive.compare()
    archive.wait(hours=2)
    with calls.counted():
        [row] = archive.let_go().let_go
    asked = Counter(calls.names)
    assert (len(row.sets), row.files) == (300, 7_999 + 600)
    assert asked["get_object_tagging"] == asked["put_object_tagging"] == row.files
    assert asked["head_object"] == 302
    assert asked["delete_objects"] <= 10
    others = ("get_object_tagging", "put_object_tagging", "head_object", "delete_object")
    assert sum(number for name, number in asked.items() if name not in others) < 120
