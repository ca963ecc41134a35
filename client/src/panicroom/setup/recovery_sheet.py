"""``panicroom recovery-sheet``: one page to print, for the day when the laptop is gone.

It has everything that a restore needs but the passphrase, for which it leaves a line: a sheet that holds
it would have to be guarded like the passphrase itself, and would stay in a printer's queue.

Its lines are typed into a shell, so whatever comes from the service is quoted for one.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import date

from panicroom.names import ARCHIVE_PREFIX, METADATA_PREFIX
from panicroom.settings import JobSettings, Settings
from panicroom.wire import JobStatus, MachineStatus

COLUMNS = 80
LINES = 66
"""A page of paper as programs have always printed it."""

_BLANK = "_" * 60
_SHOWN_JOBS = 4


def recovery_sheet(
    settings: Settings, status: MachineStatus | None, today: date, proof_key: str | None = None
) -> str:
    """The page. ``status`` is the service's answer, None where it could not be asked: the bucket's name is
    then a blank to fill in. ``proof_key`` is what signs the sets of a machine with a GnuPG key, in hex."""
    known = {job.job: job for job in status.jobs} if status else {}
    located = known.get(settings.jobs[0].job)
    region = status.region if status and status.region else "REGION"
    lines = [
        *_heading(settings, known, located, region, today),
        "",
        *_secret(settings.encrypt_key, proof_key),
        "",
        *_with_panicroom(settings, proof_key),
        "",
        *_with_duplicity(settings, located, region),
    ]
    return "\n".join(lines) + "\n"


def _heading(
    settings: Settings,
    known: Mapping[str, JobStatus],
    located: JobStatus | None,
    region: str,
    today: date,
) -> list[str]:
    """What there is, and where."""
    lines = [
        f"RECOVERY SHEET   {settings.machine}   {today.isoformat()}",
        f"Print it, fill in the {'blanks' if settings.encrypt_key else 'passphrase'}, and store it elsewhere.",
        "",
        f"Service     {settings.url}",
        f"Machine     {settings.machine}",
        *_jobs(settings, known),
    ]
    if located is None or located.bucket is None:
        lines += [
            f"Bucket      {_BLANK[:40]}",
            "            (ask the owner of the service, and write it here)",
        ]
    return [*lines, f"Region      {region if region != 'REGION' else _BLANK[:40]}"]


def _with_panicroom(settings: Settings, proof_key: str | None) -> list[str]:
    first = settings.jobs[0]
    job_option = f"--job {first.job} " if len(settings.jobs) > 1 else ""
    return [
        "A. WITH PANICROOM, ON A NEW COMPUTER",
        "   1. Install Python 3.10 or newer and gpg:",
        "      apt install gnupg pipx   (Mac: brew install gnupg librsync pipx)",
        *([f"      {_IMPORT_KEY}"] if settings.encrypt_key else []),
        "   2. Get the client from the owner of the service (the folder client/ of",
        "      panicroom, or its .whl file), then: pipx install ./client",
        f"   3. Ask the owner for a new code for {settings.machine}, then",
        *(["      export PROOF_KEY=...   (the digits above)"] if proof_key else []),
        f"      panicroom enrol {'--gpg-key KEY ' if settings.encrypt_key else ''}\\",
        f"        {shlex.quote(settings.url)} CODE",
        f"      It asks for a folder (any will do) and the {_what(settings)} above.",
        f"   4. panicroom restore {job_option}--to restored",
    ]


def _with_duplicity(settings: Settings, located: JobStatus | None, region: str) -> list[str]:
    several = len(settings.jobs) > 1
    return [
        "B. WITH PLAIN DUPLICITY ALONE, IF THE SERVICE IS GONE",
        f"   You need AWS keys that may read the bucket, and that {_what(settings)}.",
        "   1. apt install gnupg pipx   (Mac: brew install gnupg librsync pipx)",
        *([f"      {_IMPORT_KEY}"] if settings.encrypt_key else []),
        "   2. pipx install duplicity==3.2.1",
        f"   3. Type, with your {'keys' if settings.encrypt_key else 'keys and the passphrase'}:",
        "",
        *plain_duplicity(settings, settings.jobs[0], located, region),
        "",
        *(["      For the other jobs put their place instead of that one."] if several else []),
        "      As root, leave --no-restore-ownership out. An older state: add",
        "      --time 2026-11-22T20:50:00Z. One file: add --path-to-restore its/path.",
        "      What there is: collection-status instead of restore, no folder.",
        "      If it fails at a backup that was never finished, add --time with",
        *_newest(located),
        "   If duplicity reports files in Glacier Deep Archive, restore the",
        "   data_ files in the S3 console first (12 to 48 hours), then repeat.",
    ]


_IMPORT_KEY = "gpg --import secret-key-file"


def _what(settings: Settings) -> str:
    return "secret key" if settings.encrypt_key else "passphrase"


def _secret(encrypt_key: str | None, proof_key: str | None) -> list[str]:
    """What opens the backups: a line for the passphrase, or where the secret key's copy lies."""
    if encrypt_key is None:
        return [
            "Passphrase, by hand (without it nothing can be restored, by nobody):",
            "",
            f"            {_BLANK}",
        ]
    return [
        f"GnuPG key   {encrypt_key}",
        "            Without its secret half nobody can restore anything. Save it now:",
        "            gpg --export-secret-keys --armor KEY > secret-key-file",
        f"            It is at   {_BLANK[:45]}",
        f"            Passphrase {_BLANK[:45]}",
        *(
            ["Proof key   (proves which backups this machine made)", f"            {proof_key}"]
            if proof_key
            else []
        ),
    ]


def _newest(located: JobStatus | None) -> list[str]:
    """The last finished set: the time to give where a set was being made when the sheet was."""
    if located is None or located.newest_complete_at is None:
        return ["      the time of the last finished one, which collection-status shows."]
    return [
        "      the time of the last finished one, which collection-status shows",
        f"      (when this was printed: --time {located.newest_complete_at}).",
    ]


def plain_duplicity(
    settings: Settings, job: JobSettings, located: JobStatus | None, region: str
) -> list[str]:
    """The lines to type where there is nothing but duplicity: a restore of ``job`` into ``restored``."""
    return [
        "export AWS_ACCESS_KEY_ID=...",
        "export AWS_SECRET_ACCESS_KEY=...",
        *([] if settings.encrypt_key else ["export PASSPHRASE='...'"]),
        f"duplicity restore --no-restore-ownership {'--use-agent ' if settings.encrypt_key else ''}\\",
        f"  --file-prefix-archive {ARCHIVE_PREFIX} --file-prefix-manifest {METADATA_PREFIX} \\",
        f"  --file-prefix-signature {METADATA_PREFIX} --file-prefix-jsonstat {METADATA_PREFIX} \\",
        f"  --s3-region-name {shlex.quote(region)} \\",
        f"  {shlex.quote(f'boto3+s3://{_place(settings.machine, job.job, located)}')} \\",
        "  restored",
    ]


def _jobs(settings: Settings, known: Mapping[str, JobStatus]) -> list[str]:
    lines = []
    for job in settings.jobs[:_SHOWN_JOBS]:
        lines.append(f"Job         {job.job}: {job.source}")
        located = known.get(job.job)
        if located is not None and located.bucket is not None:
            lines.append(f"      in    {_place(settings.machine, job.job, located)}")
    if len(settings.jobs) > _SHOWN_JOBS:
        rest = ", ".join(job.job for job in settings.jobs[_SHOWN_JOBS:])
        lines.append(f"            and {rest}"[:COLUMNS])
    return lines


def _place(machine: str, job: str, located: JobStatus | None) -> str:
    """Bucket and prefix as an S3 URL has them."""
    if located is None or located.bucket is None:
        return f"BUCKET/{machine}/{job}"
    prefix = f"{machine}/{job}" if located.prefix is None else located.prefix.strip("/")
    return f"{located.bucket}/{prefix}".rstrip("/")
