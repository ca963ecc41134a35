"""The way back without this service and without this client: the lines to type in AWS's CloudShell and on any computer
with AWS's command line and duplicity, be it of today or 0.8 of Debian 12.

A person types them from paper into bash or zsh: they are short, all that differs between jobs is in the variables of
``names``, and typed again they do no harm. tests/end_to_end/test_plain_way.py types them.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import shlex
from dataclasses import dataclass

from panicroom.names import ARCHIVE_PREFIX, METADATA_PREFIX

COPY_DAYS = 7
"""How long S3 keeps the thawed copies, for the download."""


@dataclass(frozen=True)
class StoredJob:
    """Where the files of a job are: ``prefix`` as keys begin, with or without a slash at its end, empty for a bucket
    that is all the job's. ``with_key``: encrypted for a GnuPG key instead of by a passphrase."""

    job: str
    bucket: str
    prefix: str
    region: str
    with_key: bool = False


def names(stored: StoredJob) -> list[str]:
    """The variables that all the other lines use; first in each new shell. Another job needs only the last one."""
    prefix = stored.prefix.strip("/")
    region = shlex.quote(stored.region)
    return [
        f"export AWS_REGION={region} AWS_DEFAULT_REGION={region}",
        f"B={shlex.quote(stored.bucket)}",
        f"J={shlex.quote(stored.job)} P={shlex.quote(prefix + '/') if prefix else ''}",
    ]


def ask_for_copies(days: int = COPY_DAYS) -> list[str]:
    """For CloudShell: have S3 make copies of all archived volumes, by Bulk. Typed again it asks for the rest."""
    return [
        'cold() { aws s3api list-objects-v2 --bucket $B --prefix "$P"' + ARCHIVE_PREFIX + " \\",
        "  --optional-object-attributes RestoreStatus --output text --query \\",
        "  \"Contents[?contains(['GLACIER','DEEP_ARCHIVE'],StorageClass)",
        '   &&$1==null].[Key]"; }',
        "cold RestoreStatus > asked",
        "xargs -d '\\n' -P 8 -I KEY aws s3api restore-object --bucket $B --key KEY \\",
        f"  --restore-request 'Days={days},GlacierJobParameters={{Tier=Bulk}}' < asked",
    ]


def what_is_cold() -> list[str]:
    """Prints the keys of the volumes that cannot be read yet, after the first four lines of ``ask_for_copies``."""
    return ["cold RestoreStatus.RestoreExpiryDate"]


def copy_down(stored: StoredJob) -> list[str]:
    """Everything of the job into a folder. Thawed copies are passed over without the option for them, and those that
    are not thawed end it with an error; typed again it goes on."""
    others = "" if stored.prefix.strip("/") else " --exclude '*/*'"
    return [f'aws s3 sync "s3://$B/$P" "stored/$J" --force-glacier-transfer{others}']


def restore(stored: StoredJob) -> list[str]:
    """With plain duplicity, which asks for the passphrase. Version 2 gave one option another name. It keeps a file's
    owner from being set, which only root can: without it the old one restores neither times nor modes, and exits 0."""
    agent = " --use-agent" if stored.with_key else ""
    return [
        "O=--no-restore-ownership",
        "duplicity --version | grep -q ' [01]\\.' && O=--do-not-restore-ownership",
        'mkdir -p "restored/$J"',
        f"duplicity restore{agent} $O \\",
        f"  --file-prefix-archive {ARCHIVE_PREFIX} --file-prefix-manifest {METADATA_PREFIX} \\",
        f'  --file-prefix-signature {METADATA_PREFIX} "file://$PWD/stored/$J" "restored/$J"',
    ]
