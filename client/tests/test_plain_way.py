"""The lines that bring a job back without the service: short, and safe in a shell whatever a prefix is called."""

from __future__ import annotations

import subprocess

import pytest
from panicroom.recovery.plain_way import (
    StoredJob,
    ask_for_copies,
    copy_down,
    names,
    restore,
    what_is_cold,
)

STORED = StoredJob(
    "photos-2018", "panicroom-home-123456789012-ap-southeast-2", "annas-laptop/photos-2018/", "ap-southeast-2"
)
TYPED_COLUMNS = 74
"""A page of 80 columns, less six before each line."""


@pytest.mark.parametrize("with_key", [False, True])
def test_every_line_fits_a_page(with_key: bool) -> None:
    stored = StoredJob(STORED.job, STORED.bucket, STORED.prefix, STORED.region, with_key)
    lines = [*names(stored), *ask_for_copies(), *what_is_cold(), *copy_down(stored), *restore(stored)]
    assert [line for line in lines if len(line) > TYPED_COLUMNS] == []


@pytest.mark.parametrize(
    ("prefix", "typed"),
    [
        ("laptop/system/", "laptop/system/"),
        ("laptop/system", "laptop/system/"),
        ("", ""),
        ("/", ""),
        ("it's $HOME `date` \"; exit 9 #/x", "it's $HOME `date` \"; exit 9 #/x/"),
    ],
)
def test_a_shell_reads_the_names_as_they_are(prefix: str, typed: str) -> None:
    stored = StoredJob("system", "a-bucket", prefix, "eu-central-1")
    script = "\n".join([*names(stored), 'printf "%s|" "$B" "$J" "$P" "$AWS_REGION" "$AWS_DEFAULT_REGION"'])
    said = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True).stdout
    assert said == f"a-bucket|system|{typed}|eu-central-1|eu-central-1|"


def test_of_a_bucket_that_is_all_the_jobs_only_its_own_files_are_copied() -> None:
    whole = StoredJob("system", "old-bucket", "", "eu-central-1")
    assert copy_down(whole) == [*(f"{line} --exclude '*/*'" for line in copy_down(STORED))]
