"""What a sheet can say: from the settings, and from the service's answer as far as it has the form that it must have.

The service may be broken, or in somebody else's hands: what is not as AWS and we name things is a blank on the sheet.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
from dataclasses import dataclass

from panicroom.recovery.recovery_code import ALPHABET
from panicroom.settings import Settings
from panicroom.shown import shown
from panicroom.thaw.volumes import ARCHIVE_CLASSES
from panicroom.wire import JobStatus, MachineStatus, RecoveryCodeStatus

_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]{2,12}){1,3}-\d{1,2}", re.ASCII)
_STAGE = re.compile(r"[a-z0-9][a-z0-9-]{0,40}", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_LAST_GROUP = re.compile(f"[{ALPHABET}]{{5}}")
_LONGEST_KEY = 1024
"""S3 takes no longer one."""

_LONGEST_FOLDER = 60


@dataclass(frozen=True)
class PlacedJob:
    """A job and where its files are: in ``bucket``, None where that is not known, under ``prefix``, which is empty or
    ends in a slash. ``folder`` is what it backs up, None where that is not known."""

    job: str
    folder: str | None
    bucket: str | None
    prefix: str
    newest_at: str | None = None
    is_archived: bool = False


@dataclass(frozen=True)
class Known:
    """None is a blank to write on. ``code`` is the recovery code that counts."""

    url: str
    machine: str
    jobs: tuple[PlacedJob, ...]
    encrypt_key: str | None = None
    proof_key: str | None = None
    account: str | None = None
    region: str | None = None
    stage: str | None = None
    code: RecoveryCodeStatus | None = None

    @property
    def service_bucket(self) -> str | None:
        """Where the service keeps its backups and the client's wheel."""
        if not (self.account and self.region and self.stage):
            return None
        return f"panicroom-{self.stage}-{self.account}-{self.region}"

    @property
    def sign_in(self) -> str | None:
        return f"https://{self.account}.signin.aws.amazon.com/console" if self.account else None


def what_is_known(settings: Settings, status: MachineStatus | None, proof_key: str | None = None) -> Known:
    """``status`` is the service's answer, None where it could not be asked. ``proof_key`` signs the sets of a machine
    with a GnuPG key."""
    by_name = {job.job: job for job in status.jobs} if status else {}
    return Known(
        url=settings.url,
        machine=settings.machine,
        jobs=tuple(
            _place(settings.machine, job.job, str(job.folder or ""), by_name.get(job.job))
            for job in settings.jobs
        ),
        encrypt_key=settings.encrypt_key,
        proof_key=proof_key,
        account=_if(_ACCOUNT, status.account) if status else None,
        region=_if(_REGION, status.region) if status else None,
        stage=_if(_STAGE, status.stage) if status else None,
        code=_code(status.recovery_code) if status else None,
    )


def _place(machine: str, job: str, folder: str, located: JobStatus | None) -> PlacedJob:
    usual = f"{machine}/{job}"
    if located is None:
        return PlacedJob(job, short_folder(folder), None, f"{usual}/")
    prefix = shown(usual if located.prefix is None else located.prefix, _LONGEST_KEY).strip("/")
    return PlacedJob(
        job,
        short_folder(folder),
        shown(located.bucket) if located.bucket else None,
        f"{prefix}/" if prefix else "",
        _if(_TIME, located.newest_complete_at),
        located.archive_class in ARCHIVE_CLASSES,
    )


def short_folder(folder: str) -> str:
    """The folder, or both ends of it."""
    whole = shown(folder, _LONGEST_KEY)
    return whole if len(whole) <= _LONGEST_FOLDER else f"{whole[:24]}...{whole[-24:]}"


def _code(status: RecoveryCodeStatus | None) -> RecoveryCodeStatus | None:
    if status is None or not _LAST_GROUP.fullmatch(status.last_group):
        return None
    return status if _DAY.fullmatch(status.made_at[:10]) else None


def _if(form: re.Pattern[str], text: str | None) -> str | None:
    return text if text is not None and form.fullmatch(text) else None
