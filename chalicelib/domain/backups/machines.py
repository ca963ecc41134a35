"""Machines, jobs, and the tokens and codes that authenticate a laptop."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from chalicelib.domain.backups.names import Location
from chalicelib.domain.backups.retention_policy import DEFAULT_RETENTION, RetentionPolicy
from chalicelib.domain.backups.storage import DEFAULT_STORAGE_POLICY, StoragePolicy
from chalicelib.wire import DrillOutcome

DAY_SECONDS = 86_400
LONGEST_SECONDS = 10 * 366 * DAY_SECONDS
"""Of whatever an owner can set: ten years."""

DEFAULT_JOB = "system"

CODE_BYTES = 20
"""160 bits: 32 letters and digits, eight groups of four."""

CODE_LIFE = timedelta(hours=24)

DEFAULT_DOWNLOAD_CAP_BYTES_A_DAY = 100 * 2**30
"""What a stolen token can cost in transfer a day: at $0.09 a GB, nine dollars. The owner can lift it."""

DEFAULT_THAW_BUDGET_USD = Decimal(1)
"""What a machine may spend on thaws in a month without asking the owner."""

DEFAULT_STORAGE_CAP_BYTES = 10 * 2**40
"""What a machine may store, older versions included."""

MAX_PERMITS_A_DAY = 100_000
"""Files that a machine may ask to upload in a day: 2.4 TB in volumes of 25 MB."""

MAX_SETS_A_DAY = 300
"""Sets that a machine may begin in a day, all jobs together: one every quarter of an hour, and on the same day all 60
folders of a family of photos for the first time and again on a new disk, with room for runs that are tried again."""

DEFAULT_DRILL_SECONDS = 30 * DAY_SECONDS
"""How often a job is drilled, unless the owner wants it otherwise."""

MAX_OPEN_SETS = 20
"""Backups of a job that may be begun and not finished at a time: a laptop has one, and takes that one up again."""

_SECRET_HASH = re.compile(r"[0-9a-f]{64}")
_TOKEN = re.compile(r"Bearer (?P<machine>[a-z0-9][a-z0-9-]{0,40})\.(?P<secret>[0-9a-f]{64})")


@dataclasses.dataclass(frozen=True)
class LastRun:
    """How the newest run of a job went; ``ended_at`` and ``exit_code`` are missing while it goes on."""

    run: str
    kind: str
    started_at: datetime
    ended_at: datetime | None = None
    exit_code: int | None = None
    estimated_bytes: int | None = None
    source_files: int | None = None
    source_bytes: int | None = None
    earlier_source_files: int | None = None
    """What the newest earlier run that reported it found in the source."""
    earlier_source_bytes: int | None = None
    of_settled: bool = False
    """It is of a photo job that had not changed for long: whatever it found changed is worth a look."""

    @property
    def known_source_files(self) -> int | None:
        """As it reported it, or else the newest earlier run that did."""
        return self.source_files or self.earlier_source_files

    @property
    def known_source_bytes(self) -> int | None:
        return self.source_bytes or self.earlier_source_bytes


@dataclasses.dataclass(frozen=True)
class Machine:
    """A computer that backs up. ``token_sha256`` is missing until it enrols and after it is revoked."""

    name: str
    created_at: datetime
    token_sha256: str | None = None
    code_issued_at: datetime | None = None
    """When the code that its token was enrolled with was made: older codes are not valid any more."""
    revoked_at: datetime | None = None
    paused_at: datetime | None = None
    paused_until: datetime | None = None
    last_used_at: datetime | None = None
    storage_cap_bytes: int = DEFAULT_STORAGE_CAP_BYTES
    download_cap_bytes: int = DEFAULT_DOWNLOAD_CAP_BYTES_A_DAY
    thaw_budget_usd: Decimal = DEFAULT_THAW_BUDGET_USD
    owner_mail: str | None = None
    """Who gets the weekly mail and the alerts about this machine: addresses with commas between them."""
    group: str | None = None
    """The group of machines whose settings it takes where it has none of its own."""
    follows: frozenset[str] = frozenset()
    """Its settings that are not its own: ``chalicelib.domain.fleet.following``."""
    client_version: str | None = None
    """As its client said with its last request that was recorded."""
    dropping_at: datetime | None = None
    """When the owner began to remove it with all that it stored."""
    held_until: datetime | None = None
    """Until when Object Lock holds back what is left of that; missing where nothing is known to be held."""

    @property
    def owner_mails(self) -> tuple[str, ...]:
        return tuple(part.strip() for part in (self.owner_mail or "").split(",") if part.strip())

    def was_revoked_before(self, stored_at: datetime) -> bool:
        """Whether what S3 stored then came by a URL that outlived the machine's token. Enrolling anew ends this."""
        return self.revoked_at is not None and stored_at > self.revoked_at

    def is_paused(self, now: datetime) -> bool:
        """Paused machines are not evaluated overdue; they may back up all the same."""
        return self.paused_at is not None and (self.paused_until is None or now < self.paused_until)


def machines_by_owner(machines: Iterable[Machine]) -> dict[str, frozenset[str]]:
    """Names of machines by the address of their own owner; those without one are in nobody's."""
    owned: dict[str, set[str]] = {}
    for machine in machines:
        for address in machine.owner_mails:
            owned.setdefault(address, set()).add(machine.name)
    return {address: frozenset(names) for address, names in owned.items()}


@dataclasses.dataclass(frozen=True)
class ReconcileProgress:
    """How far the weekly reconcile of a job has come."""

    begun_at: datetime
    """When a call last took it up."""
    after: str = ""
    """The file name behind which the next call goes on; empty for the beginning."""
    done_at: datetime | None = None
    """When it last came to its end."""


@dataclasses.dataclass(frozen=True)
class LastDrill:
    """The newest report of a job's drills, and what still holds of earlier ones.

    ``asked_at`` is when the drill that waits for archived volumes asked for them. ``failed_at`` and ``failure`` are
    those of the newest failure, until a drill passes.
    """

    outcome: DrillOutcome
    reported_at: datetime
    message: str = ""
    asked_at: datetime | None = None
    passed_at: datetime | None = None
    passed_files: int = 0
    passed_bytes: int = 0
    failed_at: datetime | None = None
    failure: str = ""


@dataclasses.dataclass(frozen=True)
class LastCheck:
    """When a photo job was last looked at and had not changed, and how much of it was read for rot since when."""

    at: datetime
    files: int
    size_bytes: int
    hashed_files: int = 0
    hashed_bytes: int = 0
    hashed_since: datetime | None = None
    rotted: int = 0


@dataclasses.dataclass(frozen=True)
class OldChange:
    """What a run found changed in a settled photo job, in files."""

    at: datetime
    files: int
    changed: int
    deleted: int


@dataclasses.dataclass(frozen=True)
class Job:
    """One source folder of a machine, with the duplicity target at ``location``."""

    machine: str
    name: str
    location: Location
    period_seconds: int = DAY_SECONDS
    grace_seconds: int = DAY_SECONDS
    storage: StoragePolicy = DEFAULT_STORAGE_POLICY
    storage_since: datetime | None = None
    """When the owner last chose another policy; what was stored before stays with the one that its tag names."""
    last_run: LastRun | None = None
    reconcile: ReconcileProgress | None = None
    added_at: datetime | None = None
    """When the owner added it; missing for jobs of before version 0.2, which are as old as their machine."""
    proofs_since: datetime | None = None
    """When S3 stored the first of its manifests with a proof of origin; a manifest without one is refused since."""
    false_proofs: frozenset[str] = frozenset()
    """The sets whose proof its client has found to be false."""
    drill_every_seconds: int = DEFAULT_DRILL_SECONDS
    """0 where the owner wants no drills."""
    drills_since: datetime | None = None
    """Since when they are wanted so; missing until the first audit of a version that has drills."""
    last_drill: LastDrill | None = None
    retention: RetentionPolicy = DEFAULT_RETENTION
    family: str | None = None
    """The family of photo jobs that it belongs to."""
    last_check: LastCheck | None = None
    old_change: OldChange | None = None
    follows: frozenset[str] = frozenset()
    """Its settings that are not its own: ``chalicelib.domain.fleet.following``."""
    paused_at: datetime | None = None
    """Since when the owner expects no backups of it, as of a folder that is gone for good."""
    is_dropping: bool = False
    """The owner is removing its files for good: what is missing is no finding, and nothing more is done with it."""

    @property
    def full_name(self) -> str:
        """``anna-laptop/system``."""
        return f"{self.machine}/{self.name}"

    @property
    def late_after(self) -> timedelta:
        """How old the newest backup may become: period and grace."""
        return timedelta(seconds=self.period_seconds + self.grace_seconds)


def is_paused(machine: Machine, job: Job, now: datetime) -> bool:
    """The machine as a whole, or the job alone until the owner resumes it."""
    return job.paused_at is not None or machine.is_paused(now)


def added_at(machine: Machine, job: Job) -> datetime:
    return job.added_at or machine.created_at


RETYPED_WITHIN = timedelta(hours=1)
"""A used code that comes again from the same address within this time is no alarm."""


@dataclasses.dataclass(frozen=True)
class EnrolmentCode:
    """A one-time code, stored as its hash. ``secret_sha256`` is the secret it was used with, once it is used."""

    code_sha256: str
    machine: str
    expires_at: datetime
    secret_sha256: str | None = None
    used_at: datetime | None = None
    used_from: str | None = None
    """The network address that it was used from; missing as ``used_at`` is for codes of before version 0.2."""
    sealed_recovery_code: str | None = None
    """What was made together with it, and is given once at enrolment: ``chalicelib.domain.recovery.sealed_code``."""

    @property
    def issued_at(self) -> datetime:
        return self.expires_at - CODE_LIFE

    def has_expired(self, now: datetime) -> bool:
        return now >= self.expires_at

    def was_just_used_from(self, address: str, now: datetime) -> bool:
        """Whether whoever types it again is the one who used it, as far as anybody can tell: somebody who typed the
        line twice. An unknown address is nobody's."""
        if self.used_at is None or not address or address != self.used_from:
            return False
        return timedelta(0) <= now - self.used_at <= RETYPED_WITHIN


def sha256_hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def is_sha256_hex(text: str) -> bool:
    return _SECRET_HASH.fullmatch(text) is not None


def format_code(random_bytes: bytes) -> str:
    """A code that people can type: base32 has no 0, 1, 8 or 9 to mistake for letters."""
    letters = base64.b32encode(random_bytes).decode()
    return "-".join(letters[index : index + 4] for index in range(0, len(letters), 4))


def normalized_code(typed: str) -> str:
    """The code as it was printed, whatever its case and however it was spaced when typed."""
    letters = "".join(character for character in typed.upper() if character.isalnum() and character.isascii())
    return "-".join(letters[index : index + 4] for index in range(0, len(letters), 4))


@dataclasses.dataclass(frozen=True)
class Token:
    machine: str
    secret: str


def parse_authorization(header: str) -> Token | None:
    """The token of an ``Authorization: Bearer <machine>.<secret>`` header."""
    match = _TOKEN.fullmatch(header)
    return Token(match["machine"], match["secret"]) if match else None


def token_matches(token: Token, machine: Machine | None) -> bool:
    """Compares in constant time, an unknown or revoked machine like any other."""
    known = machine.token_sha256 if machine is not None and machine.token_sha256 else "0" * 64
    return hmac.compare_digest(sha256_hex(token.secret), known)
