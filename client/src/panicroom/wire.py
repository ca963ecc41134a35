"""The contract between the service and the thin client: every request and answer of the API.

The service (``chalicelib/wire.py``) and the client (``panicroom/wire.py``) ship this same file, and a
test keeps the two identical. It uses the standard library only. Shapes are frozen dataclasses;
``from_json`` checks types and ignores unknown fields (so that either side may be one version ahead),
``to_json`` leaves out fields that are ``None``.

Units are in the names: ``*_bytes``, ``*_seconds``; times are ISO 8601 in UTC (``2026-11-22T20:50:00Z``);
digests are SHA-256 in lower-case hex.
"""

# SPDX-License-Identifier: MIT

from __future__ import annotations

import dataclasses
import types
import typing
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, TypeVar

MAX_FILES_PER_REQUEST = 100
"""Files in one upload, download or discard request."""

MAX_BODY_BYTES = 5 * 2**20
"""Largest request body. API Gateway takes 10 MB and a Lambda function 6 MB; a seal request of 40,000
volumes fits."""

MAX_SINGLE_PUT_BYTES = 5 * 2**30
"""S3 takes at most this much in a single PUT; what is larger goes up in parts (``MultipartRequest``)."""

PART_BYTES = 64 * 2**20
"""Size of every part but the last, as the client chooses it. S3 wants 5 MB at least."""

MAX_PARTS = 10_000
"""S3 takes so many parts of one file."""

PARTS_PER_ANSWER = 100


@dataclasses.dataclass(frozen=True)
class Range:
    """The whole numbers that a field may have, both ends included."""

    least: int
    most: int


MOST = 10**18
"""No number that travels is larger: an exabyte in bytes."""

Bytes = Annotated[int, Range(0, 2**50)]
"""Up to a petabyte: no laptop has more, and sums of these stay exact."""

Count = Annotated[int, Range(0, 10**10)]
Seconds = Annotated[int, Range(0, 10 * 366 * 86_400)]
ExitStatus = Annotated[int, Range(-255, 255)]
"""Below zero: ended by that signal."""


class ErrorCode(str, Enum):
    """Every ``error`` an answer of the API can carry; the value is what travels."""

    BAD_REQUEST = "bad_request"
    BAD_JSON = "bad_json"
    BODY_TOO_LARGE = "body_too_large"
    TOO_MANY_FILES = "too_many_files"
    BAD_CODE = "bad_code"
    CODE_USED = "code_used"
    NOT_AUTHORIZED = "not_authorized"
    MACHINE_REVOKED = "machine_revoked"
    UNKNOWN_JOB = "unknown_job"
    TOO_MANY_JOBS = "too_many_jobs"
    UNKNOWN_RUN = "unknown_run"
    RUN_IN_PROGRESS = "run_in_progress"
    LEASE_LOST = "lease_lost"
    BAD_NAME = "bad_name"
    WRONG_PREFIX = "wrong_prefix"
    CLOCK_WRONG = "clock_wrong"
    NAME_IN_FUTURE = "name_in_future"
    NAME_OUT_OF_ORDER = "name_out_of_order"
    BAD_DIGEST = "bad_digest"
    FILE_TOO_LARGE = "file_too_large"
    STORAGE_CAP = "storage_cap"
    DOWNLOAD_CAP = "download_cap"
    SET_SEALED = "set_sealed"
    SET_SEALING = "set_sealing"
    SET_INCOMPLETE = "set_incomplete"
    SET_LIST_MISSING = "set_list_missing"
    PROOF_MISSING = "proof_missing"
    BAD_PROOF = "bad_proof"
    THAW_BUDGET = "thaw_budget"
    THAW_CAP = "thaw_cap"
    THAW_IN_PROGRESS = "thaw_in_progress"
    PLAN_CHANGED = "plan_changed"
    TIER_UNAVAILABLE = "tier_unavailable"
    PRICE_UNKNOWN = "price_unknown"
    UNKNOWN_THAW = "unknown_thaw"
    READ_ONLY = "read_only"
    TOO_MANY_TRIES = "too_many_tries"
    DRILL_ALLOWANCE = "drill_allowance"
    NOT_FOUND = "not_found"
    TRY_AGAIN = "try_again"
    INTERNAL = "internal_error"


class WireError(ValueError):
    """A body that does not have the shape the contract asks for; ``str(error)`` names the field."""


# ---------------------------------------------------------------- enrolment, recovery and the machine


@dataclasses.dataclass(frozen=True)
class EnrolmentRequest:
    """``POST /enrolments``: a one-time code, and the hash of the secret that the client made."""

    code: str
    secret_sha256: str


@dataclasses.dataclass(frozen=True)
class EnrolledJob:
    """``family`` names the family of photo jobs that it belongs to."""

    job: str
    period_seconds: Seconds
    family: str | None = None


@dataclasses.dataclass(frozen=True)
class FamilyStatus:
    """A family of photo jobs: one folder of pictures, whose folders become jobs ``<family>-...``, up to ``most_jobs``.

    The laptop makes them by ``POST /jobs``. ``source_hint`` is where the owner thinks that the pictures are.
    ``usd_a_gb_year`` is what a gigabyte costs there, for its storage alone; missing where prices are not known.
    """

    family: str
    period_seconds: Seconds
    volume_mb: Count
    most_jobs: Count
    source_hint: str | None = None
    usd_a_gb_year: Money | None = None


@dataclasses.dataclass(frozen=True)
class JobRequest:
    """``POST /jobs`` -> ``EnrolledJob``: a job of a family, called ``<family>-...``. It may be asked twice."""

    job: str
    family: str


@dataclasses.dataclass(frozen=True)
class EnrolmentAnswer:
    """``recovery_code`` is there where one was made together with the enrolment code, until the token is first used:
    it is for paper, and the client shows it once and stores it nowhere."""

    machine: str
    jobs: tuple[EnrolledJob, ...]
    recovery_code: str | None = None
    families: tuple[FamilyStatus, ...] = ()


@dataclasses.dataclass(frozen=True)
class RecoveryRequest:
    """``POST /recoveries``: the code of a recovery sheet, and the hash of the secret that the client made. Sent again
    with the same secret it is answered as before. ``machine`` is the one that the sheet is for."""

    machine: str
    code: str
    secret_sha256: str


@dataclasses.dataclass(frozen=True)
class RecoveryAnswer:
    """The secret is a reader's token of ``machine`` until then: it lists, downloads, thaws and drills."""

    machine: str
    jobs: tuple[EnrolledJob, ...]
    reader_until: str


@dataclasses.dataclass(frozen=True)
class RecoveryCodeStatus:
    """The valid recovery code of a machine, as a sheet may name it: ``last_group`` tells one paper from another."""

    made_at: str
    last_group: str


@dataclasses.dataclass(frozen=True)
class RunSummary:
    """How a run ended, as the client reported it; ``ended_at`` is missing while it runs."""

    run: str
    kind: str
    started_at: str
    ended_at: str | None = None
    exit_code: ExitStatus | None = None


class DrillOutcome(str, Enum):
    """``asked``: a drill waits for archived volumes. ``passed``: what it restored is what was backed up. ``failed``:
    something could not be restored, or is not what was backed up. ``skipped``: it could not be tried; the allowance is
    used up, or there is no backup yet."""

    ASKED = "asked"
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclasses.dataclass(frozen=True)
class DrillReport:
    """``POST /jobs/{job}/drills``: how a drill went. ``files``, ``bytes`` and ``volumes`` are those that were restored
    and proved, or are asked for; ``message`` is a sentence, of a failure with the name of the set or the file."""

    outcome: DrillOutcome
    files: Count = 0
    bytes: Bytes = 0
    volumes: Count = 0
    message: str | None = None


@dataclasses.dataclass(frozen=True)
class DrillStatus:
    """The drills of a job. ``every_seconds`` is missing where the owner wants none. ``due``: the client is to begin
    one, or to go on with the one that waits. ``outcome``, ``reported_at`` and ``message`` are of the newest report.
    ``first_due_at``: since when a first one is wanted; missing once one has passed."""

    due: bool
    every_seconds: Seconds | None = None
    passed_at: str | None = None
    outcome: DrillOutcome | None = None
    reported_at: str | None = None
    message: str | None = None
    first_due_at: str | None = None


@dataclasses.dataclass(frozen=True)
class JobStatus:
    """One job as the service evaluates it. ``state`` is one of paused, never, overdue, failing, due, settled, fresh.

    ``bucket`` and ``prefix`` are where its files are, for a restore without the service (the recovery sheet).
    ``proofs_since`` is when S3 stored the first manifest with a proof of origin; from then on each needs one.
    """

    job: str
    state: str
    period_seconds: Seconds
    grace_seconds: Seconds
    archive_class: str
    archive_after_days: Count
    newest_complete_at: str | None = None
    chain_length: Count = 0
    stored_bytes: Annotated[int, Range(0, MOST)] = 0
    last_run: RunSummary | None = None
    bucket: str | None = None
    prefix: str | None = None
    proofs_since: str | None = None
    drill: DrillStatus | None = None
    family: str | None = None
    checked_at: str | None = None
    """Of a photo job: when it was last looked at and had not changed."""


@dataclasses.dataclass(frozen=True)
class MachineStatus:
    """``GET /machine``. ``account`` is the AWS account's number, for the recovery sheet as ``stage`` and ``region``
    are. ``reader_until`` is there where the token is a reader's."""

    machine: str
    server_time: str
    jobs: tuple[JobStatus, ...]
    newest_client_version: str
    oldest_client_version: str
    last_weekly_mail_at: str | None = None
    region: str | None = None
    stage: str | None = None
    account: str | None = None
    recovery_code: RecoveryCodeStatus | None = None
    reader_until: str | None = None
    families: tuple[FamilyStatus, ...] = ()


@dataclasses.dataclass(frozen=True)
class ClientOffer:
    """``GET /client``, by a redirect to ``url``: the client's wheel. The URL ends with its digest, ``#sha256=...``, for
    pip to compare. ``GET /client/requirements.txt``: the versions and digests of all that the client needs.
    ``GET /client/{version}`` and ``GET /client/{version}/requirements.txt``: those of one version, also when there are
    newer ones."""

    version: str
    sha256: str
    url: str


# ---------------------------------------------------------------- runs


@dataclasses.dataclass(frozen=True)
class JobCheck:
    """A photo job that was looked at: it has ``files`` and ``bytes``, and nothing in it has changed since its newest
    backup. Of these, ``hashed_files`` and ``hashed_bytes`` were read by ``photos check`` since ``hashed_since``, and
    ``rotted`` of them have other bytes than they had, at the same times. Without ``hashed_since`` none were read, and
    what was reported of that before holds."""

    job: str
    files: Count
    bytes: Bytes
    hashed_files: Count = 0
    hashed_bytes: Bytes = 0
    hashed_since: str | None = None
    rotted: Count = 0


@dataclasses.dataclass(frozen=True)
class RunStart:
    """``POST /jobs/{job}/runs``: asks for the lease.

    ``run`` is the id that the client made for it (``new_run_id``); asked again with the same one, because
    the answer was lost, the service gives the same lease. Without it the service makes one.
    ``kind`` is ``full`` or ``incremental``. ``resumes`` names the run of this same client that ended
    without reporting it (a kill, a power cut); a client that knows its id may take its lease over at once.
    ``clock`` is the client's own time, so that the service can refuse a wrong clock.

    ``kind`` ``check`` is no run, and takes no lease: it has ``checks``, and ``{job}`` is their family or the one job.
    """

    kind: str
    clock: str
    estimated_bytes: Bytes | None = None
    resumes: str | None = None
    source_files: Count | None = None
    source_bytes: Bytes | None = None
    run: str | None = None
    checks: tuple[JobCheck, ...] | None = None


def new_run_id(now: datetime, random_bytes: bytes) -> str:
    """Runs sort by the time they were asked for; eight random bytes keep a thief from guessing one."""
    return f"{now:%Y%m%dt%H%M%Sz}-{random_bytes.hex()}"


@dataclasses.dataclass(frozen=True)
class RunStarted:
    """The lease is yours until ``lease_seconds`` after the last call that carried ``run``; a check has neither."""

    run: str
    server_time: str
    lease_seconds: Seconds


@dataclasses.dataclass(frozen=True)
class RunUpdate:
    """``PATCH /jobs/{job}/runs/{run}``.

    Without ``exit_code`` it only renews the lease; with it the run is over and the lease is released.
    ``statistics`` is duplicity's own summary (its names, numbers only). ``false_proofs`` names all the sets whose proof
    of origin this client has found to be false; without it, it has not checked.
    """

    exit_code: ExitStatus | None = None
    volumes: Count | None = None
    uploaded_bytes: Bytes | None = None
    files_skipped: Count | None = None
    message: str | None = None
    statistics: dict[str, float] | None = None
    false_proofs: tuple[str, ...] | None = None


# ---------------------------------------------------------------- files


@dataclasses.dataclass(frozen=True)
class SetMember:
    """A stored file as the client knows it: the ETag is what S3 answered to its PUT, without quotes."""

    name: str
    size: Bytes
    etag: str


@dataclasses.dataclass(frozen=True)
class UploadFile:
    """A file to be stored; a manifest carries ``set``, the list of its volumes and signatures, and ``proof``, the
    set's proof of origin: 64 lower-case hex digits that only the client can compute or check."""

    name: str
    size: Bytes
    sha256: str
    set: tuple[SetMember, ...] | None = None
    proof: str | None = None


@dataclasses.dataclass(frozen=True)
class UploadRequest:
    """``POST /jobs/{job}/uploads``."""

    run: str
    files: tuple[UploadFile, ...]


@dataclasses.dataclass(frozen=True)
class UploadPermit:
    """The answer for one file, in the order asked; exactly one of three.

    ``url`` and ``headers``: PUT the bytes there with exactly these headers. ``present``: those very
    bytes are stored already, with ``etag``. ``error`` and ``message``: refused; ``names`` lists the
    files of a set that are missing or different, and ``retry_after_seconds`` is when to ask again.
    """

    name: str
    url: str | None = None
    headers: dict[str, str] | None = None
    present: bool | None = None
    etag: str | None = None
    error: str | None = None
    message: str | None = None
    names: tuple[str, ...] | None = None
    retry_after_seconds: Seconds | None = None


@dataclasses.dataclass(frozen=True)
class UploadAnswer:
    files: tuple[UploadPermit, ...]


@dataclasses.dataclass(frozen=True)
class MultipartRequest:
    """``POST /jobs/{job}/multiparts``: a signature file in parts, of ``part_bytes`` each but for the last.

    Without ``upload`` a new one is begun. With it, URLs are given for the parts from ``first_part`` (they count from
    1) on. With ``etags``, what S3 answered to each part, the upload is completed: only then there is a file.
    """

    run: str
    name: str
    size: Bytes
    part_bytes: Bytes
    part_sha256: tuple[str, ...]
    upload: str | None = None
    first_part: Annotated[int, Range(1, MAX_PARTS)] = 1
    etags: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True)
class PartPermit:
    """PUT the part's bytes there with exactly these headers."""

    number: Annotated[int, Range(1, MAX_PARTS)]
    url: str
    headers: dict[str, str]


@dataclasses.dataclass(frozen=True)
class MultipartAnswer:
    """Either ``upload`` and ``parts``, up to a hundred of them, or the ``etag`` of the file, which is stored now."""

    upload: str | None = None
    parts: tuple[PartPermit, ...] = ()
    etag: str | None = None


@dataclasses.dataclass(frozen=True)
class ListedFile:
    """A stored file. ``etag`` is without quotes; ``stored_at`` is S3's time."""

    name: str
    size: Bytes
    etag: str
    stored_at: str
    storage_class: str


@dataclasses.dataclass(frozen=True)
class FileListing:
    """``GET /jobs/{job}/files?after=...``: pass ``next`` as ``after`` until it is missing."""

    files: tuple[ListedFile, ...]
    next: str | None = None


@dataclasses.dataclass(frozen=True)
class DownloadRequest:
    """``POST /jobs/{job}/downloads``. With ``facts_only`` the answers have no ``url``, and nothing counts towards the
    day's quota: what S3 knows of a file is enough to check a proof of origin.

    ``facts_in_headers``: the client takes ``sha256``, ``volumes`` and ``proof`` from the headers of the GET where an
    answer lacks them, so that the service need not ask S3 for each file. An older service gives them all the same.
    """

    names: tuple[str, ...]
    facts_only: bool = False
    facts_in_headers: bool = False


@dataclasses.dataclass(frozen=True)
class DownloadPermit:
    """The answer for one name: ``url`` (GET within five minutes), or ``archived``, or an error. ``thawing``: it is
    archived, and S3 has been asked for a copy; ``thawing_until`` is when that is there at the latest, if a thaw of this
    service knows it.

    ``sha256`` is S3's checksum of the file, in hex; for a file in parts the digest of the parts' digests, ``-`` and
    their number; missing where the file was stored without one. Of a manifest, ``volumes`` and ``proof`` are what its
    PUT was signed with. They are headers of the GET too: ``x-amz-checksum-sha256`` in base64 if it is sent with the
    ``headers`` that are given, ``x-amz-meta-volumes``, ``x-amz-meta-proof``. With ``facts_in_headers`` they may be
    missing here.
    """

    name: str
    url: str | None = None
    headers: dict[str, str] | None = None
    size: Bytes | None = None
    sha256: str | None = None
    volumes: Count | None = None
    proof: str | None = None
    archived: bool | None = None
    thawing: bool | None = None
    thawing_until: str | None = None
    error: str | None = None
    message: str | None = None


@dataclasses.dataclass(frozen=True)
class DownloadAnswer:
    files: tuple[DownloadPermit, ...]


# ---------------------------------------------------------------- thaws


class ThawTier(str, Enum):
    """How fast archived files are asked back; by what the S3 user guide, "restoring-objects-retrieval-options", calls
    it."""

    EXPEDITED = "Expedited"
    STANDARD = "Standard"
    BULK = "Bulk"


class ThawState(str, Enum):
    """Where a thaw stands. ``planned``: priced, not begun. ``waiting``: for the owner's approval. ``asking``: S3 is
    being asked. ``thawing``: S3 has been asked for all. ``ready``: all can be downloaded. ``lapsed``: the copies are
    gone, and not all was downloaded. ``ended``: over for any other reason."""

    PLANNED = "planned"
    WAITING = "waiting"
    ASKING = "asking"
    THAWING = "thawing"
    READY = "ready"
    LAPSED = "lapsed"
    ENDED = "ended"


Money = float
"""USD before tax, rounded up to a hundredth of a cent."""


@dataclasses.dataclass(frozen=True)
class ThawVolumes:
    """Volumes of a set: ``set`` as ``full.<T>`` or ``inc.<T0>.to.<T1>``, ``numbers`` as ranges, ``1-3,12``."""

    set: str
    numbers: str


@dataclasses.dataclass(frozen=True)
class ThawRequest:
    """``POST /jobs/{job}/thaws``: what a restore needs. ``line_bytes_a_second`` is how fast this client has downloaded
    lately, if it knows."""

    volumes: tuple[ThawVolumes, ...]
    line_bytes_a_second: Bytes | None = None


@dataclasses.dataclass(frozen=True)
class ThawOffer:
    """A way to bring the volumes of a plan back. ``usd`` is all that it costs, ``transfer_usd`` the part of it that
    leaving AWS costs; missing where a price is not known. ``tier`` is missing where nothing is archived: then ``usd``
    is what reading and transfer cost."""

    ready_by: str
    tier: ThawTier | None = None
    usd: Money | None = None
    transfer_usd: Money | None = None
    readable_until: str | None = None
    needs_approval: bool = False


@dataclasses.dataclass(frozen=True)
class TransferPrice:
    """What leaving AWS costs. Of the ``month_free_bytes`` that are free each month (UTC), for the whole account,
    ``left_bytes`` are left, as far as this machine has used them up; ``usd_a_gb`` is the price of each GB beyond."""

    month_free_bytes: Bytes
    left_bytes: Bytes
    usd_a_gb: Money


@dataclasses.dataclass(frozen=True)
class ThawPlan:
    """The answer to a ``ThawRequest``, good for 24 hours. The same volumes have the same ``thaw``, and ``state`` is
    more than ``planned`` where it was started already.

    ``bytes`` are those of all volumes of the request that are stored; ``archived``, ``thawing`` and ``readable`` count
    them, ``archived_bytes`` those that would be asked for. ``missing`` are volumes that are not stored, as
    ``<set>.vol<N>``, the first hundred of them. ``needs_approval``: every tier costs more than ``left_usd``, what is
    left of the machine's budget this month. ``month_usd`` is what storing these volumes costs a month.
    ``transfer``: for sums over several plans, each of which counts what is free for itself.
    """

    thaw: str
    state: ThawState
    bytes: Bytes
    archived_bytes: Bytes
    archived: Count
    thawing: Count
    readable: Count
    missing: tuple[str, ...]
    tiers: tuple[ThawOffer, ...]
    needs_approval: bool
    left_usd: Money
    month_usd: Money | None = None
    transfer: TransferPrice | None = None


@dataclasses.dataclass(frozen=True)
class ThawStart:
    """``POST /jobs/{job}/thaws/{thaw}/start``: at most ``max_usd``, the price that was agreed to. ``drill``: from the
    allowance for drills, by Bulk, and any restore goes first."""

    tier: ThawTier
    max_usd: Money
    drill: bool = False


@dataclasses.dataclass(frozen=True)
class ThawStatus:
    """``GET /jobs/{job}/thaws/{thaw}``, and the answer to a ``ThawStart``. ``of`` volumes are to be thawed, ``done`` of
    them can be read. ``message`` says why it waits or has ended."""

    thaw: str
    state: ThawState
    done: Count
    of: Count
    tier: ThawTier | None = None
    usd: Money | None = None
    ready_by: str | None = None
    readable_until: str | None = None
    message: str | None = None


# ---------------------------------------------------------------- discards


@dataclasses.dataclass(frozen=True)
class DiscardRequest:
    """``POST /jobs/{job}/discards``: gives up files of a set that is not sealed yet."""

    run: str
    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class RefusedDiscard:
    name: str
    error: str
    message: str


@dataclasses.dataclass(frozen=True)
class DiscardAnswer:
    discarded: tuple[str, ...]
    refused: tuple[RefusedDiscard, ...]


@dataclasses.dataclass(frozen=True)
class ErrorAnswer:
    """Every answer that is not 2xx and was made by the service (API Gateway's own have ``message`` only)."""

    error: str
    message: str
    retry_after_seconds: Seconds | None = None


# ---------------------------------------------------------------- to and from JSON

Shape = TypeVar("Shape")


def from_json(shape: type[Shape], data: object) -> Shape:
    """Builds ``shape`` from decoded JSON. Unknown fields are ignored.

    Raises ``WireError``, naming the field, where one is missing or of the wrong type.
    """
    return typing.cast(Shape, _build(shape, data, ""))


def to_json(value: Any) -> dict[str, Any]:
    """The reverse of ``from_json``: plain dictionaries and lists, fields that are ``None`` left out."""
    return typing.cast("dict[str, Any]", _plain(value))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: _plain(item) for name, item in pairs if item is not None}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def _build(kind: Any, data: object, where: str) -> object:
    origin = typing.get_origin(kind)
    if origin is Annotated:
        whole, allowed = typing.get_args(kind)
        return _in_range(_build(whole, data, where), allowed, where)
    if origin in (types.UnionType, typing.Union):
        if data is None:
            return None
        return _build(next(arm for arm in typing.get_args(kind) if arm is not type(None)), data, where)
    if origin is tuple:
        if not isinstance(data, list):
            raise WireError(f"{where or 'the body'} must be a list")
        item_kind = typing.get_args(kind)[0]
        return tuple(_build(item_kind, item, f"{where}[{index}]") for index, item in enumerate(data))
    if origin is dict:
        return _mapping(typing.get_args(kind)[1], data, where)
    if dataclasses.is_dataclass(kind):
        return _record(typing.cast("type[Any]", kind), data, where)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _choice(kind, data, where)
    return _scalar(kind, data, where)


def _in_range(number: Any, allowed: Range, where: str) -> object:
    if not allowed.least <= number <= allowed.most:
        raise WireError(f"{where} must be from {allowed.least} to {allowed.most}")
    return number


def _choice(kind: type[Enum], data: object, where: str) -> Enum:
    values = [member.value for member in kind]
    if data not in values:
        raise WireError(f"{where} must be one of {', '.join(values)}")
    return kind(data)


def _scalar(kind: Any, data: object, where: str) -> object:
    if kind is float and type(data) is int and -MOST <= data <= MOST:
        return float(data)
    if type(data) is not kind:  # exactly: True is an int to isinstance
        names = {str: "a text", int: "a whole number", bool: "true or false", float: "a number"}
        raise WireError(f"{where} must be {names[kind]}")
    if isinstance(data, str):
        _check_text(data, where)
    elif isinstance(data, (int, float)) and not -MOST <= data <= MOST:  # NaN is no number either
        raise WireError(f"{where} is out of range")
    return data


def _check_text(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise WireError(f"{where} is not valid Unicode") from None


def _mapping(value_kind: Any, data: object, where: str) -> dict[str, object]:
    if not isinstance(data, dict):
        raise WireError(f"{where} must be an object")
    for key in data:
        _check_text(str(key), where)
    return {str(key): _build(value_kind, value, f"{where}.{key}") for key, value in data.items()}


def _record(kind: type[Any], data: object, where: str) -> object:
    if not isinstance(data, dict):
        raise WireError(f"{where or 'the body'} must be an object")
    hints = _hints(kind)
    arguments: dict[str, object] = {}
    for field in dataclasses.fields(kind):
        inner = f"{where}.{field.name}" if where else field.name
        if field.name in data:
            arguments[field.name] = _build(hints[field.name], data[field.name], inner)
        elif field.default is field.default_factory is dataclasses.MISSING:
            raise WireError(f"{inner} is missing")
    return kind(**arguments)


_hints_of: dict[type[Any], dict[str, Any]] = {}


def _hints(kind: type[Any]) -> dict[str, Any]:
    # Resolving annotations costs more than the rest of from_json; a listing has a thousand records.
    if kind not in _hints_of:
        _hints_of[kind] = typing.get_type_hints(kind, include_extras=True)
    return _hints_of[kind]
