"""A machine's end: what it stored and every row of it go, whenever that is interrupted, and nothing else does."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone
from typing import Any

import botocore.client
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import wire
from chalicelib.adapters.price_files import price_table
from chalicelib.domain.backups.names import is_identifier
from chalicelib.fleet_wire import DropPlace, MachineDropped, MachineDropPlan
from ops.buckets.machine_files import owns, remove_machine_files, survey_machine
from ops.errors import OpsError
from tests.service.conftest import BUCKET, TABLE, Service, fire, later, running_service
from tests.service.letting_go import Archive

NAME, NEIGHBOUR = "laptop", "laptop-2"
WRONG = "meta_duplicity-full.20261122T195500Z.vol1.difftar.gpg"
"""A volume that has the prefix of a manifest."""
TABLES = price_table("eu-central-1")


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Texts of the mails that are sent."""
    from chalicelib.adapters.alerts_topic import AlertsTopic
    from chalicelib.adapters.ses_mailer import Mailer

    sent: list[str] = []
    monkeypatch.setattr(Mailer, "send", lambda _, mail, __: sent.append(mail.text) or "id")
    monkeypatch.setattr(AlertsTopic, "publish", lambda *_: "id")
    return sent


def plan_of(service: Service, name: str = NAME) -> MachineDropPlan:
    return wire.from_json(MachineDropPlan, service.admin("machine_drop_plan", name=name))


def drop(service: Service, s3: Any = None) -> MachineDropped:
    """What the command does once the name was typed."""
    jobs = [place.job for place in plan_of(service).jobs]
    plan = wire.from_json(MachineDropPlan, service.admin("machine_drop", name=NAME, jobs=jobs))
    remove_machine_files(s3 or service.s3, plan)
    return wire.from_json(MachineDropped, service.admin("machine_dropped", name=NAME))


def stored(service: Service, prefix: str = "", bucket: str = BUCKET) -> list[str]:
    """Keys of every version and marker."""
    answer = service.s3.list_object_versions(Bucket=bucket, Prefix=prefix)
    return [one["Key"] for kind in ("Versions", "DeleteMarkers") for one in answer.get(kind, [])]


def rows(service: Service) -> dict[tuple[str, str], Any]:
    items = service.table.scan(TableName=TABLE)["Items"]
    return {(item["pk"]["S"], item["sk"]["S"]): item for item in items}


def rows_of(service: Service, name: str) -> list[tuple[str, str]]:
    """Those of that machine, without what is kept of everybody: notices, the journal, and codes, which lapse."""
    kept = ("NOTICES", "JOURNAL", "CODES", "ALERTS", "REPORTS", "JOB_FIGURES")
    return [
        key
        for key in rows(service)
        if not key[0].startswith(kept)
        and any(
            part == name or part.startswith((f"{name}/", f"{name}#"))
            for part in (key[1], key[0].partition("#")[2], key[1].removeprefix(f"{BUCKET}/"))
        )
    ]


@pytest.fixture
def service(service: Service) -> Service:
    return furnished(service)


def furnished(service: Service) -> Service:
    """Two machines whose names begin alike, one of which also has pictures, an old version, a stray and an upload that
    nobody finished."""
    for name in (NAME, NEIGHBOUR):
        archive = Archive(service, name)
        first = archive.backup()
        archive.wait(days=1)
        archive.backup(first)
        archive.store(first, part=1)
        service.put(f"{name}/notes.txt", b"a stray")
        service.s3.create_multipart_upload(Bucket=BUCKET, Key=f"{name}/system/data_big")
        archive.deliver()
    service.admin("machine_add", name=NAME, photos=True)
    service.admin("retention_hold", name=NAME, job="system")
    return service


def test_all_of_it_is_gone_and_nothing_of_a_machine_whose_name_begins_alike(service: Service) -> None:
    neighbours = (
        stored(service, f"{NEIGHBOUR}/"),
        {key: rows(service)[key] for key in rows_of(service, NEIGHBOUR)},
    )
    assert rows_of(service, NAME)
    assert drop(service) == MachineDropped(NAME, True)
    assert stored(service, f"{NAME}/") == []
    uploads = service.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
    assert [one["Key"] for one in uploads] == [f"{NEIGHBOUR}/system/data_big"]
    assert rows_of(service, NAME) == []
    assert neighbours == (
        stored(service, f"{NEIGHBOUR}/"),
        {key: rows(service)[key] for key in rows_of(service, NEIGHBOUR)},
    )
    assert "no machine called laptop." in service.admin("machine_show", name=NAME)["message"]


def test_it_says_first_what_there_is_and_changes_nothing(service: Service) -> None:
    before = rows(service), stored(service)
    plan = plan_of(service)
    assert [(place.job, place.sets) for place in plan.jobs] == [("system", 2)]
    found = survey_machine(service.s3, plan, TABLES, service.now)
    [one] = found.found.classes
    assert (found.files, one.versions.count, one.fee) == (9, 10, 0)
    assert one.versions.size_bytes == 9 * 100 + len(b"a stray")
    assert found.found.locked_until is None
    assert (rows(service), stored(service)) == before


def test_from_the_first_step_on_nothing_comes_and_nothing_alarms(service: Service) -> None:
    token = service.enrolled(NAME)
    code = service.admin("machine_rotate", name=NAME)["code"]
    service.admin("machine_drop", name=NAME, jobs=["system"])
    assert service.call("GET", "/machine", token=token).status == 403
    refused = service.call("POST", "/enrolments", {"code": code, "secret_sha256": "a" * 64})
    assert refused.error == "bad_code", refused
    for command in ("add", "rotate", "recovery", "pause", "resume", "remove"):
        assert "is being removed with all" in service.admin(f"machine_{command}", name=NAME)["message"]
    assert [row["status"] for row in service.admin("machine_list")["machines"] if row["machine"] == NAME] == [
        "dropping"
    ]


def test_while_its_files_go_no_finding_and_no_mail_says_that_they_are_missing(service: Service) -> None:
    import app

    archive = Archive(service, NAME, token="none")
    archive.told = archive.versions()
    plan = plan_of(service)
    service.admin("machine_drop", name=NAME, jobs=["system"])
    manifests = [key for key in stored(service, f"{NAME}/") if "manifest" in key]
    for key in manifests:
        [version] = service.s3.list_object_versions(Bucket=BUCKET, Prefix=key)["Versions"]
        service.s3.delete_object(Bucket=BUCKET, Key=key, VersionId=version["VersionId"])
    archive.deliver()
    later(service, days=9)
    fire(app.daily_audit)
    mine = [one for one in service.admin("findings")["findings"] if one["machine"] == NAME]
    assert mine == []
    mail = service.admin("report_preview")["text"]
    assert "manifest" not in mail
    assert f"{NAME}/system" not in str(service.admin("alerts_preview"))
    remove_machine_files(service.s3, plan)
    archive.deliver()
    assert service.admin("machine_dropped", name=NAME)["ended"] is True


OF_NO_MACHINE = {"group_add", "group_set", "group_remove", "audit", "alerts_send", "report_send"}
OF_A_THAW = {"thaw_approve", "thaw_deny"}
"""The machine has none that waits: the drop is refused before."""
SET = "full.20261122T195900Z"


def test_every_command_that_would_change_it_says_what_goes_on_and_changes_nothing(service: Service) -> None:
    from chalicelib.journeys.admin.administer import CHANGES

    service.admin("machine_drop", name=NAME, jobs=["system"])
    of_a_set = {"set": SET, "chain": SET, "sets": [SET]}
    of_many = {"machines": [{"name": NAME}], "names": [NAME], "looks": [{"machine": NAME, "job": "system"}]}
    arguments: dict[str, Any] = {"name": NAME, "job": "system", **of_a_set, **of_many}
    before = rows_of(service, NAME), {key: rows(service)[key] for key in rows_of(service, NAME)}
    goes_on = (
        "laptop is being removed with all that it stored: `python -m ops machine drop laptop --stage test`"
    )
    for command in sorted(CHANGES.keys() - OF_NO_MACHINE - OF_A_THAW - {"machine_drop", "machine_dropped"}):
        for each in ("set", "pause", "resume", "revoke", "rotate") if command == "for_machines" else [""]:
            said = service.admin(command, **arguments, each=f"machine_{each}")
            assert goes_on in str(said), (command, each, said)
    assert (rows_of(service, NAME), {key: rows(service)[key] for key in rows_of(service, NAME)}) == before
    looks = [
        {field: one[field] for field in ("machine", "job", "digest")}
        for one in service.admin("retention_preview")["jobs"]
    ]
    assert [one["machine"] for one in looks] == [NEIGHBOUR], (
        "it would keep the owner from approving all at once"
    )
    assert service.admin("retention_approve", looks=looks)["changed"] == []
    assert drop(service).ended


def test_a_code_that_was_made_at_the_same_moment_does_not_bring_it_back(service: Service) -> None:
    from chalicelib import wiring
    from chalicelib.domain.backups.machines import CODE_LIFE, EnrolmentCode, sha256_hex

    service.admin("machine_drop", name=NAME, jobs=["system"])
    late = service.now + timedelta(seconds=1) + CODE_LIFE
    wiring.machine_store().put_code(EnrolmentCode(sha256_hex("LATE"), NAME, late))
    refused = service.call("POST", "/enrolments", {"code": "late", "secret_sha256": "a" * 64})
    assert refused.error == "bad_code", refused


def test_a_reconcile_while_its_files_go_misses_none(service: Service) -> None:
    import app

    plan = plan_of(service)
    service.admin("machine_drop", name=NAME, jobs=["system"])
    remove_machine_files(service.s3, plan)
    done = app.reconcile({"machine": NAME, "job": "system"}, None)
    assert (done["examined"], done["differences"]) == (0, ())
    assert [one for one in service.admin("findings")["findings"] if one["machine"] == NAME] == []
    assert "catalogue_differed" not in str(rows(service).keys())


def test_what_was_said_of_a_machine_that_is_gone_advises_no_command_of_it(
    service: Service, mails: list[str]
) -> None:
    from chalicelib import wiring
    from chalicelib.domain.audit.notices import CODE_REUSED, Notice, job_added

    for name in (NAME, NEIGHBOUR):
        wiring.notice_store().put(Notice(CODE_REUSED, name, "", f"Of {name}, twice.", service.now))
        wiring.notice_store().put(job_added(name, "photos", "photos-2018", service.now))
    assert drop(service).ended
    service.admin("alerts_send")
    later(service, days=1, hours=1)
    service.admin("alerts_send")
    mail = "".join(mails)
    assert f"Of {NAME}, twice." in mail
    assert f"{NAME} has begun to back up photos-2018" in mail
    assert f"machine revoke {NEIGHBOUR}" in mail
    assert f"machine show {NEIGHBOUR}" in mail
    assert f" {NAME} --stage" not in mail
    found = [one for one in service.admin("audit")["findings"] if one["machine"] == NAME]
    assert {one["code"]: one["commands"] for one in found} == {"code_reused": [], "job_added": []}


def test_its_end_is_no_all_clear(service: Service, mails: list[str]) -> None:
    for name in (NAME, NEIGHBOUR):
        service.put(f"{name}/system/{WRONG}", b"x")
        service.catalogue(f"{name}/system/{WRONG}")
    later(service, minutes=5)
    service.admin("alerts_send")
    assert f"{NAME}/system" in mails[0]
    service.admin("machine_drop", name=NAME, jobs=["system"])
    key = f"{NEIGHBOUR}/system/{WRONG}"
    service.s3.delete_object(Bucket=BUCKET, Key=key)
    service.catalogue(key)
    later(service, hours=2)
    service.admin("alerts_send")
    assert f"{NEIGHBOUR}/system: over" in mails[1]
    assert f"{NAME}/system: over" not in mails[1]


@pytest.mark.parametrize("ends", ["lease", "waiting", "thawing"])
def test_it_is_refused_while_a_backup_or_a_thaw_is_under_way(service: Service, ends: str) -> None:
    from chalicelib import wiring
    from chalicelib.adapters.stores.thaw_store import thaw_item
    from chalicelib.domain.restore.thaws import Thaw
    from chalicelib.wire import ThawState, ThawTier

    if ends == "lease":
        service.run(service.enrolled(NAME))
        said = "A backup of laptop/system is under way. End it there"
    else:
        state = ThawState.WAITING if ends == "waiting" else ThawState.THAWING
        at = service.now
        thaw = Thaw(NAME, "system", "abc1", state, ThawTier.BULK, at, 1, 100, 1, at + timedelta(days=2))
        wiring.thaw_store()._table.put(thaw_item(thaw))
        said = "thaw deny abc1" if ends == "waiting" else "which S3 does not stop: type this again after"
    for command in ("machine_drop_plan", "machine_drop"):
        refused = service.admin(command, name=NAME, jobs=["system"])
        assert said in refused["message"]
    assert "dropping" not in str(service.admin("machine_list"))


def test_jobs_that_were_not_shown_are_not_dropped(service: Service) -> None:
    assert "have changed" in service.admin("machine_drop", name=NAME, jobs=[])["message"]
    assert "is not being removed" in service.admin("machine_dropped", name=NAME)["message"]


# ---------------------------------------------------------------- locks


def test_what_is_locked_keeps_the_machine_in_the_list_until_the_command_comes_again(
    service: Service,
) -> None:
    key = next(key for key in stored(service, f"{NAME}/system/") if "vol2" in key)
    locking = Locking(service.s3, key, datetime(2027, 1, 1, tzinfo=timezone.utc))
    found = survey_machine(locking, plan_of(service), TABLES, service.now).found
    assert (found.locked.count, found.locked_until) == (1, locking.until)
    left = drop(service, locking)
    assert (left.ended, left.keys_left) == (False, 1)
    assert set(stored(service, f"{NAME}/")) == {key}
    assert plan_of(service).dropping_since is not None
    later(service, days=60)
    assert drop(service).ended is True
    assert rows_of(service, NAME) == []


def test_a_lock_without_a_day_is_said_with_the_command_that_ends_it(service: Service) -> None:
    key = next(key for key in stored(service, f"{NAME}/system/") if "vol2" in key)
    with pytest.raises(OpsError, match=f"A legal hold keeps {key}") as refused:
        drop(service, Locking(service.s3, key, None))
    assert f"`aws s3api put-object-legal-hold --bucket {BUCKET} --key {key} --version-id" in str(
        refused.value
    )
    assert set(stored(service, f"{NAME}/system/")) == {key}
    assert drop(service).ended


class Locking:
    """S3 with Object Lock on one key, as AWS answers; a legal hold has no ``until``."""

    def __init__(self, s3: Any, key: str, until: datetime | None) -> None:
        self._s3, self._key, self.until = s3, key, until

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def get_object_lock_configuration(self, **_: Any) -> Any:
        return {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}

    def get_object_retention(self, **which: Any) -> Any:
        if which["Key"] == self._key and self.until is not None:
            return {"Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": self.until}}
        error = {"Error": {"Code": "NoSuchObjectLockConfiguration"}}
        raise botocore.exceptions.ClientError(error, "GetObjectRetention")

    def get_object_legal_hold(self, **which: Any) -> Any:
        return {"LegalHold": {"Status": "ON" if which["Key"] == self._key else "OFF"}}

    def delete_objects(self, **request: Any) -> Any:
        wanted = request["Delete"]["Objects"]
        refused = [one for one in wanted if one["Key"] == self._key]
        others = [one for one in wanted if one["Key"] != self._key]
        if others:
            self._s3.delete_objects(**{**request, "Delete": {"Objects": others}})
        return {"Errors": [{**one, "Code": "AccessDenied", "Message": "locked"} for one in refused]}


# ---------------------------------------------------------------- adopted buckets


def test_of_an_adopted_bucket_only_the_jobs_own_files_go(service: Service) -> None:
    service.s3.create_bucket(Bucket="attic")
    service.s3.put_bucket_versioning(Bucket="attic", VersioningConfiguration={"Status": "Enabled"})
    service.admin("machine_add", name="berta", jobs=["old"], bucket="attic", prefix="old/")
    service.admin("machine_add", name="carla", jobs=["older"], bucket="attic", prefix="older/")
    volume = "duplicity-full.20240101T040000Z.vol1.difftar.gpg"
    foreign = ["letters.txt", "old/letters.txt", "old/inside/" + volume, "old/" + volume + ".bak"]
    for key in ["old/" + volume, "older/" + volume, *foreign]:
        service.s3.put_object(Bucket="attic", Key=key, Body=b"x")
        service.s3.create_multipart_upload(Bucket="attic", Key=key)
    plan = plan_of(service, "berta")
    service.admin("machine_drop", name="berta", jobs=["old"])
    remove_machine_files(service.s3, plan)
    assert service.admin("machine_dropped", name="berta")["ended"] is True
    assert sorted(stored(service, bucket="attic")) == sorted(["older/" + volume, *foreign])
    uploads = service.s3.list_multipart_uploads(Bucket="attic")["Uploads"]
    assert sorted(one["Key"] for one in uploads) == sorted(["older/" + volume, *foreign])
    assert ("LOCATIONS#attic", "old/#") not in rows(service)
    assert ("LOCATIONS#attic", "older/#") in rows(service)


names = st.text("ab-0", min_size=1, max_size=4).filter(is_identifier)
files = st.sampled_from(["notes.txt", "duplicity-full.20240101T040000Z.vol1.difftar.gpg", "deep/er/file"])


def test_a_job_whose_bucket_was_deleted_goes_with_the_rest(service: Service) -> None:
    service.s3.create_bucket(Bucket="attic")
    service.admin("machine_add", name="berta", jobs=["old"], bucket="attic", prefix="old/")
    service.admin("machine_add", name="berta")
    service.put("berta/system/notes.txt", b"a stray")
    service.s3.delete_bucket(Bucket="attic")
    plan = plan_of(service, "berta")
    assert survey_machine(service.s3, plan, TABLES, service.now).files == 1
    service.admin("machine_drop", name="berta", jobs=[place.job for place in plan.jobs])
    remove_machine_files(service.s3, plan)
    assert service.admin("machine_dropped", name="berta")["ended"] is True
    assert (rows_of(service, "berta"), stored(service, "berta/")) == ([], [])


@given(names, names, st.lists(names, max_size=3), names, files)
def test_no_key_of_another_machine_is_ever_its_own(
    mine: str, other: str, jobs: list[str], job: str, file: str
) -> None:
    places = tuple(DropPlace(one, BUCKET, f"{mine}/{one}/", 0, "STANDARD", 0) for one in jobs)
    plan = MachineDropPlan(mine, BUCKET, f"{mine}/", places)
    assert owns(plan, BUCKET, f"{other}/{job}/{file}") is (mine == other)
    assert not owns(plan, "attic", f"{mine}/{job}/{file}")


# ---------------------------------------------------------------- interruptions


class Killed(BaseException):
    """As Ctrl-C or the end of a function: nothing goes on."""


LOOKING = ("Get", "BatchGet", "Query", "List", "Head", "Scan")
"""Killed after one of these it is as if it had been killed after the call before."""


def test_killed_after_each_call_the_same_command_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real_call = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]
    calls_left = itertools.count(-(10**9))

    def call(self: Any, operation_name: str, api_params: Any) -> Any:
        answer = real_call(self, operation_name, api_params)
        if not operation_name.startswith(LOOKING) and next(calls_left) == 0:
            raise Killed
        return answer

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
    for number in range(1, 10_000):
        with running_service(monkeypatch) as fresh:
            small(fresh)
            calls_left = itertools.count(-number)
            try:
                ended = drop(fresh).ended
                calls_left = itertools.count(-(10**9))
                assert ended
                break
            except Killed:
                pass
            calls_left = itertools.count(-(10**9))
            if "no machine called" not in str(fresh.admin("machine_show", name=NAME)):
                assert drop(fresh).ended
            assert stored(fresh) == []
            assert rows_of(fresh, NAME) == []
    assert number > 15


def small(service: Service) -> None:
    Archive(service, NAME).backup(volumes=1)
    service.s3.create_multipart_upload(Bucket=BUCKET, Key=f"{NAME}/system/data_big")


def test_what_a_machine_stored_before_it_was_removed_and_added_again_leaves_no_row_either(
    service: Service,
) -> None:
    """Else a job of that name would be fresh, by backups that are gone."""
    service.admin("machine_remove", name=NAME)
    service.admin("machine_add", name=NAME, jobs=["documents"])
    assert [(place.job, place.sets) for place in plan_of(service).jobs] == [("documents", 0), ("system", 2)]
    assert drop(service) == MachineDropped(NAME, True)
    assert (stored(service, f"{NAME}/"), rows_of(service, NAME)) == ([], [])
    service.admin("machine_add", name=NAME)
    [job] = service.admin("machine_show", name=NAME)["jobs"]
    assert (job["sets"], job["newest_complete_at"]) == ([], None)
    assert stored(service, f"{NEIGHBOUR}/")


def test_an_event_that_comes_while_its_rows_go_writes_none_anew(service: Service) -> None:
    archive = Archive(service, NAME, token="none")
    archive.told = archive.versions()
    plan = plan_of(service)
    service.admin("machine_drop", name=NAME, jobs=["system"])
    remove_machine_files(service.s3, plan)
    partitions = {f"JOB#{NAME}/system", f"OBJECTS#{NAME}/system"}
    gone = [key for key in rows(service) if key[0] in partitions]
    assert gone
    for pk, sk in gone:
        service.table.delete_item(TableName=TABLE, Key={"pk": {"S": pk}, "sk": {"S": sk}})
    archive.deliver()
    assert not partitions & {pk for pk, _ in rows(service)}


def test_an_event_that_comes_after_its_end_leaves_nothing_behind(service: Service) -> None:
    """Else each of its files would leave a row for 90 days."""
    archive = Archive(service, NAME, token="none")
    archive.told = archive.versions()
    assert drop(service).ended
    archive.deliver()
    assert rows_of(service, NAME) == []
    assert not [one for one in service.admin("findings")["findings"] if NEIGHBOUR not in str(one)]


def test_a_run_that_begins_while_the_machine_is_removed_makes_no_half_of_a_job(service: Service) -> None:
    """A row with nothing in it but that run: nobody could read any job any more."""
    from chalicelib import wiring
    from chalicelib.domain.backups.machines import LastRun

    job = Archive(service, NAME, token="none").job
    service.admin("machine_remove", name=NAME)
    wiring.run_store().record_run(job, LastRun("20261122t200000z-0123456789abcdef", "full", service.now), {})
    assert [one["machine"] for one in service.admin("machine_list")["machines"]] == [NEIGHBOUR]
    assert ("JOBS", f"{NAME}/system") not in rows(service)


def test_a_finding_that_changes_while_it_ends_makes_no_half_of_one(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib import wiring
    from chalicelib.domain.audit.findings import new_finding

    store, job = wiring.finding_store(), Archive(service, NAME, token="none").job

    def finding(message: str) -> Any:
        return new_finding("gap", machine=NAME, job="system", subject=SET, message=message)

    store.replace(job, [finding("One volume is missing.")], service.now, codes=["gap"])
    there = store.open_findings(job)
    store.forget_others(set())
    with monkeypatch.context() as patch:
        patch.setattr(store, "_below", lambda _: there)
        store.replace(job, [finding("Two volumes are missing.")], service.now, codes=["gap"])
    assert store.findings(job) == []
