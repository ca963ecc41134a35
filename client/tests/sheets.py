"""Recovery sheets for tests: settings, what a service answers, and what somebody types from paper."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

from laptop import Laptop
from panicroom.places import Places
from panicroom.recovery.sheet.facts import sheet_page
from panicroom.recovery.sheet.known import what_is_known
from panicroom.recovery.sheet.page import Page
from panicroom.settings import JobSettings, Settings
from panicroom.wire import JobStatus, MachineStatus, RecoveryCodeStatus

URL = "https://abcdefghij.execute-api.eu-central-1.amazonaws.com/api"
BUCKET = "panicroom-prod-123456789012-eu-central-1"
CODE = "01230-4567K-89ABV-CDEF2-GHJKV-MNPQS"
PRICE = "about $1,234.56 for everything (12345.6 GB thawed by Bulk and downloaded), on the AWS account's bill"


def a_machine(jobs: int = 1, name: str = "annas-laptop", job: str = "photos-{}") -> Settings:
    nowhere = Path("/nowhere")
    return Settings(
        url=URL,
        machine=name,
        secrets="file",
        volume_mb=25,
        upload_threads=4,
        compress="auto",
        jobs=tuple(JobSettings(job.format(number), Path(f"/home/anna/{number}")) for number in range(jobs)),
        places=Places(nowhere, nowhere, nowhere),
    )


def with_a_key(settings: Settings) -> Settings:
    return dataclasses.replace(settings, encrypt_key="0123456789ABCDEF" * 2 + "01234567")


def answer(settings: Settings, prefix: str | None = None, bucket: str = BUCKET) -> MachineStatus:
    jobs = tuple(
        JobStatus(
            job.job,
            "fresh",
            86400,
            86400,
            "DEEP_ARCHIVE",
            7,
            newest_complete_at="2026-11-22T20:50:00Z",
            bucket=bucket,
            prefix=f"{settings.machine}/{job.job}/" if prefix is None else prefix,
        )
        for job in settings.jobs
    )
    return MachineStatus(
        settings.machine,
        "2026-11-22T20:50:00Z",
        jobs,
        "0.1.0",
        "0.1.0",
        None,
        "eu-central-1",
        "prod",
        "123456789012",
        RecoveryCodeStatus("2026-10-12T08:00:00Z", "MNPQS"),
    )


def a_page(
    settings: Settings, status: MachineStatus | None, code: str | None = None, price: str | None = None
) -> Page:
    proof_key = "ab" * 32 if settings.encrypt_key else None
    return sheet_page(what_is_known(settings, status, proof_key), "2026-11-22", code, price)


def largest_pages() -> dict[str, Page]:
    """By name, those with the most on them."""
    several = a_machine(20)
    long = a_machine(2, "m" * 41, "{}" + "j" * 40)
    key = with_a_key(a_machine(2))
    return {
        "one job": a_page(a_machine(), answer(a_machine()), CODE, PRICE),
        "two jobs": a_page(a_machine(2), answer(a_machine(2)), CODE, PRICE),
        "several jobs": a_page(several, answer(several), CODE, PRICE),
        "long names": a_page(long, answer(long), CODE, PRICE),
        "a key": a_page(key, answer(key), None, PRICE),
        "blanks": a_page(several, None),
    }


NAMES = r"^ +export AWS_REGION=.*\n(?:.*\n)*? *J=.*$"
FROM_A_FOLDER = r'^ +O=--no-restore-ownership\n(?:.*\n)*?.*file:.* "restored/\$J"$'
DIRECTLY = r'^ +duplicity restore --no-restore-ownership (?:.*\n)*?.*"directly/\$J"$'


def lines_of(sheet: str, pattern: str) -> str:
    found = re.search(pattern, sheet, re.MULTILINE)
    assert found is not None, pattern
    return found.group()


def type_it(laptop: Laptop, sheet: str, pattern: str, **more: str) -> subprocess.CompletedProcess[str]:
    """As printed, but for the bucket: folders with the very same files stand in for it and for what was fetched."""
    for key, stored in laptop.service.objects.items():
        for folder in ("bucket/laptop", "stored"):
            path = laptop.home / folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(stored.data)
    typed = lines_of(sheet, NAMES) + "\n" + lines_of(sheet, pattern)
    typed = typed.replace("boto3+s3://$B/", f"file://{laptop.home}/bucket/")
    if "TIME" in more:
        typed = typed.replace("duplicity restore", f"duplicity restore --time {more.pop('TIME')}")
    programs = f"{Path(sys.executable).parent}:{laptop.environment()['PATH']}"
    return subprocess.run(
        ["bash", "-ec", typed],
        cwd=laptop.home,
        env=laptop.environment(PATH=programs, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
