"""A folder of pictures: the owner adds it once, and the computer makes a job of each folder in it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from chalicelib.domain.audit.codes.photos import OF_PHOTOS
from chalicelib.domain.backups.machines import sha256_hex
from tests.service.conftest import Answer, Service
from tests.service.thawing import ThawingLaptop

PHOTOS = {"photos": True, "source_hint": "D:/Pictures"}


def test_a_machine_of_pictures_has_a_family_and_no_job(service: Service) -> None:
    added = service.admin("machine_add", name="anna-laptop", **PHOTOS)
    assert added["jobs"] == []
    [family] = added["families"]
    told = {"family": "photos", "period_seconds": 7 * 86_400, "volume_mb": 200, "most_jobs": 60}
    assert family.items() >= {**told, "source_hint": "D:/Pictures"}.items()


def test_a_machine_may_have_both_and_what_is_typed_holds_for_both(service: Service) -> None:
    asked = {"jobs": ["system"], "period_seconds": 864_000, "storage": "instant", "keep_days": 90}
    service.admin("machine_add", name="anna-laptop", **PHOTOS, **asked)
    token = service.enrolled()
    service.call("POST", "/jobs", {"job": "photos-2018", "family": "photos"}, token)
    jobs = {job["job"]: job for job in service.admin("machine_show", name="anna-laptop")["jobs"]}
    assert jobs.keys() == {"system", "photos-2018"}
    for job in jobs.values():
        kept = (job["period_seconds"], job["archive_class"], job["keep_days"])
        assert kept == (864_000, "GLACIER_IR", 90)


@pytest.mark.parametrize("again", [{}, {"photos": True}, {"photos": True, "jobs": []}])
def test_a_machine_that_is_added_again_gets_a_code_and_no_other_job(
    service: Service, again: dict[str, Any]
) -> None:
    first = service.admin("machine_add", name="anna-laptop", **PHOTOS)
    second = service.admin("machine_add", name="anna-laptop", **again)
    assert (second["jobs"], second["families"]) == ([], first["families"])
    assert second["code"] != first["code"]


def test_a_new_code_for_a_machine_of_pictures_adds_no_job(service: Service) -> None:
    service.enrolled(**PHOTOS)
    assert service.admin("machine_rotate", name="anna-laptop")["jobs"] == []


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"source_hint": "D:/Pictures"}, "--source-hint goes with --photos"),
        ({**PHOTOS, "bucket": "attic"}, "leave out --bucket"),
        ({**PHOTOS, "source_hint": "D:\n"}, "the path of a folder"),
        ({**PHOTOS, "source_hint": ["D:"]}, "the path of a folder"),
        ({**PHOTOS, "source_hint": "D" * 201}, "the path of a folder"),
        ({**PHOTOS, "jobs": ["photos-2018"]}, "Choose another name"),
        ({**PHOTOS, "jobs": ["photos"]}, "Choose another name"),
        ({**PHOTOS, "jobs": "system"}, "Names of jobs"),
        ({**PHOTOS, "period_seconds": 0}, "period_seconds"),
        ({**PHOTOS, "storage": "tape"}, "storage"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_added(
    service: Service, asked: dict[str, Any], message: str
) -> None:
    refused = service.admin("machine_add", name="anna-laptop", **asked)
    assert message in refused["message"]
    assert service.admin("machine_list")["machines"] == []


def test_a_job_that_is_called_as_a_family_keeps_its_name(service: Service) -> None:
    service.enrolled(jobs=["photos"])
    assert "has a job called photos" in service.admin("machine_add", name="anna-laptop", **PHOTOS)["message"]


def test_other_settings_for_a_family_that_is_there_are_refused(service: Service) -> None:
    service.admin("machine_add", name="anna-laptop", **PHOTOS)
    for other in ({"storage": "instant"}, {"keep_chains": 2}):
        refused = service.admin("machine_add", name="anna-laptop", photos=True, **other)
        assert "machine set anna-laptop --job photos" in refused["message"]


def test_a_machine_may_plan_restores_of_each_of_its_years_on_top_of_the_usual_twenty(
    service: Service,
) -> None:
    token = service.enrolled(**PHOTOS, jobs=["system"])
    for year in range(2010, 2013):
        service.call("POST", "/jobs", {"job": f"photos-{year}", "family": "photos"}, token)
    laptop = ThawingLaptop(service, token=token)
    errors = [laptop.plan(str(number)).error for number in range(1, 26)]
    assert errors == [None] * 23 + ["thaw_cap"] * 2


@pytest.mark.parametrize(
    ("agent", "jobs", "status"),
    [
        ("panicroom/0.1.0", [], 400),
        ("panicroom/0.1.0", ["system"], 201),
        ("panicroom/0.2.0", [], 201),
        ("panicroom/0.10.0", [], 201),
        ("curl/8", [], 201),
    ],
)
def test_a_client_that_knows_no_families_is_told_so_and_uses_up_no_code(
    service: Service, agent: str, jobs: list[str], status: int
) -> None:
    code = service.admin("machine_add", name="anna-laptop", jobs=jobs, photos=True)["code"]
    body = {"code": code, "secret_sha256": sha256_hex("9" * 64)}
    answer = service.call("POST", "/enrolments", body, agent=agent)
    assert answer.status == status
    if status == 400:
        assert "backs up pictures" in answer.body["message"]
    assert service.call("POST", "/enrolments", body).status == 201


# ---------------------------------------------------------------- jobs, checks, and what is found in them

OF_PICTURES = {one.code for one in OF_PHOTOS}


def make(service: Service, token: str, *jobs: str) -> None:
    for job in jobs:
        answer = service.call("POST", "/jobs", {"job": job, "family": "photos"}, token)
        assert answer.status == 201, answer


def check(service: Service, token: str, *jobs: str, named: str = "photos", **fields: object) -> Answer:
    checks = [{"job": job, "files": 5_000, "bytes": 25 * 10**9, **fields} for job in jobs]
    return service.run(token, named, kind="check", checks=checks)


def back_up(service: Service, token: str, job: str, **statistics: float) -> None:
    """A run with a whole set, which the catalogue gets to know."""
    run = service.run(token, job).body["run"]
    time = service.now.strftime("%Y%m%dT%H%M%SZ")
    names = [f"data_duplicity-full.{time}.vol1.difftar.gpg"]
    names += [f"meta_duplicity-full-signatures.{time}.sigtar.gpg", f"meta_duplicity-full.{time}.manifest.gpg"]
    keys = [f"anna-laptop/{job}/{name}" for name in names]
    for key in keys:
        service.put(key, b"x" * 100, **({"Metadata": {"volumes": "1"}} if "manifest" in key else {}))
    service.catalogue(*keys)
    end = {"exit_code": 0, "statistics": statistics}
    assert service.call("PATCH", f"/jobs/{job}/runs/{run}", end, token).status == 200


def states(service: Service) -> dict[str, str]:
    return {job["job"]: job["state"] for job in service.admin("machine_show", name="anna-laptop")["jobs"]}


def found(service: Service) -> dict[str, str]:
    """What is wrong with the pictures themselves, by code."""
    open_now = {one["code"]: one["severity"] for one in service.admin("findings")["findings"]}
    return {code: severity for code, severity in open_now.items() if code in OF_PICTURES}


@pytest.fixture
def token(service: Service) -> str:
    """Of a machine with two years of pictures that were backed up, just now by the bucket's clock."""
    service.now = datetime.now(timezone.utc).replace(microsecond=0)
    token = service.enrolled(**PHOTOS)
    make(service, token, "photos-2018", "photos-2019")
    for job in ("photos-2018", "photos-2019"):
        back_up(service, token, job)
    return token


def test_a_folder_that_is_looked_at_stays_in_time_for_years(service: Service, token: str) -> None:
    """Once a month, whether the import of pictures was yesterday or a year ago."""
    for _ in range(24):
        service.now += timedelta(days=30)
        assert states(service) == {"photos-2018": "due", "photos-2019": "due"}
        assert check(service, token, "photos-2018", "photos-2019").status == 201
        assert states(service) == {"photos-2018": "settled", "photos-2019": "settled"}
    service.now += timedelta(days=36)
    assert set(states(service).values()) == {"overdue"}


def test_a_folder_that_is_gone_for_good_is_paused_alone_and_nothing_is_expected_of_it(
    service: Service, token: str
) -> None:
    for _ in range(3):
        service.now += timedelta(days=30)
        check(service, token, "photos-2019")
    assert states(service) == {"photos-2018": "overdue", "photos-2019": "settled"}
    mail = service.admin("alerts_preview")["mail"]["text"]
    assert "python -m ops machine pause anna-laptop --job photos-2018" in mail
    service.admin("machine_pause", name="anna-laptop", job="photos-2018")
    assert states(service) == {"photos-2018": "paused", "photos-2019": "settled"}
    [family] = service.admin("machine_show", name="anna-laptop")["families"]
    assert family["state"] == "settled"
    assert "no backup in time" not in str(service.admin("alerts_preview"))
    service.admin("machine_resume", name="anna-laptop", job="photos-2018")
    assert states(service)["photos-2018"] == "overdue"
    refused = service.admin("machine_pause", name="anna-laptop", job="photos-2011")
    assert refused["message"] == "anna-laptop has no job called photos-2011."


def test_nothing_that_happened_to_old_pictures_is_kept_from_the_owner(service: Service, token: str) -> None:
    service.now += timedelta(days=31)
    check(service, token, "photos-2018", "photos-2019")
    service.now += timedelta(days=1)
    back_up(service, token, "photos-2018", SourceFiles=100, ChangedFiles=5, DeletedFiles=6)
    assert found(service) == {"old_photo_changed": "warning", "photos_vanished": "critical"}
    service.now += timedelta(days=1)
    back_up(service, token, "photos-2018", SourceFiles=100, ChangedFiles=0)
    assert found(service).keys() == {"old_photo_changed", "photos_vanished"}, "another backup hides nothing"


def test_a_backup_that_was_cut_short_keeps_nothing_from_the_owner(service: Service, token: str) -> None:
    service.now += timedelta(days=31)
    check(service, token, "photos-2018", "photos-2019")
    service.now += timedelta(days=1)
    killed = service.run(token, "photos-2018").body["run"]
    assert service.call("PATCH", f"/jobs/photos-2018/runs/{killed}", {"exit_code": 130}, token).status == 200
    back_up(service, token, "photos-2018", SourceFiles=100, ChangedFiles=5)
    assert found(service) == {"old_photo_changed": "warning"}
    back_up(service, token, "photos-2019", SourceFiles=100)
    back_up(service, token, "photos-2019", SourceFiles=100, ChangedFiles=50)
    assert found(service) == {"old_photo_changed": "warning"}, "the year grows again"


def test_what_changes_in_a_year_that_still_grows_is_no_finding(service: Service, token: str) -> None:
    check(service, token, "photos-2018", "photos-2019")
    service.now += timedelta(days=29)
    back_up(service, token, "photos-2018", SourceFiles=100, ChangedFiles=50)
    assert found(service) == {}


def test_what_was_changed_is_over_once_the_owner_approves(service: Service, token: str) -> None:
    service.now += timedelta(days=31)
    check(service, token, "photos-2018", "photos-2019")
    service.now += timedelta(days=1)
    back_up(service, token, "photos-2018", SourceFiles=100, ChangedFiles=50)
    [shown] = service.admin("retention_preview", name="anna-laptop", job="photos-2018")["jobs"]
    assert "50 of 100 files" in shown["critical"][0]
    look = {name: shown[name] for name in ("machine", "job", "digest")}
    service.admin("retention_approve", looks=[look])
    assert found(service) == {}


def test_a_folders_only_chain_stays_for_ever_and_the_mail_does_not_speak_of_it(
    service: Service, token: str
) -> None:
    for _ in range(2):
        shown = service.admin("retention_preview", name="anna-laptop")["jobs"]
        verdicts = [chain["verdict"] for job in shown for chain in job["chains"]]
        assert len(verdicts) == 2
        assert not {"goes", "needs_you"} & set(verdicts)
        looks = [{name: job[name] for name in ("machine", "job", "digest")} for job in shown]
        service.admin("retention_approve", looks=looks)
        service.now += timedelta(days=1_500)
        check(service, token, "photos-2018", "photos-2019")
    assert set(states(service).values()) == {"settled"}
    assert "LETTING GO" not in service.admin("report_preview")["text"]


def test_rot_is_a_finding_at_once_and_over_with_the_check_that_finds_none(
    service: Service, token: str
) -> None:
    read = {"hashed_files": 5_000, "hashed_bytes": 10**9, "hashed_since": "2026-11-01T00:00:00Z"}
    check(service, token, "photos-2018", rotted=3, **read)
    assert found(service) == {"photo_rotted": "critical"}
    check(service, token, "photos-2018")
    assert found(service) == {"photo_rotted": "critical"}, "a look that reads nothing clears nothing"
    check(service, token, "photos-2018", rotted=0, **read)
    assert found(service) == {}


def test_a_reader_makes_no_job_and_hides_no_silence(service: Service) -> None:
    code = service.admin("machine_add", name="anna-laptop", **PHOTOS)["recovery_code"]
    secret = "9" * 64
    body = {"machine": "anna-laptop", "code": code, "secret_sha256": sha256_hex(secret)}
    assert service.call("POST", "/recoveries", body).status == 201
    reader = f"anna-laptop.{secret}"
    made = service.call("POST", "/jobs", {"job": "photos-2018", "family": "photos"}, reader)
    assert (made.error, check(service, reader, "photos-2018").error) == ("read_only", "read_only")


def test_a_family_of_which_nothing_comes_is_overdue(service: Service) -> None:
    service.enrolled(**PHOTOS)
    assert "1 of 1" not in service.admin("report_preview")["text"]
    assert "anna-laptop / photos: never" in service.admin("report_preview")["text"]
    service.now += timedelta(days=36)
    assert "anna-laptop / photos: overdue" in service.admin("report_preview")["text"]
    assert "no backup since it was added" in service.admin("alerts_preview")["mail"]["subject"]


def test_a_family_that_is_overdue_is_one_line_of_the_mail(service: Service, token: str) -> None:
    service.now += timedelta(days=2)
    check(service, token, "photos-2018", "photos-2019")
    mail = service.admin("report_preview")
    assert mail["text"].startswith("Your backup is well")
    assert "anna-laptop / photos 2018-2019: settled" in mail["text"]
    service.now += timedelta(days=36)
    alert = service.admin("alerts_preview")["mail"]
    assert "anna-laptop/photos: no backup in time" in alert["subject"]
    assert alert["text"].count("no backup in time") <= 2


# ---------------------------------------------------------------- as the owner sees and changes it


def family_of(service: Service) -> dict[str, Any]:
    [family] = service.admin("machine_show", name="anna-laptop")["families"]
    [listed] = service.admin("machine_list")["machines"]
    assert listed["families"] == [family], "the list says the same"
    return dict(family)


def test_a_family_without_folders_is_shown_and_so_is_its_silence(service: Service) -> None:
    service.admin("machine_add", name="anna-laptop", **PHOTOS)
    family = family_of(service)
    assert (family["jobs"], family["state"], family["looked_at"]) == ([], "never", None)
    service.now += timedelta(days=36)
    assert family_of(service)["state"] == "overdue"


def test_a_family_stands_as_the_worst_of_its_jobs(service: Service, token: str) -> None:
    service.now += timedelta(days=3)
    check(service, token, "photos-2018")
    family = family_of(service)
    assert (family["years"], family["jobs"]) == ("2018-2019", ["photos-2018", "photos-2019"])
    assert (family["state"], family["stored_bytes"]) == ("settled", 600)
    service.now += timedelta(days=33)
    assert family_of(service)["state"] == "overdue", "nobody has looked at 2019"


def test_a_change_to_a_family_holds_for_its_jobs_and_for_those_to_come(service: Service, token: str) -> None:
    changes = {"period_seconds": 86_400, "grace_seconds": 864_000, "storage": "instant", "keep_days": 7}
    service.admin("machine_set", name="anna-laptop", job="photos", drill_every_seconds=0, **changes)
    make(service, token, "photos-2020")
    family = family_of(service)
    assert (family["period_seconds"], family["grace_seconds"]) == (86_400, 864_000)
    for job in service.admin("machine_show", name="anna-laptop")["jobs"]:
        assert (job["period_seconds"], job["archive_class"]) == (86_400, "GLACIER_IR")
        assert (job["keep_days"], job["drill"]["every_seconds"]) == (7, None)


def test_a_change_to_one_folder_leaves_the_family(service: Service, token: str) -> None:
    service.admin("machine_set", name="anna-laptop", job="photos-2018", keep_days=7)
    kept = {job["job"]: job["keep_days"] for job in service.admin("machine_show", name="anna-laptop")["jobs"]}
    assert kept == {"photos-2018": 7, "photos-2019": 0}
    assert family_of(service)["keep_days"] == 0


def test_a_machine_takes_its_family_along_when_it_is_removed(service: Service, token: str) -> None:
    service.admin("machine_remove", name="anna-laptop")
    added = service.admin("machine_add", name="anna-laptop")
    assert (added["jobs"], added["families"]) == (["system"], [])
