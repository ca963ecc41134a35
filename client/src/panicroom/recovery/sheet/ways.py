"""The two ways back that a sheet describes, step by step: with the service, and without it.

Lines are typed into a shell, so whatever comes from the service or the settings is quoted for one.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import shlex

from panicroom.names import ARCHIVE_PREFIX, METADATA_PREFIX
from panicroom.recovery import plain_way
from panicroom.recovery.install import install_lines
from panicroom.recovery.sheet.known import Known, PlacedJob
from panicroom.recovery.sheet.page import Fact, Step, Way

_KEY_FILE = "gpg --import secret-key-file"
_DOWNLOAD = "the download (200 GB take 5 hours at 100 Mbit/s)"
_THAW = "up to two days until archived files can be read, "


def secret_of(known: Known) -> str:
    """What opens the backups."""
    return "secret key" if known.encrypt_key else "passphrase"


def with_the_service(known: Known, price: str | None) -> Way:
    """``price``: what bringing everything back costs; None where it is not known."""
    secret = secret_of(known)
    return Way(
        "A. With the service: try this first",
        (
            Fact("Needs", f"a computer with Linux or macOS, the internet, the recovery code, the {secret}"),
            Fact("Takes", f"ten minutes of yours, {_thaw(known)}then {_DOWNLOAD}"),
            *((Fact("Costs", price),) if price else ()),
        ),
        (
            Step(
                "Install the program: open a terminal on the new computer, and type:",
                (
                    "sudo apt install curl gnupg pipx",
                    *_key(known),
                    *install_lines(known.url),
                    "pipx ensurepath",
                ),
                "On a Mac: brew install gnupg librsync pipx. If pip refuses: pipx upgrade-shared. Then open a new "
                "terminal.",
            ),
            Step(
                f"Begin. It asks for the code and the {'key' if known.encrypt_key else secret}, and shows the price "
                "before it spends anything.",
                tuple(_recover(known)),
                f"The files come into restored-{known.machine}. If it says that it waits, come back then, and type: "
                "panicroom recover",
            ),
            Step(
                "To back up from the new computer: the owner types the first line, and you the rest with its code.",
                (
                    f"python -m ops machine add {known.machine}{f' --stage {known.stage}' if known.stage else ''}",
                    "panicroom enrol \\",
                    f"  {shlex.quote(known.url)} CODE",
                ),
            ),
        ),
    )


def without_the_service(known: Known) -> Way:
    job = known.jobs[0]
    return Way(
        "B. Without the service, if it is gone: with AWS and duplicity, of whatever year",
        (
            Fact(
                "Needs",
                f"somebody who can sign in to the AWS account, the {secret_of(known)}, a computer with Linux or macOS",
            ),
            Fact("Takes", f"an hour of yours, {_thaw(known)}then {_DOWNLOAD}"),
        ),
        (*_in_the_cloud_shell(known, job), *_on_the_computer(known, job)),
    )


def _in_the_cloud_shell(known: Known, job: PlacedJob) -> tuple[Step, ...]:
    """Has what is archived thawed."""
    stored = _stored(known, job)
    return (
        Step(
            f"Sign in to AWS (address above), choose the region {known.region or '(above)'} at the top right, open "
            "CloudShell (>_ at the top), and type:",
            tuple(plain_way.names(stored)),
            _other_jobs(known),
        ),
        Step(
            "Have S3 copy out of its archive what is there, for a week. Where nothing is archived it does nothing.",
            tuple(plain_way.ask_for_copies()),
        ),
        Step(
            "Wait, and come back. When this prints nothing any more, go on:",
            tuple(plain_way.what_is_cold()),
            "In a new CloudShell type step 1 and four lines of step 2 before it.",
        ),
    )


def _on_the_computer(known: Known, job: PlacedJob) -> tuple[Step, ...]:
    stored = _stored(known, job)
    return (
        Step(
            "In AWS, under IAM, make a user with the policy AmazonS3ReadOnlyAccess and an access key. On the new "
            "computer type step 1 again, then:",
            (
                "sudo apt install awscli duplicity",
                *_key(known),
                "aws configure",
                *plain_way.copy_down(stored),
            ),
            "On a Mac: brew install awscli duplicity",
        ),
        Step(
            f"Restore. It asks for the {'key' + chr(39) + 's ' if known.encrypt_key else ''}passphrase.",
            tuple(plain_way.restore(stored)),
            "If it fails at a backup that was never finished, add "
            + (
                f"--time {job.newest_at}" if job.newest_at else "--time with the day of the last finished one"
            ),
        ),
        Step(
            "Or from the bucket at once, with the duplicity of today:",
            ("pipx install duplicity==3.2.1", *_directly(known)),
        ),
    )


def _thaw(known: Known) -> str:
    return _THAW if any(job.is_archived for job in known.jobs) else ""


def _key(known: Known) -> tuple[str, ...]:
    return (_KEY_FILE,) if known.encrypt_key else ()


def _recover(known: Known) -> list[str]:
    proof_key = ["export PROOF_KEY=...    (the digits above)"] if known.proof_key else []
    key = f"--gpg-key {known.encrypt_key} " if known.encrypt_key else ""
    return [*proof_key, f"panicroom recover {key}\\", f"  {shlex.quote(f'{known.url}#{known.machine}')}"]


def _stored(known: Known, job: PlacedJob) -> plain_way.StoredJob:
    """With words in capitals for what is a blank on the sheet."""
    return plain_way.StoredJob(
        job.job,
        job.bucket or "BUCKET",
        job.prefix,
        known.region or "REGION",
        with_key=known.encrypt_key is not None,
    )


def _other_jobs(known: Known) -> str | None:
    """How the names differ for the next job; the others are like it."""
    if len(known.jobs) == 1:
        return None
    first, second = (plain_way.names(_stored(known, job)) for job in known.jobs[:2])
    differing = "; ".join(line for line, other in zip(second, first, strict=True) if line != other)
    return f"Each job needs all of this. For {known.jobs[1].job}: {differing}"


def _directly(known: Known) -> list[str]:
    """A restore of the job that ``plain_way.names`` names, by nothing but duplicity."""
    return [
        f"duplicity restore --no-restore-ownership {'--use-agent ' if known.encrypt_key else ''}\\",
        f"  --file-prefix-archive {ARCHIVE_PREFIX} --file-prefix-manifest {METADATA_PREFIX} \\",
        f"  --file-prefix-signature {METADATA_PREFIX} --file-prefix-jsonstat {METADATA_PREFIX} \\",
        '  --s3-region-name $AWS_REGION "boto3+s3://$B/$P" "directly/$J"',
    ]
