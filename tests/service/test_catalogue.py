"""Events in, rows out: whatever their order, the catalogue says what the bucket holds."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from chalicelib.adapters.stores import catalogue_rows
from chalicelib.adapters.stores.finding_store import FindingStore
from chalicelib.journeys.admin import catalogue as admin_catalogue
from chalicelib.journeys.catalogue import catalogue_changes
from chalicelib.journeys.catalogue.catalogue_changes import Contended
from tests.service.conftest import BUCKET, NOW, Service

FULL = "20261122T195500Z"
PREFIX = "anna-laptop/system/"
KEYS = {
    "volume 1": f"{PREFIX}data_duplicity-full.{FULL}.vol1.difftar.gpg",
    "volume 2": f"{PREFIX}data_duplicity-full.{FULL}.vol2.difftar.gpg",
    "signatures": f"{PREFIX}meta_duplicity-full-signatures.{FULL}.sigtar.gpg",
    "manifest": f"{PREFIX}meta_duplicity-full.{FULL}.manifest.gpg",
}


def store(service: Service, *names: str, volumes: int = 2) -> None:
    for name in names:
        metadata = {"Metadata": {"volumes": str(volumes)}} if name == "manifest" else {}
        service.put(KEYS[name], b"0123456789", **metadata)


def the_set(service: Service) -> dict[str, Any]:
    (job,) = service.admin("machine_show", name="anna-laptop")["jobs"]
    (backup_set,) = job["sets"]
    assert isinstance(backup_set, dict)
    return backup_set


@pytest.fixture
def machine(service: Service) -> Service:
    service.enrolled("anna-laptop")
    return service


@pytest.mark.parametrize("order", list(itertools.permutations(KEYS))[::5])
def test_a_whole_set_is_complete_in_whatever_order_it_is_told(
    machine: Service, order: tuple[str, ...]
) -> None:
    store(machine, *KEYS)
    for name in order:
        machine.catalogue(KEYS[name])
    assert the_set(machine) == {
        "set": f"full.{FULL}",
        "kind": "full",
        "volumes": 2,
        "volumes_expected": 2,
        "bytes": 40,
        "sealed": True,
        "complete": True,
        "gaps": "",
        "quarantined": False,
        "let_go": False,
    }


def test_a_batch_with_the_same_key_twice_counts_it_once(machine: Service) -> None:
    store(machine, *KEYS)
    machine.catalogue(*KEYS.values(), *KEYS.values())
    machine.catalogue(*KEYS.values())
    assert the_set(machine)["bytes"] == 40


def test_a_sealed_set_with_a_volume_missing_is_not_complete_and_names_it(machine: Service) -> None:
    store(machine, "volume 1", "signatures", "manifest")
    machine.catalogue(KEYS["volume 1"], KEYS["signatures"], KEYS["manifest"])
    found = the_set(machine)
    assert (found["sealed"], found["complete"], found["gaps"]) == (True, False, "2")


def test_a_volume_removed_behind_its_back_is_noticed(machine: Service) -> None:
    store(machine, *KEYS)
    machine.catalogue(*KEYS.values())
    machine.s3.delete_object(Bucket=BUCKET, Key=KEYS["volume 1"])
    machine.catalogue(KEYS["volume 1"])
    found = the_set(machine)
    assert (found["complete"], found["gaps"], found["bytes"]) == (False, "1", 30)


def test_a_late_event_of_a_deleted_key_does_not_bring_it_back(machine: Service) -> None:
    store(machine, *KEYS)
    machine.catalogue(*KEYS.values(), sequencer="A1")
    machine.s3.delete_object(Bucket=BUCKET, Key=KEYS["volume 2"])
    machine.catalogue(KEYS["volume 2"], sequencer="A3")
    machine.catalogue(KEYS["volume 2"], sequencer="A2")
    assert the_set(machine)["gaps"] == "2"


def test_a_manifest_that_names_no_volume_count_makes_an_unproven_set(machine: Service) -> None:
    for key in KEYS.values():
        machine.put(key, b"x")
    machine.catalogue(*KEYS.values())
    found = the_set(machine)
    assert (found["sealed"], found["complete"]) == (True, False)
    assert "volumes_expected" not in found or found["volumes_expected"] is None


def test_strays_are_known_but_belong_to_no_set(machine: Service) -> None:
    strays = [
        "holiday.jpg",
        "anna-laptop/system/notes.txt",
        "nobody/system/" + KEYS["manifest"].split("/")[-1],
    ]
    for key in [*strays, "anna-laptop/system/Ünï +%20.txt"]:
        machine.put(key, b"stray")
    machine.catalogue(*strays, "anna-laptop/system/%C3%9Cn%C3%AF+%2B%2520.txt")
    known = machine.admin("catalogue_objects")["objects"]
    assert sorted(one["key"] for one in known) == sorted([*strays, "anna-laptop/system/Ünï +%20.txt"])
    assert machine.admin("machine_show", name="anna-laptop")["jobs"][0]["sets"] == []


def test_a_volume_under_the_metadata_prefix_counts_its_bytes_but_not_as_a_volume(machine: Service) -> None:
    misplaced = KEYS["volume 1"].replace("data_", "meta_")
    machine.put(misplaced, b"0123456789")
    machine.catalogue(misplaced)
    assert (the_set(machine)["volumes"], the_set(machine)["bytes"]) == (0, 10)


def test_malformed_messages_fail_alone(machine: Service, caplog: pytest.LogCaptureFixture) -> None:
    import app

    store(machine, "volume 1")
    good = '{"Records": [{"s3": {"bucket": {"name": "%s"}, "object": {"key": "%s"}}}]}'
    bodies = [
        "not json",
        "[]",
        "{}",
        '{"Records": [{}]}',
        '{"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": 7}}}]}',
        '{"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": "%ff"}}}]}',
        good % (BUCKET, KEYS["volume 1"]),
        '{"Service": "Amazon S3", "Event": "s3:TestEvent"}',
    ]
    records = [{"messageId": str(index), "receiptHandle": "r", "body": b} for index, b in enumerate(bodies)]
    failed = app.catalogue({"Records": records}, None)["batchItemFailures"]
    assert [one["itemIdentifier"] for one in failed] == ["0", "1", "2", "3", "4", "5"]
    assert the_set(machine)["volumes"] == 1
    told = [record for record in caplog.records if record.message == "not an event"]
    assert [(vars(one)["message_id"], one.levelname, bool(one.exc_info)) for one in told] == [
        (str(number), "ERROR", True) for number in range(6)
    ]


@pytest.mark.parametrize(("error", "level"), [(KeyError("x"), "ERROR"), (Contended("a set"), "WARNING")])
def test_what_cannot_be_catalogued_is_named_in_the_log_with_the_reason_and_comes_again(
    machine: Service,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    level: str,
) -> None:
    store(machine, "volume 1")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(catalogue_changes, "catalogue_set", fail)
    assert machine.catalogue(KEYS["volume 1"], "notes.txt") == {
        "batchItemFailures": [{"itemIdentifier": "m0"}]
    }
    [line] = [record for record in caplog.records if record.message == "not catalogued"]
    assert (vars(line)["bucket"], vars(line)["key"]) == (BUCKET, KEYS["volume 1"])
    assert (line.levelname, line.exc_info and line.exc_info[1]) == (level, error)


def test_freshness_is_told_by_the_buckets_clock(machine: Service) -> None:
    old_name = {name: key.replace(FULL, "19990101T000000Z") for name, key in KEYS.items()}
    for name, key in old_name.items():
        machine.put(key, b"x", **({"Metadata": {"volumes": "2"}} if name == "manifest" else {}))
    machine.catalogue(*old_name.values())
    machine.now = machine.s3.head_object(Bucket=BUCKET, Key=old_name["manifest"])["LastModified"]
    (job,) = machine.admin("machine_show", name="anna-laptop")["jobs"]
    assert job["state"] == "fresh"
    assert job["newest_complete_at"].startswith(str(machine.now.year))
    assert NOW.year == 2026


def test_a_set_that_was_given_up_is_no_set_any_more(machine: Service) -> None:
    store(machine, "volume 1")
    machine.catalogue(KEYS["volume 1"])
    machine.s3.delete_object(Bucket=BUCKET, Key=KEYS["volume 1"])
    machine.catalogue(KEYS["volume 1"])
    assert machine.admin("machine_show", name="anna-laptop")["jobs"][0]["sets"] == []


# ---------------------------------------------------------------- what the owner asks of it


def test_what_the_catalogue_knows_of_a_job_comes_page_by_page(
    machine: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(machine, *KEYS)
    machine.catalogue(*KEYS.values())
    monkeypatch.setattr(admin_catalogue, "OBJECTS_A_PAGE", 3)
    read: list[str] = []
    really = catalogue_rows.object_of
    monkeypatch.setattr(catalogue_rows, "object_of", lambda item: read.append(item["sk"]) or really(item))
    ask = {"name": "anna-laptop", "job": "system"}
    first = machine.admin("catalogue_objects", **ask)
    second = machine.admin("catalogue_objects", **ask, after=first["next"])
    assert [one["key"] for one in [*first["objects"], *second["objects"]]] == sorted(KEYS.values())
    assert second["next"] is None
    # Twice the one at which the pages meet, and the one that tells that there is a second page.
    assert len(read) == len(KEYS) + 2


@pytest.mark.parametrize("which", ["signatures", "manifest"])
def test_drift_is_metadata_whose_event_should_have_come_long_ago(machine: Service, which: str) -> None:
    def drift(**after: float) -> list[str]:
        machine.now = datetime.now(timezone.utc) + timedelta(**after)
        keys: list[str] = machine.admin("catalogue_differences", name="anna-laptop", job="system")["keys"]
        return keys

    store(machine, *KEYS)
    machine.catalogue(*(key for name, key in KEYS.items() if name != which))
    assert drift(minutes=10) == []
    assert drift(minutes=20) == [KEYS[which]]
    machine.catalogue(KEYS[which])
    assert drift(minutes=20) == []


def test_drift_is_looked_for_in_adopted_buckets_too(machine: Service) -> None:
    machine.s3.create_bucket(Bucket="attic")
    machine.admin("machine_add", name="bert", bucket="attic", prefix="old/", jobs=["photos"])
    name = KEYS["manifest"].rpartition("/")[2]
    machine.s3.put_object(Bucket="attic", Key=f"old/{name}", Body=b"manifest")
    machine.now = datetime.now(timezone.utc) + timedelta(hours=1)
    assert machine.admin("catalogue_differences", name="bert", job="photos")["keys"] == [f"old/{name}"]


def test_an_odd_record_holds_back_neither_its_message_nor_its_neighbours(service: Service) -> None:
    """Whatever was forged: the good keys are catalogued, and only messages with something odd come back."""
    import app

    service.enrolled()
    keys = [f"anna-laptop/system/data_duplicity-full.20261122T195500Z.vol{n}.difftar.gpg" for n in (1, 2)]
    for key in keys:
        service.put(key, b"x")

    def record(key: str, bucket: str = BUCKET) -> dict[str, Any]:
        return {"s3": {"bucket": {"name": bucket}, "object": {"key": key}}}

    bodies: list[Any] = [
        {"Records": [record("k" * 3000), record(keys[0])]},
        {"Records": [record("x", "b" * 3000)]},
        {"Type": "Notification", "Message": "{}"},
        {"Records": [record(keys[1])]},
    ]
    messages = [
        {"messageId": f"m{number}", "receiptHandle": "r", "body": json.dumps(body)}
        for number, body in enumerate(bodies)
    ]
    answer: Any = app.catalogue({"Records": messages}, None)
    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == ["m0", "m1", "m2"]
    [job] = service.admin("machine_show", name="anna-laptop")["jobs"]
    assert [one["volumes"] for one in job["sets"]] == [2]


def between_a_look_and_its_record(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """What another call of the function does, which is quicker."""
    replace, happened = FindingStore.replace, list[bool]()

    def delayed(*arguments: Any, **named: Any) -> None:
        if not happened:
            happened.append(True)
            happens()
        replace(*arguments, **named)

    monkeypatch.setattr(FindingStore, "replace", delayed)


def found_codes(service: Service) -> set[str]:
    codes = {one["code"] for one in service.admin("findings")["findings"]}
    return codes & {"misplaced_copy", "wrong_prefix", "stray"}


def test_a_misplaced_copy_whose_original_goes_meanwhile_is_known_as_the_only_one(
    machine: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(machine, *KEYS)
    machine.catalogue(*KEYS.values())
    copy = KEYS["volume 2"].replace("data_", "meta_")
    machine.put(copy, b"0123456789")

    def original_goes() -> None:
        machine.s3.delete_object(Bucket=BUCKET, Key=KEYS["volume 2"])
        machine.catalogue(KEYS["volume 2"], sequencer="A2")

    between_a_look_and_its_record(monkeypatch, original_goes)
    machine.catalogue(copy)
    assert found_codes(machine) == {"wrong_prefix"}


def test_a_stray_that_goes_while_it_is_recorded_is_no_finding(
    machine: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.put(f"{PREFIX}holiday.jpg", b"sand")

    def it_goes() -> None:
        machine.s3.delete_object(Bucket=BUCKET, Key=f"{PREFIX}holiday.jpg")
        machine.catalogue(f"{PREFIX}holiday.jpg", sequencer="A2")

    between_a_look_and_its_record(monkeypatch, it_goes)
    machine.catalogue(f"{PREFIX}holiday.jpg", sequencer="A1")
    assert found_codes(machine) == set()
