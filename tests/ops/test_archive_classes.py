"""The local stack's archive classes against what AWS documents of RestoreObject, and the hook that hurries them."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from ops.aws import Aws
from ops.cli import commands
from ops.errors import OpsError
from ops.local.ministack import MiniStack, free_port
from ops.local.stack_file import StackDescription
from ops.local.thaw_hook import ThawHook
from tests.end_to_end.api_thaws import hooked

BUCKET = "backups"
NAME = "data_duplicity-full.20261101T000000Z.vol{}.difftar.gpg"
NEVER = 10_000.0


@pytest.fixture(scope="module")
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("state")
    ministack = MiniStack(folder)
    ministack.start(free_port())
    endpoint = f"http://127.0.0.1:{ministack.port}"
    StackDescription(endpoint, "us-east-1", "", BUCKET, "", "", "", {}).write(folder)
    yield folder
    ministack.stop()


@pytest.fixture(scope="module")
def endpoint(state_folder: Path) -> str:
    return str(json.loads((state_folder / "stack.json").read_text())["endpoint"])


@pytest.fixture(scope="module")
def aws(endpoint: str) -> Aws:
    aws = Aws("us-east-1", endpoint)
    s3, sqs = aws.client("s3", s3={"addressing_style": "path"}), aws.client("sqs")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    kinds: Any = ["s3:ObjectRestore:*", "s3:LifecycleTransition"]
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET,
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": kinds}]},
    )
    return aws


@pytest.fixture
def s3(aws: Aws) -> Any:
    return aws.client("s3", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})


@pytest.fixture
def hook(endpoint: str) -> Iterator[ThawHook]:
    with hooked(endpoint, NEVER) as hook:
        yield hook


@pytest.fixture
def place() -> str:
    """A job of this test's own."""
    return f"anna-laptop/{uuid.uuid4().hex[:12]}"


def volume(place: str, number: int = 1) -> str:
    return f"{place}/{NAME.format(number)}"


@pytest.fixture
def store(s3: Any, place: str) -> Callable[..., str]:
    def put(number: int = 1, storage_class: str = "DEEP_ARCHIVE") -> str:
        key = volume(place, number)
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"ciphertext", StorageClass=storage_class)
        return key

    return put


def ask(s3: Any, key: str, tier: str = "Bulk", days: int = 3, **more: str) -> int:
    wanted = {"Days": days, "GlacierJobParameters": {"Tier": tier}}
    answer = s3.restore_object(Bucket=BUCKET, Key=key, RestoreRequest=wanted, **more)
    return int(answer["ResponseMetadata"]["HTTPStatusCode"])


def refusal(call: Callable[..., Any], *arguments: Any, **named: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **named)
    response: Any = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def listed(s3: Any, place: str) -> dict[str, Any]:
    """``RestoreStatus`` by number of the volume, None where an object has none."""
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{place}/", OptionalObjectAttributes=["RestoreStatus"])
    numbered = ((item["Key"].split(".vol")[1].partition(".")[0], item) for item in found["Contents"])
    return {number: item.get("RestoreStatus") for number, item in numbered}


def events(
    aws: Aws, place: str, enough: int | Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    """The records about a place, whatever their order, until there are so many, or those that are waited for."""
    is_enough = enough if callable(enough) else lambda found: len(found) >= enough
    sqs, found, deadline = aws.client("sqs"), list[dict[str, Any]](), time.monotonic() + 20
    while not is_enough(found) and time.monotonic() < deadline:
        url = sqs.get_queue_url(QueueName="events")["QueueUrl"]
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            records = json.loads(message["Body"]).get("Records", [])
            found += [record for record in records if record["s3"]["object"]["key"].startswith(place)]
    return found


# ---------------------------------------------------------------- listings


def test_a_listing_says_what_is_being_restored_and_until_when_copies_stay(
    s3: Any, hook: ThawHook, store: Callable[..., str], place: str
) -> None:
    for number in (1, 2, 3):
        store(number)
    ask(s3, volume(place, 1), days=3)
    hook.finish(place)
    ask(s3, volume(place, 2))
    found = listed(s3, place)
    assert found["1"]["IsRestoreInProgress"] is False
    expiry = found["1"]["RestoreExpiryDate"]
    assert (expiry.hour, expiry.minute, expiry.second) == (0, 0, 0)
    days_left = (expiry - datetime.now(timezone.utc)).total_seconds() / 86_400
    assert 3 <= days_left <= 4
    assert found["2"] == {"IsRestoreInProgress": True}
    assert found["3"] is None


def test_a_listing_has_it_only_where_it_was_asked_for(
    s3: Any, hook: ThawHook, store: Callable[..., str], place: str
) -> None:
    ask(s3, store())
    [item] = s3.list_objects_v2(Bucket=BUCKET, Prefix=place)["Contents"]
    assert "RestoreStatus" not in item
    assert item["StorageClass"] == "DEEP_ARCHIVE"


def test_a_listing_of_many_pages_and_of_odd_names_has_it(s3: Any, hook: ThawHook, place: str) -> None:
    keys = [f"{place}/a b+c%20&<ü>.vol{number}.difftar" for number in (1, 2, 3)]
    for key in keys:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"1", StorageClass="GLACIER")
        ask(s3, key)
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix=place, OptionalObjectAttributes=["RestoreStatus"], MaxKeys=1
    )
    found = [item for page in pages for item in page["Contents"]]
    assert [item["Key"] for item in found] == keys
    assert all(item["RestoreStatus"]["IsRestoreInProgress"] for item in found)


# ---------------------------------------------------------------- answers


def test_the_first_request_is_accepted_the_same_again_is_in_progress(
    s3: Any, hook: ThawHook, store: Callable[..., str]
) -> None:
    key = store()
    assert ask(s3, key) == 202
    assert refusal(ask, s3, key) == (409, "RestoreAlreadyInProgress")


def test_a_faster_tier_hurries_a_restore_and_a_slower_one_does_not(
    s3: Any, hook: ThawHook, store: Callable[..., str], place: str
) -> None:
    key = store(storage_class="GLACIER")
    ask(s3, key, "Bulk")
    hook.delay(0)
    assert ask(s3, key, "Expedited") == 202
    deadline = time.monotonic() + 10
    while listed(s3, place)["1"]["IsRestoreInProgress"] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert listed(s3, place)["1"]["IsRestoreInProgress"] is False
    other = store(2, storage_class="GLACIER")
    hook.delay(NEVER)
    ask(s3, other, "Standard")
    assert refusal(ask, s3, other, "Bulk") == (409, "RestoreAlreadyInProgress")


def test_a_request_for_a_restored_object_moves_its_expiry_both_ways(
    s3: Any, hook: ThawHook, store: Callable[..., str], place: str
) -> None:
    key = store()
    ask(s3, key, days=5)
    hook.finish(place)
    before = listed(s3, place)["1"]["RestoreExpiryDate"]
    assert ask(s3, key, days=9) == 200
    assert (listed(s3, place)["1"]["RestoreExpiryDate"] - before).days == 4
    assert ask(s3, key, days=1) == 200
    assert (listed(s3, place)["1"]["RestoreExpiryDate"] - before).days == -4


@pytest.mark.parametrize(
    ("storage_class", "wanted", "refused"),
    [
        ("DEEP_ARCHIVE", {}, (400, "MalformedXML")),
        ("DEEP_ARCHIVE", {"Days": 0}, (400, "InvalidArgument")),
        ("GLACIER", {"Days": -1}, (400, "InvalidArgument")),
        ("GLACIER", {"Days": 1, "GlacierJobParameters": {"Tier": "Fast"}}, (400, "MalformedXML")),
        (
            "DEEP_ARCHIVE",
            {"Days": 1, "GlacierJobParameters": {"Tier": "Expedited"}},
            (400, "InvalidArgument"),
        ),
        ("GLACIER_IR", {"Days": 1}, (403, "InvalidObjectState")),
        ("STANDARD", {"Days": 1}, (403, "ObjectAlreadyInActiveTierError")),
    ],
)
def test_what_s3_refuses_is_refused(
    s3: Any,
    hook: ThawHook,
    store: Callable[..., str],
    place: str,
    storage_class: str,
    wanted: dict[str, Any],
    refused: tuple[int, str],
) -> None:
    key = store(storage_class=storage_class)
    assert refusal(s3.restore_object, Bucket=BUCKET, Key=key, RestoreRequest=wanted) == refused
    assert listed(s3, place) == {"1": None}


def test_expedited_is_for_glacier(s3: Any, hook: ThawHook, store: Callable[..., str]) -> None:
    assert ask(s3, store(storage_class="GLACIER"), "Expedited") == 202


def test_an_object_can_be_read_and_copied_once_it_is_restored_and_not_before(
    s3: Any, hook: ThawHook, store: Callable[..., str], place: str
) -> None:
    key, source = store(), {"Bucket": BUCKET, "Key": volume(place)}
    copy = {"Bucket": BUCKET, "Key": f"{place}/copy.vol1.difftar", "CopySource": source}
    for ready in (False, False, True):
        assert refusal(s3.get_object, Bucket=BUCKET, Key=key) == (403, "InvalidObjectState")
        assert refusal(s3.copy_object, **copy) == (403, "ObjectNotInActiveTierError")
        if not ready and listed(s3, place)["1"] is None:
            ask(s3, key)
    hook.finish(place)
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"ciphertext"
    s3.copy_object(**copy, StorageClass="STANDARD")
    assert s3.head_object(Bucket=BUCKET, Key=key)["StorageClass"] == "DEEP_ARCHIVE"


def test_a_version_is_restored_by_its_name_and_another_one_is_not_mistaken_for_it(
    s3: Any, hook: ThawHook, store: Callable[..., str], place: str
) -> None:
    key = store()
    old = s3.head_object(Bucket=BUCKET, Key=key)["VersionId"]
    store()
    current = s3.head_object(Bucket=BUCKET, Key=key)["VersionId"]
    assert refusal(ask, s3, key, VersionId="no-such-version") == (404, "NoSuchVersion")
    assert refusal(ask, s3, key, VersionId=old) == (501, "NotImplemented")
    assert listed(s3, place) == {"1": None}
    assert ask(s3, key, VersionId=current) == 202
    marker = s3.delete_object(Bucket=BUCKET, Key=key)["VersionId"]
    assert refusal(ask, s3, key, VersionId=marker) == (405, "MethodNotAllowed")
    assert refusal(ask, s3, key) == (404, "NoSuchKey")


# ---------------------------------------------------------------- events and the hook


def test_events_tell_of_the_request_of_its_end_and_of_the_copys(
    aws: Aws, s3: Any, hook: ThawHook, store: Callable[..., str], place: str
) -> None:
    key = store()
    ask(s3, key, days=2)
    assert hook.finish(place) == 1
    assert hook.finish(place) == 0
    expiry = listed(s3, place)["1"]["RestoreExpiryDate"]
    assert hook.expire(place) == 1
    assert refusal(s3.get_object, Bucket=BUCKET, Key=key) == (403, "InvalidObjectState")
    assert listed(s3, place) == {"1": None}
    found = {record["eventName"]: record for record in events(aws, place, 3)}
    assert set(found) == {"ObjectRestore:Post", "ObjectRestore:Completed", "ObjectRestore:Delete"}
    assert found["ObjectRestore:Completed"]["glacierEventData"]["restoreEventData"] == {
        "lifecycleRestorationExpiryTime": f"{expiry:%Y-%m-%dT%H:%M:%S.000Z}",
        "lifecycleRestoreStorageClass": "DEEP_ARCHIVE",
    }


def test_a_restore_is_done_by_itself_after_the_delay_and_says_so_once(
    aws: Aws, s3: Any, hook: ThawHook, store: Callable[..., str], place: str
) -> None:
    hook.delay(0.05)
    ask(s3, store())
    names = [record["eventName"] for record in events(aws, place, 2)]
    assert sorted(names) == ["ObjectRestore:Completed", "ObjectRestore:Post"]
    assert s3.get_object(Bucket=BUCKET, Key=volume(place))["Body"].read() == b"ciphertext"


def test_a_restore_that_was_hurried_says_once_that_it_is_done(
    aws: Aws, s3: Any, hook: ThawHook, store: Callable[..., str], place: str
) -> None:
    hook.delay(0.3)
    ask(s3, store(1))
    hook.finish(place)
    hook.delay(0.4)
    ask(s3, store(2))
    done = [
        (record["eventName"], record["s3"]["object"]["key"])
        for record in events(aws, place, lambda found: volume(place, 2) in completed(found))
    ]
    assert done.count(("ObjectRestore:Completed", volume(place, 1))) == 1


def completed(records: list[dict[str, Any]]) -> list[str]:
    """Keys of what was said to be restored."""
    return [one["s3"]["object"]["key"] for one in records if one["eventName"] == "ObjectRestore:Completed"]


def test_events_can_be_lost(aws: Aws, s3: Any, hook: ThawHook, store: Callable[..., str], place: str) -> None:
    hook.lose_events(True)
    ask(s3, store(1))
    hook.finish(place)
    store(2, "STANDARD")
    hook.freeze(place)
    [moved] = events(aws, place, 1)  # sent after those that are lost, by the same thread
    assert moved["eventName"] == "LifecycleTransition"
    hook.lose_events(False)
    ask(s3, volume(place, 2))
    [record] = events(aws, place, 1)
    assert (record["eventName"], record["s3"]["object"]["key"]) == ("ObjectRestore:Post", volume(place, 2))


def test_a_copy_can_be_made_to_lapse_in_a_while(
    s3: Any, hook: ThawHook, store: Callable[..., str], place: str
) -> None:
    key = store()
    ask(s3, key)
    assert hook.expire(place, in_seconds=3600) == 0, "it has no copy yet"
    hook.finish(place)
    assert hook.expire(place, in_seconds=3600) == 1
    left = listed(s3, place)["1"]["RestoreExpiryDate"] - datetime.now(timezone.utc)
    assert 3500 < left.total_seconds() <= 3600
    assert ask(s3, key, days=5) == 200


def test_requests_fail_as_often_as_was_said(
    s3: Any, hook: ThawHook, store: Callable[..., str], place: str
) -> None:
    key = store(storage_class="GLACIER")
    hook.fail("GlacierExpeditedRetrievalNotAvailable", times=2, tier="Expedited", place=place)
    expected = (503, "GlacierExpeditedRetrievalNotAvailable")
    assert refusal(ask, s3, key, "Expedited") == expected
    assert ask(s3, store(2, storage_class="GLACIER"), "Standard") == 202
    assert refusal(ask, s3, key, "Expedited") == expected
    assert ask(s3, key, "Expedited") == 202


def test_calls_are_counted_by_key_with_tier_days_and_answer(
    s3: Any, hook: ThawHook, store: Callable[..., str], place: str
) -> None:
    first, second = store(1), store(2)
    ask(s3, first, "Standard", days=4)
    refusal(ask, s3, first)
    ask(s3, second)
    counted = hook.calls()
    assert counted.calls == 3
    assert counted.by_key == {f"{BUCKET}/{first}": 2, f"{BUCKET}/{second}": 1}
    assert counted.requests[0] == {
        "bucket": BUCKET, "key": first, "tier": "Standard", "days": 4, "status": 202,
    }  # fmt: skip
    assert [request["status"] for request in counted.requests] == [202, 409, 202]


def test_freezing_is_what_a_lifecycle_rule_does(aws: Aws, s3: Any, hook: ThawHook, place: str) -> None:
    key, manifest = volume(place), f"{place}/meta_duplicity-full.20261101T000000Z.manifest.gpg"
    facts: dict[str, Any] = {"Metadata": {"volumes": "1"}, "Tagging": "storage=deep", "CacheControl": "x"}
    for name in (key, manifest):
        s3.put_object(Bucket=BUCKET, Key=name, Body=b"ciphertext", **facts)
    other = "anna-laptop/other-job/" + NAME.format(1)
    s3.put_object(Bucket=BUCKET, Key=other, Body=b"1")
    before = s3.head_object(Bucket=BUCKET, Key=key)
    assert hook.freeze(place) == 1
    assert hook.freeze(place) == 0, "it is there already"
    after = s3.head_object(Bucket=BUCKET, Key=key)
    assert after["StorageClass"] == "DEEP_ARCHIVE"
    same = ("VersionId", "LastModified", "ETag", "Metadata", "CacheControl", "ContentLength")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert s3.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"] == [{"Key": "storage", "Value": "deep"}]
    assert "StorageClass" not in s3.head_object(Bucket=BUCKET, Key=manifest)
    assert "StorageClass" not in s3.head_object(Bucket=BUCKET, Key=other)
    [version] = s3.list_object_versions(Bucket=BUCKET, Prefix=key)["Versions"]
    assert version["StorageClass"] == "DEEP_ARCHIVE"
    [event] = events(aws, place, 1)
    assert event["eventName"] == "LifecycleTransition"


def test_a_place_is_not_another_one_whose_name_begins_alike(s3: Any, hook: ThawHook, place: str) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"{place}-2/{NAME.format(1)}", Body=b"1")
    assert hook.freeze(place) == 0


def test_thousands_of_restores_need_no_thread_each(s3: Any, hook: ThawHook, place: str) -> None:
    keys = [volume(place, number) for number in range(1, 301)]

    def put_and_ask(mine: list[str]) -> None:
        for key in mine:
            s3.put_object(Bucket=BUCKET, Key=key, Body=b"1", StorageClass="DEEP_ARCHIVE")
            ask(s3, key)

    workers = [threading.Thread(target=put_and_ask, args=(keys[start::4],)) for start in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert hook.finish(place) == 300
    assert [status["IsRestoreInProgress"] for status in listed(s3, place).values()] == [False] * 300


def test_what_the_hook_does_not_understand_it_refuses(hook: ThawHook, endpoint: str) -> None:
    for body in (b"{", b'{"finnish": ""}', b'{"fail": {"status": 503}}', b'{"move": {"prefix": ""}}', b"[]"):
        request = urllib.request.Request(f"{endpoint}/_ministack/thaw", data=body, method="POST")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)
        assert caught.value.code == 400


# ---------------------------------------------------------------- commands


def typed(state_folder: Path, *arguments: str) -> str:
    answer = CliRunner().invoke(commands, ["local", "thaw", *arguments, "--state", str(state_folder)])
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_the_commands_freeze_finish_expire_and_count(
    s3: Any, hook: ThawHook, store: Callable[..., str], state_folder: Path, place: str
) -> None:
    key = store(storage_class="STANDARD")
    assert typed(state_folder, "freeze", place) == "Moved 1 volume to DEEP_ARCHIVE.\n"
    ask(s3, key)
    assert json.loads(typed(state_folder, "finish", place, "--json")) == {"finished": 1}
    assert typed(state_folder, "expire", place, "--in", "60") == "The copies of 1 volume lapse in 60 s.\n"
    assert typed(state_folder, "expire", place) == "The copies of 1 volume have lapsed.\n"
    assert typed(state_folder, "calls", "--forget").splitlines() == [
        f"    1  {BUCKET}/{key}",
        "S3 was asked once, for 1 volume.",
    ]
    assert json.loads(typed(state_folder, "calls", "--json"))["calls"] == 0
    typed(state_folder, "delay", "0")
    assert typed(state_folder, "fail", "SlowDown", "--times", "2") == (
        "SlowDown (503) is the answer to the next requests for a volume: 2.\n"
    )
    assert refusal(ask, s3, key) == (503, "SlowDown")
    typed(state_folder, "fail", "--times", "0")
    typed(state_folder, "lose-events")
    typed(state_folder, "lose-events", "--off")
    assert ask(s3, key) == 202


def test_without_a_stack_a_command_says_what_to_do(tmp_path: Path) -> None:
    answer = CliRunner().invoke(commands, ["local", "thaw", "finish", "--state", str(tmp_path)])
    assert isinstance(answer.exception, OpsError)
    assert "python -m ops local up" in str(answer.exception)
