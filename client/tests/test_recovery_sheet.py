"""The recovery sheet: one page, without the passphrase, whose commands restore."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from laptop import PASSPHRASE, Laptop
from panicroom.places import Places
from panicroom.settings import JobSettings, Settings
from panicroom.setup.recovery_sheet import COLUMNS, LINES, recovery_sheet
from panicroom.wire import JobStatus, MachineStatus
from trees import differences, make_tree, snapshot

URL = "https://abcdefghij.execute-api.eu-central-1.amazonaws.com/api"
BUCKET = "panicroom-prod-123456789012-eu-central-1"


def a_machine(jobs: int = 1) -> Settings:
    nowhere = Path("/nowhere")
    return Settings(
        url=URL,
        machine="annas-laptop",
        secrets="file",
        volume_mb=25,
        upload_threads=4,
        compress="auto",
        jobs=tuple(JobSettings(f"photos-{number}", Path(f"/home/anna/{number}")) for number in range(jobs)),
        places=Places(nowhere, nowhere, nowhere),
    )


def answer(settings: Settings, prefix: str | None = None) -> MachineStatus:
    jobs = tuple(
        JobStatus(
            job.job,
            "fresh",
            86400,
            86400,
            "GLACIER_IR",
            7,
            bucket=BUCKET,
            prefix=f"annas-laptop/{job.job}/" if prefix is None else prefix,
        )
        for job in settings.jobs
    )
    return MachineStatus(
        settings.machine, "2026-11-22T20:50:00Z", jobs, "0.1.0", "0.1.0", None, "eu-central-1"
    )


def test_it_fits_a_page_with_as_many_jobs_as_one_likes() -> None:
    for jobs in (1, 2, 20):
        settings = a_machine(jobs)
        for status in (None, answer(settings)):
            lines = recovery_sheet(settings, status, date(2026, 11, 22)).splitlines()
            assert len(lines) <= LINES
            assert max(map(len, lines)) <= COLUMNS


def test_it_fits_a_page_with_a_key_as_well() -> None:
    settings = dataclasses.replace(a_machine(2), encrypt_key="0123456789ABCDEF" * 2 + "01234567")
    lines = recovery_sheet(settings, answer(settings), date(2026, 11, 22), "ab" * 32).splitlines()
    assert any("ab" * 32 in line for line in lines)
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= COLUMNS
    assert not any("assphrase above" in line for line in lines)


def test_it_names_where_the_files_are() -> None:
    settings = a_machine(2)
    text = recovery_sheet(settings, answer(settings), date(2026, 11, 22))
    assert f"boto3+s3://{BUCKET}/annas-laptop/photos-0 " in text
    assert f"{BUCKET}/annas-laptop/photos-1" in text
    assert "--s3-region-name eu-central-1" in text
    assert "BUCKET" not in text


def test_a_bucket_of_its_own_has_no_prefix() -> None:
    settings = a_machine()
    text = recovery_sheet(settings, answer(settings, prefix=""), date(2026, 11, 22))
    assert f"boto3+s3://{BUCKET} " in text


def test_it_leaves_a_blank_for_a_bucket_that_it_does_not_know() -> None:
    text = recovery_sheet(a_machine(), None, date(2026, 11, 22))
    assert "Bucket      ____" in text
    assert "boto3+s3://BUCKET/annas-laptop/photos-0" in text


def type_it(laptop: Laptop, sheet: str, **more: str) -> subprocess.CompletedProcess[str]:
    """As printed, but for the bucket: a folder with the very same files stands in for it."""
    bucket = laptop.home / "bucket"
    for key, stored in laptop.service.objects.items():
        path = bucket / "laptop" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stored.data)
    command = re.search(r"^duplicity restore .*\\\n(?:  .*\\\n)*  restored$", sheet, re.MULTILINE)
    assert command is not None
    typed = command.group().replace("boto3+s3://BUCKET", f"file://{bucket}")
    if "TIME" in more:
        typed = typed.replace("duplicity restore", f"duplicity restore --time {more.pop('TIME')}")
    environment = laptop.environment(
        PATH=f"{Path(sys.executable).parent}:{laptop.environment()['PATH']}", **more
    )
    return subprocess.run(
        ["sh", "-c", typed], cwd=laptop.home, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    make_tree(laptop_of_file.source, files=8)
    laptop_of_file.enrol()
    laptop_of_file.succeed("backup")
    return laptop_of_file


def test_its_words_restore_with_plain_duplicity(laptop: Laptop, made_once: Laptop) -> None:
    laptop.take_over(made_once)
    sheet = laptop.succeed("recovery-sheet")
    assert PASSPHRASE not in sheet
    ended = type_it(laptop, sheet, PASSPHRASE=PASSPHRASE)
    assert ended.returncode == 0, ended.stderr
    assert differences(snapshot(laptop.source), snapshot(laptop.home / "restored")) == []


def test_the_time_on_it_gets_past_a_backup_that_was_never_finished(laptop: Laptop, made_once: Laptop) -> None:
    """Plain duplicity takes the volumes of an open increment for a part of the newest state."""
    laptop.take_over(made_once)
    expected = snapshot(laptop.source)
    time.sleep(1.1)
    for path in laptop.source.rglob("file-*"):
        path.write_bytes(os.urandom(300_000))
    laptop.service.trouble = lambda method, path: 403 if "vol3" in path and method == "PUT" else None
    laptop.run("backup")
    laptop.service.trouble = lambda _method, _path: None
    assert any("inc." in name for name in laptop.service.names())
    sheet = laptop.succeed("recovery-sheet")
    then = re.search(r"when this was printed: --time (\S+)\)", sheet)
    assert then is not None
    ended = type_it(laptop, sheet, PASSPHRASE=PASSPHRASE, TIME=then[1])
    assert ended.returncode == 0, ended.stderr
    assert differences(expected, snapshot(laptop.home / "restored")) == []


def test_it_is_written_to_a_file_and_works_offline(laptop: Laptop) -> None:
    laptop.enrol()
    laptop.service.close()
    target = laptop.home / "sheet.txt"
    said = laptop.run("recovery-sheet", "--output", str(target))
    assert said.returncode == 0
    assert "Bucket      ____" in target.read_text()
    assert "cannot be reached" in said.stderr
