"""When a set is sealed: what is between the request for a manifest's URL and the stored manifest."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from chalicelib.domain.backups.names import BackupFile, FileKind, SetId
from chalicelib.domain.backups.objects import StoredObject
from chalicelib.domain.backups.uploads import check_name
from chalicelib.domain.refusals import Refusal
from chalicelib.wire import (
    ErrorCode,
    SetMember,
)

SEAL_URL_LIFE = timedelta(seconds=30)
"""A manifest's URL lives shorter than the others, since its set stands still until it is used or lapses; a client
that could not use it in time asks again. See docs/decisions/0003-short-lived-manifest-urls.md."""

SEAL_MARGIN = timedelta(seconds=15)
SLOWEST_UPLINK_BYTES_A_SECOND = 64 * 2**10
"""S3 checks a URL's age when a PUT begins. One that began in time may end later by as long as it takes to send."""


@dataclasses.dataclass(frozen=True)
class Gate:
    """What serialises the sealing of a set: until when its manifest's URL lives, and whether discards go on.

    ``begun_at`` is when its first file was permitted: it was found then to follow the job's other sets.
    """

    begun_at: datetime | None = None
    sealing_until: datetime | None = None
    sealing_sha256: str | None = None
    discarding_until: datetime | None = None

    def is_sealing(self, now: datetime) -> bool:
        return self.sealing_until is not None and now < self.sealing_until


def sealing_life(manifest_bytes: int) -> timedelta:
    """How long a set stands still for its manifest: until no PUT by that URL can be under way any more."""
    return SEAL_URL_LIFE + SEAL_MARGIN + timedelta(seconds=manifest_bytes / SLOWEST_UPLINK_BYTES_A_SECOND)


def check_set_takes(file: BackupFile, *, sealed: bool, gate: Gate, now: datetime) -> None:
    """Refuses a new name in a set that is sealed or sealing, but for the jsonstat, which comes last."""
    if file.kind is FileKind.JSONSTAT:
        return
    if sealed:
        raise Refusal(
            ErrorCode.SET_SEALED, "This set is finished and takes no more files. Start a new backup."
        )
    if gate.is_sealing(now):
        raise being_sealed(gate, now)


def being_sealed(gate: Gate, now: datetime) -> Refusal:
    left = int((gate.sealing_until - now).total_seconds()) + 1 if gate.sealing_until else 1
    return Refusal(
        ErrorCode.SET_SEALING,
        "This set is being finished. Try again when that permission has lapsed.",
        retry_after_seconds=left,
    )


@dataclasses.dataclass(frozen=True)
class SealCheck:
    """How the client's list of a set compares with what the bucket holds of it."""

    volumes: int
    missing_or_different: tuple[str, ...]
    extra: tuple[str, ...]


def check_set_list(set_id: SetId, listed: Sequence[SetMember]) -> None:
    """Refuses a list that duplicity could not mean: other sets' files, no signatures, volumes not 1..N."""
    numbers: list[int] = []
    signatures = 0
    for member in listed:
        file = check_name(member.name)
        if file.set_id != set_id or file.kind not in (FileKind.VOLUME, FileKind.SIGNATURES):
            raise Refusal(
                ErrorCode.SET_LIST_MISSING, f"{member.name} is no volume or signature file of {set_id}."
            )
        if file.volume is not None:
            numbers.append(file.volume)
        else:
            signatures += 1
    if sorted(numbers) != list(range(1, len(numbers) + 1)) or not numbers or signatures != 1:
        raise Refusal(
            ErrorCode.SET_LIST_MISSING,
            "A manifest must come with its whole set: volumes from 1 without a gap, and one signature file.",
        )


def check_seal(listed: Sequence[SetMember], stored: Mapping[str, StoredObject]) -> SealCheck:
    """Compares by name, size and ETag; each PUT has proved its SHA-256 already.

    ``listed`` has passed ``check_set_list``; ``stored`` holds the set's files that the bucket lists, but its manifest.
    """
    by_name = {member.name: member for member in listed}
    wrong = tuple(name for name, member in by_name.items() if not _is_stored(member, stored.get(name)))
    extra = tuple(name for name in stored if name not in by_name)
    return SealCheck(len(by_name) - 1, wrong, extra)


def _is_stored(member: SetMember, stored: StoredObject | None) -> bool:
    return stored is not None and (stored.size, stored.etag) == (member.size, member.etag)


def belongs_to_sealed(file: BackupFile, manifest: StoredObject) -> bool:
    """Whether a file of a sealed set is part of it. A volume beyond N is not: it came by a permission from before
    the seal, used after it."""
    promised = manifest.volumes_promised
    return file.volume is None or promised is None or file.volume <= promised
