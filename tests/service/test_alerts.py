"""Findings at their events, the daily audit, and alerts that go out once, whatever SES and the other calls do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sesv2 import sesv2_backends

from chalicelib import wiring
from chalicelib.adapters.ses_mailer import Mailer, MailRefused
from chalicelib.adapters.stores.alert_store import CLAIM_LIFE
from chalicelib.journeys.send_alerts import send_alerts
from chalicelib.rendering import Mail
from tests.service.conftest import BUCKET, ENVIRONMENT, OWNER, Service, later

FULL = "20261122T195500Z"
FOLDER = "anna-laptop/system/"
VOLUME = f"{FOLDER}data_duplicity-full.{FULL}.vol1.difftar.gpg"
MANIFEST = f"{FOLDER}meta_duplicity-full.{FULL}.manifest.gpg"
SIGNATURES = f"{FOLDER}meta_duplicity-full-signatures.{FULL}.sigtar.gpg"
TAGGED = {"Tagging": "panicroom-storage=glacier-ir-7d"}


@pytest.fixture
def machine(service: Service) -> Service:
    service.enrolled("anna-laptop")
    return service


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Sequence[str]]]:
    """Subjects and recipients of the mails that SES took."""
    mails: list[tuple[str, Sequence[str]]] = []

    def send(_: Mailer, mail: Mail, recipients: Sequence[str]) -> str:
        mails.append((mail.subject, recipients))
        return f"id-{len(mails)}"

    monkeypatch.setattr(Mailer, "send", send)
    return mails


def found(service: Service) -> list[tuple[str, str]]:
    return sorted((one["code"], one["subject"]) for one in service.admin("findings")["findings"])


def whole_set(service: Service) -> None:
    service.put(VOLUME, b"volume", **TAGGED)
    service.put(SIGNATURES, b"signatures")
    service.put(MANIFEST, b"manifest", Metadata={"volumes": "1"})
    service.catalogue(VOLUME, SIGNATURES, MANIFEST)


# ---------------------------------------------------------------- at the event


def test_a_whole_set_in_its_place_is_no_finding(machine: Service) -> None:
    whole_set(machine)
    assert found(machine) == []


def test_each_misplaced_object_is_known_at_its_event_and_forgotten_at_the_next_one(machine: Service) -> None:
    whole_set(machine)
    wrong = VOLUME.replace("data_", "meta_")
    untagged = VOLUME.replace("vol1", "vol2")
    machine.put(wrong, b"volume", **TAGGED)
    machine.put(untagged, b"volume")
    machine.put(MANIFEST, b"manifest", Metadata={"volumes": "2"}, StorageClass="DEEP_ARCHIVE")
    machine.put(f"{FOLDER}notes.txt", b"x")
    machine.put("holiday.jpg", b"x")
    machine.put(f"old/system/{VOLUME.rpartition('/')[2]}", b"x")
    machine.put("_service/state", b"x")
    keys = [wrong, untagged, MANIFEST, f"{FOLDER}notes.txt", "holiday.jpg", "_service/state"]
    machine.catalogue(*keys, f"old/system/{VOLUME.rpartition('/')[2]}")
    assert found(machine) == [
        ("metadata_archived", MANIFEST.removeprefix(FOLDER)),
        ("misplaced_copy", wrong.removeprefix(FOLDER)),
        ("stray", f"{FOLDER}notes.txt"),
        ("stray", f"{BUCKET}/holiday.jpg"),
        ("unknown_job", f"{BUCKET}/old/system/"),
        ("wrong_tag", untagged.removeprefix(FOLDER)),
    ]
    for key in keys:
        machine.s3.delete_object(Bucket=BUCKET, Key=key)
    machine.put(MANIFEST, b"manifest", Metadata={"volumes": "1"})
    machine.catalogue(*keys)
    assert found(machine) == [("unknown_job", f"{BUCKET}/old/system/")]


def test_an_event_that_comes_again_after_a_failure_still_makes_its_finding(
    machine: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = VOLUME.replace("data_", "meta_")
    machine.put(wrong, b"volume")
    machine.put("holiday.jpg", b"x")

    def fails(*_: Any, **__: Any) -> None:
        raise OSError("the table is away")

    with monkeypatch.context() as patch:
        patch.setattr(wiring.finding_store().__class__, "replace", fails)
        answer = machine.catalogue(wrong, "holiday.jpg", sequencer="A1")
        assert len(answer["batchItemFailures"]) == 2
    assert machine.catalogue(wrong, "holiday.jpg", sequencer="A1") == {"batchItemFailures": []}
    assert [code for code, _ in found(machine)] == ["stray", "wrong_prefix"]


def test_a_copy_under_the_wrong_prefix_is_what_there_is_when_the_right_one_has_gone(machine: Service) -> None:
    whole_set(machine)
    wrong = VOLUME.replace("data_", "meta_")
    machine.put(wrong, b"volume", **TAGGED)
    machine.catalogue(wrong)

    def advised() -> dict[str, list[str]]:
        misplaced = [one for one in machine.admin("findings")["findings"] if one["subject"] == wrong_name]
        return {one["code"]: [line.split()[2] for line in one["commands"]] for one in misplaced}

    wrong_name = wrong.removeprefix(FOLDER)
    assert advised() == {"misplaced_copy": ["head-object"]}
    machine.s3.delete_object(Bucket=BUCKET, Key=VOLUME)
    machine.catalogue(VOLUME)
    assert advised() == {"wrong_prefix": ["copy-object"]}


# ---------------------------------------------------------------- the daily audit


def test_the_audit_tells_settings_rules_and_what_happened_and_keeps_what_lasts(machine: Service) -> None:
    whole_set(machine)
    upload = machine.s3.create_multipart_upload(Bucket=BUCKET, Key=f"{FOLDER}x")["UploadId"]
    machine.s3.upload_part(Bucket=BUCKET, Key=f"{FOLDER}x", UploadId=upload, PartNumber=1, Body=b"part")
    machine.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    machine.s3.put_bucket_lifecycle_configuration(
        Bucket=BUCKET,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "mine",
                    "Status": "Enabled",
                    "Filter": {"Prefix": "_data"},
                    "Transitions": [{"Days": 0, "StorageClass": "GLACIER"}],
                }
            ]
        },
    )
    machine.run(machine.enrolled("anna-laptop"))
    machine.run(f"anna-laptop.{machine.enrolled('anna-laptop').partition('.')[2]}")
    later(machine, days=8, hours=-1)
    codes = [one["code"] for one in machine.admin("audit")["findings"]]
    expected = {
        "versioning_off",
        "notifications_missing",
        "public_access_not_blocked",
        "rule_matches_nothing",
        "no_archive_rule",
    }
    assert expected <= set(codes)
    assert machine.admin("audit")["left_off"] == 0
    kept = {code for code, _ in found(machine)}
    assert kept == set(codes) - {"second_run"}


def test_what_is_no_longer_wrong_is_no_longer_kept(machine: Service) -> None:
    machine.put("holiday.jpg", b"x")
    machine.catalogue("holiday.jpg")
    machine.admin("audit")
    before = {code for code, _ in found(machine)}
    assert {"stray", "public_access_not_blocked"} <= before
    blocks = dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
    )
    machine.s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=blocks)
    machine.s3.delete_object(Bucket=BUCKET, Key="holiday.jpg")
    machine.catalogue("holiday.jpg")
    machine.admin("audit")
    assert {code for code, _ in found(machine)} == before - {"stray", "public_access_not_blocked"}


def test_a_public_bucket_is_told_by_its_list_or_its_policy(machine: Service) -> None:
    reader = wiring.audit_context(machine.now).settings
    assert reader.read(BUCKET).is_public is False
    machine.s3.put_bucket_acl(Bucket=BUCKET, ACL="public-read")
    assert reader.read(BUCKET).is_public is True


def test_a_tag_that_was_set_right_is_right_at_the_next_audit(machine: Service) -> None:
    whole_set(machine)
    untagged = VOLUME.replace("vol1", "vol2")
    machine.put(untagged, b"volume")
    machine.put(MANIFEST, b"manifest", Metadata={"volumes": "2"})
    machine.catalogue(untagged, MANIFEST)
    machine.admin("audit")
    assert ("wrong_tag", untagged.removeprefix(FOLDER)) in found(machine)
    tags = {"TagSet": [{"Key": "panicroom-storage", "Value": "glacier-ir-7d"}]}
    machine.s3.put_object_tagging(Bucket=BUCKET, Key=untagged, Tagging=tags)
    machine.admin("audit")
    assert "wrong_tag" not in {code for code, _ in found(machine)}


def test_a_machine_that_was_removed_leaves_no_finding(machine: Service) -> None:
    machine.put(f"{FOLDER}notes.txt", b"x")
    machine.catalogue(f"{FOLDER}notes.txt")
    assert ("stray", f"{FOLDER}notes.txt") in found(machine)
    machine.admin("machine_remove", name="anna-laptop")
    machine.admin("audit")
    assert ("stray", f"{FOLDER}notes.txt") not in found(machine)


def test_a_job_of_which_nothing_came_is_told_after_its_period_and_grace(machine: Service) -> None:
    later(machine, days=3)
    machine.admin("audit")
    assert ("no_backup_yet", "system") in found(machine)
    whole_set(machine)
    assert ("no_backup_yet", "system") not in found(machine)


# ---------------------------------------------------------------- alerts


def misplace(service: Service) -> None:
    service.put(VOLUME.replace("data_", "meta_"), b"volume")
    service.catalogue(VOLUME.replace("data_", "meta_"))
    later(service, minutes=5)


def alerts(service: Service) -> str | None:
    return send_alerts(wiring.alert_context(service.now))


def test_an_alert_goes_out_once_and_so_does_its_all_clear(
    machine: Service, sent: list[tuple[str, Sequence[str]]]
) -> None:
    misplace(machine)
    assert [alerts(machine) for _ in range(3)] == ["id-1", None, None]
    assert sent == [("[panicroom] anna-laptop/system: a backup's file is under the wrong prefix", (OWNER,))]
    machine.s3.delete_object(Bucket=BUCKET, Key=VOLUME.replace("data_", "meta_"))
    machine.catalogue(VOLUME.replace("data_", "meta_"))
    assert alerts(machine) is None
    later(machine, hours=1)
    assert [alerts(machine) for _ in range(2)] == ["id-2", None]
    assert sent[1][0].startswith("[panicroom] All clear: anna-laptop/system")


def test_what_a_thief_does_is_mailed_at_once(machine: Service, sent: list[tuple[str, Sequence[str]]]) -> None:
    token = machine.enrolled("anna-laptop")
    assert machine.run(token).status == 201
    assert machine.run(token).status == 409
    assert alerts(machine) == "id-1"
    assert sent[0][0] == "[panicroom] Look now: anna-laptop/system: a second backup was started while one ran"


def test_a_call_that_dies_before_ses_answers_loses_nothing(
    machine: Service, sent: list[tuple[str, Sequence[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    misplace(machine)

    class Killed(BaseException):
        """The function's time was up."""

    def dies(*_: Any) -> str:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Mailer, "send", dies)
        with pytest.raises(Killed):
            alerts(machine)
    assert alerts(machine) is None, "another call may be sending"
    machine.now += CLAIM_LIFE
    assert [alerts(machine), alerts(machine)] == ["id-1", None]


def test_a_mail_that_ses_did_not_take_goes_out_with_the_next_call(
    machine: Service, sent: list[tuple[str, Sequence[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    misplace(machine)

    def refuses(*_: Any) -> str:
        raise OSError("SES is away")

    with monkeypatch.context() as patch:
        patch.setattr(Mailer, "send", refuses)
        with pytest.raises(OSError, match="SES is away"):
            alerts(machine)
    later(machine, minutes=1)
    assert [alerts(machine), alerts(machine)] == ["id-1", None]


def test_one_address_that_ses_refuses_does_not_keep_the_others_from_hearing(
    machine: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Sequence[str]] = []

    def send(_: Mailer, mail: Mail, recipients: Sequence[str]) -> str:
        if "gone@example.org" in recipients:
            raise MailRefused("not verified")
        taken.append(recipients)
        return "id"

    monkeypatch.setattr(Mailer, "send", send)
    misplace(machine)
    import dataclasses

    context = wiring.alert_context(machine.now)
    with pytest.raises(MailRefused):
        send_alerts(dataclasses.replace(context, recipients=("gone@example.org",)))
    both = dataclasses.replace(context, recipients=("gone@example.org", OWNER))
    assert (send_alerts(both), taken) == ("id", [[OWNER]])
    assert send_alerts(both) is None


def test_of_two_calls_at_once_one_sends(machine: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    misplace(machine)
    inner: list[str | None] = []

    def send(_: Mailer, mail: Mail, recipients: Sequence[str]) -> str:
        inner.append(alerts(machine))  # the schedule fires again while this mail is on its way
        return "outer"

    monkeypatch.setattr(Mailer, "send", send)
    assert alerts(machine) == "outer"
    assert inner == [None]
    assert alerts(machine) is None


def test_of_two_calls_that_have_read_the_same_the_one_with_the_earlier_time_may_come_second(
    machine: Service,
) -> None:
    store, now = wiring.alert_context(machine.now).alerts, machine.now
    mailed, _published = store.read()
    assert store.claim(mailed, now)
    assert not store.claim(mailed, now - timedelta(seconds=0.2))
    assert not store.claim(mailed, now + timedelta(seconds=0.2))
    a_clock_that_was_ahead = now - timedelta(hours=1)
    assert store.claim(mailed, a_clock_that_was_ahead), "it must not silence the alerts until then"


def test_a_job_that_is_overdue_is_mailed_and_again_when_it_is_well(
    machine: Service, sent: list[tuple[str, Sequence[str]]]
) -> None:
    whole_set(machine)
    machine.now = machine.s3.head_object(Bucket=BUCKET, Key=MANIFEST)["LastModified"]
    assert alerts(machine) is None
    later(machine, hours=47)
    assert alerts(machine) is None
    later(machine, hours=2)
    preview = machine.admin("alerts_preview")["mail"]
    assert alerts(machine) == "id-1"
    assert sent[0][0] == preview["subject"] == "[panicroom] anna-laptop/system: no backup in time"
    assert "2 days old" in preview["text"]
    machine.admin("machine_pause", name="anna-laptop", until="2030-01-01")
    later(machine, days=40)
    assert alerts(machine) is None
    machine.admin("machine_resume", name="anna-laptop")
    later(machine, hours=11)
    assert alerts(machine) is None
    later(machine, hours=2)
    assert machine.admin("alerts_send")["message_id"] == "id-2"


def test_alerts_can_be_asked_for_as_of_another_time(
    machine: Service, sent: list[tuple[str, Sequence[str]]]
) -> None:
    machine.put("holiday.jpg", b"x")
    machine.catalogue("holiday.jpg")
    assert machine.admin("alerts_send")["message_id"] is None
    at = (machine.now + timedelta(minutes=2)).isoformat()
    assert machine.admin("alerts_send", at=at)["message_id"] == "id-1"
    assert machine.admin("alerts_send", at="soon")["error"] == "bad_request"


def test_nothing_new_writes_nothing(machine: Service, sent: list[tuple[str, Sequence[str]]]) -> None:
    alerts(machine)
    key = {"pk": {"S": "ALERTS"}, "sk": {"S": "record"}}
    table = ENVIRONMENT["PANICROOM_TABLE"]
    before = machine.table.get_item(TableName=table, Key=key)["Item"]
    later(machine, minutes=1)
    alerts(machine)
    assert machine.table.get_item(TableName=table, Key=key)["Item"] == before


def test_the_mail_itself_is_text_and_html_and_names_the_stage(machine: Service) -> None:
    misplace(machine)
    assert alerts(machine) is not None
    backend = sesv2_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].core_backend
    raw = backend.sent_messages[-1].raw_data
    assert "python -m ops audit --stage test" in raw
    assert "multipart/alternative" in raw


def test_the_manifest_of_a_finished_set_that_somebody_deletes_is_mailed_at_once_and_can_be_brought_back(
    service: Service, sent: list[tuple[str, Sequence[str]]]
) -> None:
    token = service.enrolled("anna-laptop")
    whole_set(service)
    service.s3.delete_object(Bucket=BUCKET, Key=MANIFEST)
    service.catalogue(MANIFEST)
    assert found(service) == [("manifest_vanished", f"full.{FULL}")]
    later(service, minutes=3)
    assert alerts(service) == "id-1"
    assert sent[0][0].startswith("[panicroom] Look now: anna-laptop/system: a finished backup's manifest")
    run = service.run(token).body["run"]
    names = [VOLUME.rpartition("/")[2]]
    answer = service.call("POST", "/jobs/system/discards", {"run": run, "names": names}, token)
    assert [refused["error"] for refused in answer.body["refused"]] == ["set_sealed"]
    assert VOLUME in service.stored_keys()
    [marker] = service.s3.list_object_versions(Bucket=BUCKET, Prefix=MANIFEST)["DeleteMarkers"]
    service.s3.delete_object(Bucket=BUCKET, Key=MANIFEST, VersionId=marker["VersionId"])
    service.catalogue(MANIFEST)
    assert found(service) == []


def test_each_of_several_owners_of_a_group_gets_one_alert(
    service: Service, sent: list[tuple[str, Sequence[str]]]
) -> None:
    service.admin("group_add", name="web", owner_mail=f"anna@example.org, ben@example.org, {OWNER}")
    for name in ("web-1", "web-2"):
        service.enrolled(name, group="web")
    later(service, hours=49)
    alerts(service)
    assert [recipients for _, recipients in sent] == [(OWNER,), ["anna@example.org"], ["ben@example.org"]]


def test_machines_that_never_began_are_named_and_their_own_owners_hear_of_their_own_only(
    service: Service, sent: list[tuple[str, Sequence[str]]]
) -> None:
    service.enrolled("anna-laptop", owner_mail="anna@example.org")
    service.enrolled("ben-laptop", owner_mail="ben@example.org")
    service.enrolled("office")
    later(service, hours=47)
    assert alerts(service) is None
    later(service, hours=2)
    assert alerts(service) == "id-1"
    title = "no backup since it was added"
    assert sent == [
        (f"[panicroom] anna-laptop/system: {title} (and 2 more)", (OWNER,)),
        (f"[panicroom] anna-laptop/system: {title}", ["anna@example.org"]),
        (f"[panicroom] ben-laptop/system: {title}", ["ben@example.org"]),
    ]
    later(service, hours=1)
    assert alerts(service) is None, "once"
