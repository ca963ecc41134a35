"""S3's archive: which volumes can be read, and asking for readable copies of those that cannot."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.adapters.s3_buckets import side_by_side
from chalicelib.adapters.s3_listing import restore_state
from chalicelib.domain.backups.names import Location
from chalicelib.domain.restore.asking import AskOutcome
from chalicelib.domain.restore.volumes import ListedVolume
from chalicelib.wire import ThawTier

_OUTCOMES = {
    "RestoreAlreadyInProgress": AskOutcome.IN_PROGRESS,
    "GlacierExpeditedRetrievalNotAvailable": AskOutcome.EXPEDITED_UNAVAILABLE,
    "NoSuchKey": AskOutcome.MISSING,
    "MethodNotAllowed": AskOutcome.MISSING,  # the newest version is a delete marker
    "AccessDenied": AskOutcome.REFUSED,
    "InvalidObjectState": AskOutcome.NOT_ARCHIVED,
    "ObjectNotInActiveTierError": AskOutcome.NOT_ARCHIVED,
    **dict.fromkeys(
        ("SlowDown", "Throttling", "ThrottlingException", "ServiceUnavailable", "InternalError"),
        AskOutcome.BUSY,
    ),
}


@dataclasses.dataclass(frozen=True)
class VolumeListing:
    """What is below some prefixes, and how many requests that took."""

    volumes: list[ListedVolume]
    pages: int


class Archive:
    def __init__(self, client: Any) -> None:
        self._client = client

    def list_volumes(self, location: Location, prefixes: Sequence[str]) -> VolumeListing:
        """The files below each of the prefixes with the state of their restore, side by side."""
        parts = side_by_side(lambda prefix: self._list(location, prefix), prefixes)
        volumes = [volume for part in parts for volume in part.volumes]
        return VolumeListing(volumes, sum(part.pages for part in parts))

    def _list(self, location: Location, prefix: str) -> VolumeListing:
        arguments: dict[str, Any] = {
            "Bucket": location.bucket,
            "Prefix": location.key(prefix),
            "OptionalObjectAttributes": ["RestoreStatus"],
        }
        volumes, pages, more = list[ListedVolume](), 0, True
        while more:
            answer = self._client.list_objects_v2(**arguments)
            found = answer.get("Contents", [])
            volumes += [
                ListedVolume(
                    item["Key"].removeprefix(location.prefix),
                    item["Size"],
                    item.get("StorageClass", "STANDARD"),
                    restore_state(item.get("RestoreStatus")),
                )
                for item in found
            ]
            pages, more = pages + 1, answer["IsTruncated"]
            if more:
                arguments["StartAfter"] = found[-1]["Key"]
        return VolumeListing(volumes, pages)

    def ask(
        self, location: Location, names: Sequence[str], tier: ThawTier, days: int
    ) -> dict[str, AskOutcome]:
        """Asks for a copy of each, readable for so many days; where there is one, it is kept so long from now on."""
        outcomes = side_by_side(lambda name: self._ask(location, name, tier, days), names)
        return dict(zip(names, outcomes, strict=True))

    def _ask(self, location: Location, name: str, tier: ThawTier, days: int) -> AskOutcome:
        try:
            self._client.restore_object(
                Bucket=location.bucket,
                Key=location.key(name),
                RestoreRequest={"Days": days, "GlacierJobParameters": {"Tier": tier.value}},
            )
        except ClientError as error:
            outcome = _OUTCOMES.get(error.response["Error"]["Code"])
            if outcome is None:
                raise
            return outcome
        return AskOutcome.ASKED
