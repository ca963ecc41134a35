"""Which uploads are permitted, what a seal demands, and when files of a set may be given up."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from datetime import datetime, timedelta

from chalicelib.domain.backups.leases import CLOCK_TOLERANCE
from chalicelib.domain.backups.machines import LastRun, is_sha256_hex
from chalicelib.domain.backups.names import BackupFile, FileKind, parse_file_name
from chalicelib.domain.backups.objects import StoredObject
from chalicelib.domain.backups.storage import SMALLEST_MOVED_BYTES, STANDARD, StoragePolicy
from chalicelib.domain.refusals import Refusal
from chalicelib.wire import (
    MAX_PARTS,
    MAX_SINGLE_PUT_BYTES,
    ErrorCode,
    MultipartRequest,
    UploadFile,
)

UPLOAD_URL_LIFE = timedelta(minutes=15)

DOWNLOAD_URL_LIFE = timedelta(minutes=5)

DISCARD_LOCK_LIFE = timedelta(seconds=90)
"""Longer than the discard function may run, so that a lapsed lock never belongs to a call still at work."""

UNFINISHED_AFTER = timedelta(days=7)
"""No upload in parts takes a week; the lifecycle rule that this service writes aborts them at that age."""

MAX_VOLUME_BYTES = 2**30
"""Volumes have 25 MB by default and 200 MB for photos; signatures may be larger."""

MAX_VOLUMES = 40_000
"""What the list of a seal has room for (``wire.MAX_BODY_BYTES``): a set of 1 TB in volumes of 25 MB."""

MAX_METADATA_BYTES = {FileKind.MANIFEST: 64 * 2**20, FileKind.JSONSTAT: 16 * 2**20}
"""A manifest has some 200 bytes a volume, and while its URL lives its set stands still; a jsonstat has a few KB."""

SIGNATURES_WITHOUT_SOURCE_BYTES = 64 * 2**20
SIGNATURES_PART_OF_SOURCE = 10
SIGNATURES_A_FILE_BYTES = 4096
"""Signatures have 0.6 to 2.4 per cent of their source, and a header for each file: at most a tenth, and 4 KB a file."""

_IDENTIFIER = re.compile(r"[!-~]{1,1024}")
"""What S3 gives as the id of an upload or as an ETag; AWS documents no more of their form."""

MIN_PART_BYTES = 5 * 2**20
"""S3's own limit, for all parts but the last."""

MAX_NAME_LENGTH = 200
"""duplicity's longest name has about a hundred characters."""


def check_name(name: str) -> BackupFile:
    """The file that ``name`` stands for; raises ``Refusal`` unless duplicity writes such a name, encrypted."""
    file = parse_file_name(name) if len(name) <= MAX_NAME_LENGTH else None
    if file is None:
        raise Refusal(
            ErrorCode.BAD_NAME, "This is no name that duplicity writes. Back up with panicroom only."
        )
    if not file.is_under_right_prefix:
        raise Refusal(
            ErrorCode.WRONG_PREFIX,
            f"A file of this kind must begin with {file.expected_prefix}. Back up with panicroom only.",
        )
    return file


def check_upload(upload: UploadFile, now: datetime) -> BackupFile:
    """Checks what the request alone shows, before anything is read."""
    if not is_sha256_hex(upload.sha256):
        raise _bad_digest()
    if upload.size > MAX_SINGLE_PUT_BYTES:
        raise Refusal(ErrorCode.FILE_TOO_LARGE, "A file may have 5 GB at most, unless it goes up in parts.")
    if upload.proof is not None and not is_sha256_hex(upload.proof):
        raise Refusal(ErrorCode.BAD_PROOF, "proof must be 64 lower-case hex digits.")
    return _check_file(upload.name, upload.size, now)


def check_proof(upload: UploadFile, proofs_since: datetime | None) -> None:
    """Refuses a manifest without a proof of origin in a job that has had one: without this rule, whoever has the token
    could leave the proof out. The service cannot check a proof, only ask for one."""
    if upload.proof is None and proofs_since is not None:
        raise Refusal(
            ErrorCode.PROOF_MISSING,
            f"Backups of this job carry a proof of origin since {proofs_since:%Y-%m-%d}, and this one has none. "
            "Upgrade panicroom on this computer (the service's owner has the line that does it), then start the "
            "backup again.",
        )


def check_multipart(request: MultipartRequest, now: datetime) -> BackupFile:
    """The same of a file in parts. Only signatures get that large."""
    file = _check_file(request.name, request.size, now)
    if file.kind is not FileKind.SIGNATURES:
        raise Refusal(ErrorCode.BAD_REQUEST, "Only signature files are taken in parts.")
    if not all(map(is_sha256_hex, request.part_sha256)):
        raise _bad_digest()
    count = len(request.part_sha256)
    if not MIN_PART_BYTES <= request.part_bytes <= MAX_SINGLE_PUT_BYTES or count > MAX_PARTS:
        raise Refusal(
            ErrorCode.BAD_REQUEST, "A part has 5 MB at least and 5 GB at most; 10,000 parts are the most."
        )
    if count != -(-request.size // request.part_bytes):
        raise Refusal(ErrorCode.BAD_REQUEST, "part_sha256 must list every part of the file once.")
    if not 1 <= request.first_part <= count or (request.etags is not None and len(request.etags) != count):
        raise Refusal(ErrorCode.BAD_REQUEST, "first_part or etags do not fit the number of parts.")
    if request.etags is not None and request.upload is None:
        raise Refusal(ErrorCode.BAD_REQUEST, "etags without the upload that they belong to.")
    identifiers = (*(request.etags or ()), *([] if request.upload is None else [request.upload]))
    if not all(map(_IDENTIFIER.fullmatch, identifiers)):
        raise Refusal(ErrorCode.BAD_REQUEST, "upload and etags must be those that were answered.")
    return file


def most_signature_bytes(run: LastRun | None, storage_cap_bytes: int) -> int:
    """What a source as the run reported it can explain; one that no run reported is as large as may be stored."""
    source_bytes = run.known_source_bytes if run else None
    files = (run.known_source_files or 0) if run else 0
    if not source_bytes:
        return SIGNATURES_WITHOUT_SOURCE_BYTES + storage_cap_bytes // SIGNATURES_PART_OF_SOURCE
    return (
        SIGNATURES_WITHOUT_SOURCE_BYTES
        + min(source_bytes, storage_cap_bytes) // SIGNATURES_PART_OF_SOURCE
        + min(files * SIGNATURES_A_FILE_BYTES, storage_cap_bytes // SIGNATURES_PART_OF_SOURCE)
    )


def check_signatures(file: BackupFile, size: int, run: LastRun | None, storage_cap_bytes: int) -> None:
    """Refuses signatures that are larger than the run's source can explain."""
    if file.kind is FileKind.SIGNATURES and size > most_signature_bytes(run, storage_cap_bytes):
        raise Refusal(
            ErrorCode.FILE_TOO_LARGE,
            f"Signatures of {size} bytes are too large for the source that this run reported. Start the backup again.",
        )


def multipart_digest(request: MultipartRequest) -> str:
    """Of all that an upload in parts is permitted for; each later call about it must carry the same."""
    facts = (request.name, str(request.size), str(request.part_bytes), *request.part_sha256)
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def size_of_part(request: MultipartRequest, number: int) -> int:
    return min(request.part_bytes, request.size - (number - 1) * request.part_bytes)


def _bad_digest() -> Refusal:
    return Refusal(ErrorCode.BAD_DIGEST, "sha256 must be 64 lower-case hex digits.")


def _check_file(name: str, size: int, now: datetime) -> BackupFile:
    file = check_name(name)
    if file.suffix != ".gpg":
        raise Refusal(
            ErrorCode.BAD_NAME, "Only files encrypted by gpg are taken. Give panicroom a passphrase or a key."
        )
    if file.set_id.end > now + CLOCK_TOLERANCE:
        raise Refusal(
            ErrorCode.NAME_IN_FUTURE,
            f"This set is dated {file.set_id.end:%Y-%m-%d %H:%M} UTC, but it is {now:%Y-%m-%d %H:%M} UTC. "
            "Set the computer's clock, then start the backup again.",
        )
    if file.set_id.start is not None and file.set_id.start >= file.set_id.end:
        raise Refusal(
            ErrorCode.NAME_OUT_OF_ORDER,
            "This increment ends before it starts. Set the computer's clock, then start the backup again.",
        )
    if size < 1:
        raise Refusal(ErrorCode.BAD_REQUEST, "size must be the file's length in bytes, at least 1.")
    if file.kind is FileKind.VOLUME and size > MAX_VOLUME_BYTES:
        raise Refusal(ErrorCode.FILE_TOO_LARGE, "A volume may have 1 GB at most. Set a smaller volume_mb.")
    if file.volume is not None and file.volume > MAX_VOLUMES:
        raise Refusal(
            ErrorCode.BAD_NAME, f"A set may have {MAX_VOLUMES:,} volumes at most. Set a larger volume_mb."
        )
    if size > MAX_METADATA_BYTES.get(file.kind, size):
        raise Refusal(
            ErrorCode.FILE_TOO_LARGE, f"A {file.kind.value} of {size} bytes is too large to be one."
        )
    return file


@dataclasses.dataclass(frozen=True)
class SignedHeaders:
    """What an upload URL binds beside key, length, digest and first write."""

    storage_class: str = STANDARD
    tagging: str | None = None
    volumes_promised: int | None = None
    proof: str | None = None


def headers_for(
    file: BackupFile,
    size: int,
    policy: StoragePolicy,
    *,
    volumes_promised: int | None = None,
    proof: str | None = None,
) -> SignedHeaders:
    """Volumes carry their policy's tag. A policy of zero days stores them in their class at once, but for small ones,
    which would be billed as 128 KB there. A manifest carries the number of its set's volumes and the set's proof of
    origin."""
    if file.kind is FileKind.MANIFEST:
        return SignedHeaders(volumes_promised=volumes_promised, proof=proof)
    if file.kind is not FileKind.VOLUME:
        return SignedHeaders()
    at_once = policy.archive_after_days == 0 and size >= SMALLEST_MOVED_BYTES
    return SignedHeaders(policy.archive_class if at_once else STANDARD, policy.tagging)


def is_same_content(upload: UploadFile, stored: StoredObject) -> bool:
    return (stored.size, stored.sha256) == (upload.size, upload.sha256)


def is_same_in_parts(request: MultipartRequest, stored: StoredObject) -> bool:
    """S3 keeps the digest of the parts' digests and their number, and has proved each of them."""
    digests = b"".join(map(bytes.fromhex, request.part_sha256))
    composite = f"{hashlib.sha256(digests).hexdigest()}-{len(request.part_sha256)}"
    return (stored.size, stored.sha256) == (request.size, composite)
