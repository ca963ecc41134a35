"""The doctor: what it says of a healthy laptop, and of each thing that is wrong."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path

import pytest
from laptop import Laptop
from panicroom import __version__
from panicroom.exit_codes import ExitCode
from panicroom.places import Places
from panicroom.settings import JobSettings, Settings
from panicroom.setup.health import encryption, machine, service
from panicroom.setup.health.check_result import FAIL, OK, WARN, CheckResult
from panicroom.setup.health.unstored import UnstoredAttributes
from panicroom.wire import JobStatus, MachineStatus, RunSummary


def verdicts(said: str) -> dict[str, str]:
    return {line[6:].partition(":")[0]: line[:4].strip() for line in said.splitlines()}


def answer(**changes: object) -> MachineStatus:
    usual = MachineStatus(
        "laptop", "2026-11-22T12:00:00Z", (), __version__, __version__, "2026-11-20T07:00:00Z"
    )
    return dataclasses.replace(usual, **changes)  # type: ignore[arg-type]


def test_a_laptop_without_trouble_has_no_fail(laptop: Laptop) -> None:
    (laptop.source / "file").write_text("content")
    laptop.enrol()
    laptop.succeed("backup")
    found = verdicts(laptop.succeed("doctor"))
    for check in ("service", "clock", "version", "job system", "gpg", "passphrase", "secrets", "disk"):
        assert found[check] == OK
    assert found["source of system"] == OK
    assert found["AWS credentials"] == OK
    assert found["schedule"] == WARN


def test_what_fails_is_named_with_exit_code_14_and_the_rest_is_still_looked_at(laptop: Laptop) -> None:
    laptop.enrol()
    laptop.service.close()
    laptop.source.rmdir()
    said = laptop.run("doctor", PATH="/nowhere")
    assert said.returncode == 14
    assert said.stderr == ""
    found = verdicts(said.stdout)
    assert {check for check, verdict in found.items() if verdict == FAIL} == {
        "service",
        "gpg",
        "source of system",
    }


def test_json_has_the_same_findings(laptop: Laptop) -> None:
    (laptop.source / "file").write_text("content")
    laptop.enrol()
    lines = laptop.succeed("doctor").splitlines()
    found = json.loads(laptop.succeed("doctor", "--json"))
    assert [str(CheckResult(**each))[:10] for each in found] == [line[:10] for line in lines]


def test_a_token_that_is_not_accepted_says_to_enrol_again(laptop: Laptop) -> None:
    (laptop.source / "file").write_text("content")
    laptop.enrol()
    laptop.service.secret_sha256 = "another"
    said = laptop.run("doctor")
    assert "fail  service: " in said.stdout
    assert "enrol again" in said.stdout


def test_a_wrong_clock_fails(laptop: Laptop) -> None:
    (laptop.source / "file").write_text("content")
    laptop.enrol()
    laptop.service.clock_offset_seconds = 3600
    assert verdicts(laptop.run("doctor").stdout)["clock"] == FAIL


@pytest.mark.parametrize(
    ("newest", "oldest", "verdict"),
    [
        (__version__, "0.0.1", OK),
        ("99.0.0", __version__, WARN),
        ("0.0.9", "0.0.1", WARN),
        ("99.1.0", "99.0.0", FAIL),
    ],
)
def test_a_client_too_old_fails_and_one_that_is_not_the_newest_is_warned(
    newest: str, oldest: str, verdict: str
) -> None:
    found = service.versions(answer(newest_client_version=newest, oldest_client_version=oldest))
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("last", "verdict"), [("2026-11-15T07:00:00Z", OK), ("2026-11-14T07:00:00Z", WARN), (None, WARN)]
)
def test_a_weekly_mail_over_eight_days_ago_is_noticed(last: str | None, verdict: str) -> None:
    assert service.weekly_mail(answer(last_weekly_mail_at=last)).verdict == verdict


def test_jobs_that_fail_or_are_missing_on_one_side_are_named(tmp_path: Path) -> None:
    job = JobStatus(
        "system", "failing", 1, 1, "GLACIER_IR", 7, last_run=RunSummary("r", "full", "t", "t", 20)
    )
    status = answer(jobs=(job, dataclasses.replace(job, job="photos", state="fresh")))
    settings = some_settings(tmp_path, "system", "video")
    found = {finding.check: finding for finding in service.last_runs(settings, status)}
    assert found["job system"].verdict == WARN
    assert "code 20" in found["job system"].text
    assert found["job video"].verdict == FAIL
    assert found["job photos"].verdict == WARN


def some_settings(folder: Path, *jobs: str) -> Settings:
    places = Places(folder / "config", folder / "state", folder / "cache")
    return Settings(
        url="https://example.org/api",
        machine="laptop",
        secrets="file",
        volume_mb=25,
        upload_threads=4,
        jobs=tuple(JobSettings(job, folder) for job in jobs),
        places=places,
    )


def test_a_full_disk_fails(tmp_path: Path) -> None:
    settings = dataclasses.replace(some_settings(tmp_path, "system"), volume_mb=2**30)
    assert machine.disk_space(settings).verdict == FAIL


def test_secrets_that_others_can_read_fail(tmp_path: Path) -> None:
    settings = some_settings(tmp_path, "system")
    file = settings.places.config / "secrets.json"
    file.parent.mkdir()
    file.write_text("{}")
    file.chmod(0o644)
    assert encryption.keyring(settings).verdict == FAIL
    file.chmod(0o600)
    assert encryption.keyring(settings).verdict == OK


def test_a_file_list_that_a_backup_would_refuse_fails_and_the_next_job_is_still_looked_at(
    tmp_path: Path,
) -> None:
    source, listed = tmp_path / "source", tmp_path / "list"
    source.mkdir()
    (source / "file").write_text("content")
    settings = some_settings(tmp_path, "refused", "photos")
    refused, photos = (dataclasses.replace(job, folder=source) for job in settings.jobs)
    settings = dataclasses.replace(settings, jobs=(dataclasses.replace(refused, filelist=listed), photos))
    for pattern, reason in (("- /elsewhere/**", "line 1"), ("- **", "the file list leaves none")):
        listed.write_text(pattern + "\n")
        bad, good = machine.sources(settings)
        assert (bad.check, bad.verdict) == ("source of refused", FAIL)
        assert reason in bad.text
        assert (good.check, good.verdict) == ("source of photos", OK)


@pytest.mark.parametrize(
    ("name", "text", "holds"),
    [
        (".aws/credentials", "[default]\naws_access_key_id = AKIA\naws_secret_access_key = x\n", True),
        (".aws/config", "[profile a]\nregion = eu-central-1\nsso_start_url = https://x\n", False),
        (".aws/config", "[profile a]\naws_secret_access_key = x\n", True),
        (".boto", "[Credentials]\naws_access_key_id = AKIA\n", True),
        (".s3cfg", "[default]\naccess_key = AKIA\nsecret_key = 50%x\n", True),
        (".s3cfg", "[default]\naccess_key =\nsecret_key =\n", False),
        (".boto", "what is this", True),
    ],
)
def test_aws_keys_in_files_are_found(tmp_path: Path, name: str, text: str, holds: bool) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    (found,) = machine.aws_credentials({}, tmp_path)
    assert found.verdict == (WARN if holds else OK)
    assert (str(path) in found.text) == holds
    assert "AKIA" not in found.text


def test_aws_keys_in_the_environment_are_found(tmp_path: Path) -> None:
    found = list(machine.aws_credentials({"AWS_ACCESS_KEY_ID": "AKIA", "AWS_REGION": "x"}, tmp_path))
    assert [finding.verdict for finding in found] == [WARN]
    assert "AKIA" not in found[0].text


def test_a_gpg_that_does_not_work_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "gpg"
    broken.write_text("#!/bin/sh\necho 'gpg: no such thing' >&2\nexit 2\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = encryption.gpg()
    assert found.verdict == FAIL
    assert "no such thing" in found.text


def test_a_home_of_gpg_that_cannot_be_used_is_named_by_doctor_and_backup(laptop: Laptop) -> None:
    """gpg encrypts without it, and duplicity then speaks of an option of the agent's."""
    (laptop.source / "file").write_text("content")
    laptop.enrol()
    ended = laptop.run("doctor", GNUPGHOME="/no/such")
    assert ended.returncode == ExitCode.UNHEALTHY
    assert re.search(r"fail +gpg: .*/no/such.*correct or unset GNUPGHOME=/no/such", ended.stdout)
    ended = laptop.run("backup", GNUPGHOME="/no/such")
    assert (ended.returncode, ended.stderr.count("\n")) == (ExitCode.GPG, 1)
    assert "panicroom doctor" in ended.stderr


def test_what_duplicity_does_not_store_is_counted(tmp_path: Path) -> None:
    found = UnstoredAttributes()
    for name in ("one", "two", "alone"):
        (tmp_path / name).write_text(name)
    os.link(tmp_path / "one", tmp_path / "same")
    os.link(tmp_path / "alone", tmp_path.parent / f"{tmp_path.name} elsewhere")
    try:
        os.setxattr(tmp_path / "two", "user.comment", b"mine")
    except (AttributeError, OSError):
        pytest.skip("this file system has no extended attributes")
    for path in tmp_path.iterdir():
        found.take(str(path), path.lstat())
    assert found.text() == "the extended attributes of 1 file, that 2 names are hard links to 1 file"
    assert UnstoredAttributes().text() == ""
