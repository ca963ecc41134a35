"""What only the owner's own credentials may do with the files of a chain: bring them back from under their delete
markers, or delete every version of them."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.adapters.s3_buckets import VOLUMES_METADATA, side_by_side
from chalicelib.domain.backups.names import BackupFile, FileKind, Location, SetId, parse_file_name
from chalicelib.domain.backups.storage import LET_GO_TAG_KEY
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.price_table import PriceTable, PriceUnknown
from chalicelib.domain.costs.pricing import early_deletion_cost
from ops.buckets.bring_back import FileHistory, versions_of
from ops.errors import OpsError

MOST_A_REQUEST = 1_000
"""S3 deletes so many versions in one request."""


# ---------------------------------------------------------------- bringing back


@dataclasses.dataclass(frozen=True)
class StandsOver:
    """A version of ``key`` that was stored over the file ``name`` of a chain."""

    name: str
    key: str
    version_id: str


@dataclasses.dataclass(frozen=True)
class BroughtBack:
    """How many ``files`` were changed by this call, and what stands over others."""

    files: int
    stand_over: tuple[StandsOver, ...]


def bring_back_let_go(
    s3: Any, location: Location, set_ids: Iterable[SetId], begun_at: datetime
) -> BroughtBack:
    """Removes the markers over what was let go, and its tag, so that the bucket's rule passes it over. Other markers
    and tags stay as they are; repeatable after a crash at any request.

    What S3 stored after ``begun_at``, when the sets were hidden, is no part of them, whether or not it is marked too.
    """
    found = [file for file in versions_of(s3, location, set_ids) if file.versions]
    others = _no_part_of_their_set(s3, location.bucket, found)
    files = {file.key: file for file in found if file.name not in others}
    done = side_by_side(lambda key: _bring_back(s3, location.bucket, files[key], begun_at), list(files))
    stand_over = tuple(
        StandsOver(file.name, file.key, file.versions[0]["VersionId"])
        for file, what in zip(files.values(), done, strict=True)
        if what is None
    )
    return BroughtBack(sum(what is True for what in done), stand_over)


def _no_part_of_their_set(s3: Any, bucket: str, files: Iterable[FileHistory]) -> set[str]:
    """Names that were marked deleted before their set was sealed, or came after it beyond its end."""
    by_set: dict[SetId, list[tuple[FileHistory, BackupFile]]] = {}
    for one in files:
        file = parse_file_name(one.name)
        assert file is not None  # as versions_of has only these
        by_set.setdefault(file.set_id, []).append((one, file))
    found: set[str] = set()
    for members in by_set.values():
        manifest = next((one.versions[0] for one, file in members if file.kind is FileKind.MANIFEST), None)
        if manifest is not None:
            promised = _promised(s3, bucket, manifest)
            found |= {
                one.name
                for one, file in members
                if one.is_marked
                and (
                    max(marker["LastModified"] for marker in one.markers) <= manifest["LastModified"]
                    or (promised is not None and (file.volume or 0) > promised)
                )
            }
    return found


def _promised(s3: Any, bucket: str, manifest: dict[str, Any]) -> int | None:
    """How many volumes the set has; ``None`` where its manifest does not say."""
    answer = s3.head_object(Bucket=bucket, Key=manifest["Key"], VersionId=manifest["VersionId"])
    text = answer["Metadata"].get(VOLUMES_METADATA, "")
    return int(text) if text.isascii() and text.isdigit() else None


def _bring_back(s3: Any, bucket: str, file: FileHistory, begun_at: datetime) -> bool | None:
    """Whether it had to be; ``None`` where another version stands over those that were let go."""
    if file.versions[0]["LastModified"] > begun_at:
        return None
    for marker in file.markers_on_top if file.is_marked else ():
        s3.delete_object(Bucket=bucket, Key=file.key, VersionId=marker["VersionId"])
    tags = [_tags(s3, bucket, version) for version in file.versions]
    tagged = [LET_GO_TAG_KEY in one for one in tags]
    if any(tagged) and not tagged[0]:
        return None
    # The newest last: by its tag a call after a crash knows where this one stopped.
    for version, of_version in reversed(list(zip(file.versions, tags, strict=True))):
        if LET_GO_TAG_KEY in of_version:
            _untag(s3, bucket, version, of_version)
    return file.is_marked or any(tagged)


def _untag(s3: Any, bucket: str, version: dict[str, Any], tags: dict[str, str]) -> None:
    """Writing tags replaces all of them."""
    which = {"Bucket": bucket, "Key": version["Key"], "VersionId": version["VersionId"]}
    kept = [{"Key": name, "Value": value} for name, value in tags.items() if name != LET_GO_TAG_KEY]
    if kept:
        s3.put_object_tagging(**which, Tagging={"TagSet": kept})
    else:
        s3.delete_object_tagging(**which)


def _tags(s3: Any, bucket: str, version: dict[str, Any]) -> dict[str, str]:
    answer = s3.get_object_tagging(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}


# ---------------------------------------------------------------- removing for good


@dataclasses.dataclass(frozen=True)
class StoredInClass:
    """What is stored of a drop in one class, every version counted. ``fee``: USD for leaving before the minimum stay,
    ``None`` where the price is not known."""

    storage_class: str
    versions: Tally
    fee: Decimal | None


@dataclasses.dataclass(frozen=True)
class DropSurvey:
    """``locked`` versions cannot be deleted before their time, the last one at ``locked_until``."""

    classes: tuple[StoredInClass, ...]
    locked: Tally
    locked_until: datetime | None

    @property
    def versions(self) -> Tally:
        return sum((one.versions for one in self.classes), Tally())

    @property
    def fee(self) -> Decimal | None:
        return sum_of_fees(one.fee for one in self.classes)


def sum_of_fees(fees: Iterable[Decimal | None]) -> Decimal | None:
    """``None`` where one of them is not known."""
    total = Decimal(0)
    for fee in fees:
        if fee is None:
            return None
        total += fee
    return total


def survey(
    s3: Any,
    location: Location,
    set_ids: Sequence[SetId],
    table: PriceTable | None,
    after_days: int,
    now: datetime,
) -> DropSurvey:
    """What deleting the sets' files comes to; nothing is changed."""
    return survey_files(s3, location.bucket, versions_of(s3, location, set_ids), table, after_days, now)


def survey_files(
    s3: Any,
    bucket: str,
    files: Sequence[FileHistory],
    table: PriceTable | None,
    after_days: int,
    now: datetime,
) -> DropSurvey:
    """Volumes have been in their class since ``after_days`` after the upload."""
    versions = [one for file in files for one in file.versions]
    by_class: dict[str, list[dict[str, Any]]] = {}
    for one in versions:
        by_class.setdefault(one.get("StorageClass", "STANDARD"), []).append(one)
    locks = _locks(s3, bucket, versions)
    held = [(one, until) for one, until in zip(versions, locks, strict=True) if until and until > now]
    return DropSurvey(
        tuple(
            StoredInClass(name, _tally(some), _fee(table, name, some, after_days, now))
            for name, some in sorted(by_class.items())
        ),
        _tally([one for one, _ in held]),
        max((until for _, until in held), default=None),
    )


def _tally(versions: Sequence[dict[str, Any]]) -> Tally:
    return Tally(len(versions), sum(one["Size"] for one in versions))


def _fee(
    table: PriceTable | None,
    storage_class: str,
    versions: Sequence[dict[str, Any]],
    after_days: int,
    now: datetime,
) -> Decimal | None:
    if table is None:
        return None
    try:
        return sum(
            (
                early_deletion_cost(
                    table,
                    storage_class,
                    Tally(1, one["Size"]),
                    max(0, (now - one["LastModified"]).days - after_days),
                )
                for one in versions
            ),
            Decimal(0),
        )
    except PriceUnknown:
        return None


def _locks(s3: Any, bucket: str, versions: Sequence[dict[str, Any]]) -> list[datetime | None]:
    """Until when each is locked. A bucket without Object Lock is asked once."""
    try:
        s3.get_object_lock_configuration(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ObjectLockConfigurationNotFoundError":
            raise
        return [None] * len(versions)
    return side_by_side(lambda version: _locked_until(s3, bucket, version), list(versions))


def _locked_until(s3: Any, bucket: str, version: dict[str, Any]) -> datetime | None:
    try:
        answer = s3.get_object_retention(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    except ClientError as error:
        if error.response["Error"]["Code"] in (
            "NoSuchObjectLockConfiguration",
            "InvalidRequest",
            "NoSuchKey",
        ):
            return None
        raise
    until: datetime = answer["Retention"]["RetainUntilDate"]
    return until


@dataclasses.dataclass(frozen=True)
class Removed:
    """Versions that were deleted, and the ``held`` ones, which Object Lock keeps until ``held_until`` and which lie
    under a marker."""

    gone: Tally
    held: Tally
    held_until: datetime | None


def remove_for_good(s3: Any, location: Location, set_ids: Iterable[SetId]) -> Removed:
    """Deletes every version of the sets' files. Raises ``OpsError`` where S3 refuses for another reason than a lock."""
    return remove_files(s3, location.bucket, versions_of(s3, location, set_ids))


def remove_files(s3: Any, bucket: str, files: Sequence[FileHistory]) -> Removed:
    """Deletes every version and marker of these, but what a lock holds. Raises ``OpsError`` as above."""
    by_key = {file.key: file for file in files}
    versions = [one for file in files for one in file.versions]
    refused = _delete(s3, bucket, versions)
    held = [(one, _lock_of_refused(s3, bucket, one, why)) for one, why in refused]
    held_keys = {str(one["Key"]) for one, _ in held}
    for key in sorted(held_keys):
        if not by_key[key].is_marked:
            s3.delete_object(Bucket=bucket, Key=key)
    markers = [one for file in files if file.key not in held_keys for one in file.markers]
    left = _delete(s3, bucket, markers)
    if left:
        raise OpsError(f"S3 did not delete the marker of {left[0][0]['Key']}: {left[0][1]} Type it again.")
    still = _tally([one for one, _ in held])
    return Removed(_tally(versions) - still, still, max((until for _, until in held), default=None))


def _delete(s3: Any, bucket: str, versions: Sequence[dict[str, Any]]) -> list[tuple[dict[str, Any], str]]:
    """Those that S3 refused, each with what it said."""
    refused = []
    for start in range(0, len(versions), MOST_A_REQUEST):
        some = versions[start : start + MOST_A_REQUEST]
        by_id = {(one["Key"], one["VersionId"]): one for one in some}
        wanted = [{"Key": key, "VersionId": version} for key, version in by_id]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": wanted, "Quiet": True})
        for error in answer.get("Errors", []):
            reason = f"{error.get('Code')}: {error.get('Message')}"
            refused.append((by_id[error["Key"], error["VersionId"]], reason))
    return refused


def _lock_of_refused(s3: Any, bucket: str, version: dict[str, Any], reason: str) -> datetime:
    until = _locked_until(s3, bucket, version)
    if until is None:
        if _is_on_legal_hold(s3, bucket, version):
            which = (
                f"--bucket {bucket} --key {shlex.quote(version['Key'])} --version-id {version['VersionId']}"
            )
            raise OpsError(
                f"A legal hold keeps {version['Key']}: nothing but ending it lets it go. `aws s3api"
                f" put-object-legal-hold {which} --legal-hold Status=OFF` does; then the same command goes on."
            )
        raise OpsError(
            f"S3 did not delete {version['Key']} ({reason}). With credentials that may s3:DeleteObjectVersion the same"
            " command goes on."
        )
    return until


def _is_on_legal_hold(s3: Any, bucket: str, version: dict[str, Any]) -> bool:
    """A lock without a day, which the service never sets."""
    which = {"Bucket": bucket, "Key": version["Key"], "VersionId": version["VersionId"]}
    try:
        return bool(s3.get_object_legal_hold(**which)["LegalHold"]["Status"] == "ON")
    except ClientError:
        return False
