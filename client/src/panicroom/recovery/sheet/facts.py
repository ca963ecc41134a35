"""What stands at the top of a sheet: the secrets, the machine, and the AWS account that its files are in."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from panicroom.recovery.sheet.code import code_fact, scanned_text
from panicroom.recovery.sheet.known import Known, PlacedJob
from panicroom.recovery.sheet.page import Fact, Group, Page
from panicroom.recovery.sheet.ways import secret_of, with_the_service, without_the_service
from panicroom.shown import shown

SHOWN_JOBS = 3
_LONGEST_NAMES = 200


def sheet_page(known: Known, printed: str, code: str | None = None, price: str | None = None) -> Page:
    """``printed`` is the day. ``code`` is the recovery code where the paper is to have it. ``price``: of everything."""
    return Page(
        machine=known.machine,
        printed=f"Printed on {printed}",
        opening=f"With this page and the {secret_of(known)}, anybody can bring back the files of the computer "
        f"{known.machine}, and nobody can change or delete the backup. Fill in the blanks by hand. Store it where "
        f"the computer is not, and the {secret_of(known)} in a second place as well.",
        groups=(
            Group(
                "Secrets",
                (*_secrets(known), code_fact(code, known.code, was_asked=known.account is not None)),
            ),
            Group("What and where", _places(known)),
        ),
        ways=(with_the_service(known, price), without_the_service(known)),
        scanned=scanned_text(known.url, known.machine, code),
    )


def _secrets(known: Known) -> tuple[Fact, ...]:
    """What opens the backups: a line for the passphrase, or where the secret key's copy lies."""
    if known.encrypt_key is None:
        return (
            Fact(
                "Passphrase",
                None,
                "Without it nobody can restore anything: not the owner, not AWS, not the authors.",
            ),
        )
    return (
        Fact(
            "GnuPG key",
            known.encrypt_key,
            "Without its secret half nobody can restore anything. Save that as secret-key-file: "
            "gpg --export-secret-keys --armor KEY",
        ),
        Fact("It is at", None),
        Fact("Its passphrase", None),
        *((Fact("Proof key", known.proof_key),) if known.proof_key else ()),
    )


def _places(known: Known) -> tuple[Fact, ...]:
    program = f"s3://{known.service_bucket}/_service/client/" if known.service_bucket else None
    return (
        Fact("Service", known.url),
        Fact("AWS account", known.account, short=True),
        Fact("Region", known.region, short=True),
        Fact("Stage", known.stage, short=True),
        Fact("Sign in at", known.sign_in),
        Fact("Bucket", known.jobs[0].bucket),
        *_jobs(known),
        Fact(
            "Program",
            program,
            "The client. The service itself is deployed from the owner's copy of its source.",
        ),
    )


def _jobs(known: Known) -> list[Fact]:
    """The first few with their places; of the others the names."""
    facts = [Fact("Job", _job_text(known, job)) for job in known.jobs[:SHOWN_JOBS]]
    if len(known.jobs) > SHOWN_JOBS:
        rest = [job.job for job in known.jobs[SHOWN_JOBS:]]
        facts.append(Fact("More jobs", shown(", ".join(rest), _LONGEST_NAMES)))
    return facts


def _job_text(known: Known, job: PlacedJob) -> str:
    elsewhere = f" of the bucket {job.bucket}" if job.bucket != known.jobs[0].bucket else ""
    under = job.prefix or "no prefix"
    return f"{job.job}: {job.folder or 'a folder of the lost computer'}, under {under}{elsewhere}"
