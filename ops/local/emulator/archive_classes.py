"""S3's archive classes as AWS documents them, put into MiniStack's S3 from outside.

MiniStack has RestoreObject, its events and the refusal of a GET. Here are a listing that says what is restored
(RestoreStatus), upgrades to a faster tier, a request's VersionId, the refusals that it lacks, one thread for all
timers, and a record of the calls.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any, NamedTuple

from ministack.services import s3

from ops.local.emulator.listing import with_restore_status
from ops.local.emulator.records import (
    Record,
    Response,
    is_out_of_reach,
    is_under_way,
    record_of,
    versions_of,
)
from ops.local.emulator.restore_requests import Answer, WantedRestore, is_upgrade, read_request, refusal
from ops.local.emulator.restores import Restores


class Request(NamedTuple):
    """A request to S3, the arguments of MiniStack's dispatcher in their order."""

    method: str
    bucket: str
    key: str
    headers: dict[str, str]
    body: bytes
    query: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Call:
    """A RestoreObject that arrived, and the status that it was answered with."""

    bucket: str
    key: str
    tier: str
    days: int | None
    status: int


@dataclasses.dataclass
class Fault:
    """What the next ``times`` calls are answered with: of one tier, or below one prefix, if so set."""

    code: str
    status: int
    times: int = 1
    tier: str | None = None
    prefix: str = ""

    def takes(self, key: str, tier: str) -> bool:
        if self.times < 1 or self.tier not in (None, tier) or not key.startswith(self.prefix):
            return False
        self.times -= 1
        return True


class ArchiveClasses:
    """MiniStack's S3 once ``install`` was called; one a process."""

    def __init__(self, delay_seconds: float) -> None:
        self.delay_seconds = delay_seconds
        self.calls: list[Call] = []
        self.fault: Fault | None = None
        self.restores = Restores()
        self._dispatch = s3._dispatch

    def install(self) -> None:
        """Raises ``AttributeError`` for a MiniStack that is made in another way."""
        replacements = {
            "_dispatch": lambda *arguments: self._answer(Request(*arguments)),
            "_fire_s3_event": self.restores.fire_event,
            "_schedule_restore_completed": self.restores.schedule_completion,
            "_schedule_restore_expiry": self.restores.schedule_expiry,
        }
        for name, replacement in replacements.items():
            getattr(s3, name)
            setattr(s3, name, replacement)

    def _answer(self, request: Request) -> Response:
        method, bucket, key, headers, _, query = request
        if method == "POST" and key and "restore" in query:
            wanted = read_request(request.body)
            answer = self._restore(request, wanted)
            self.calls.append(Call(bucket, key, wanted.tier, wanted.days, answer[0]))
            return answer
        source = headers.get("x-amz-copy-source") if method == "PUT" and key else None
        if source and is_out_of_reach(source):
            message = "The source object of the COPY operation is not in the active tier"
            return _error(request, Answer(403, "ObjectNotInActiveTierError", message))
        answer = self._dispatch(*request)
        optional = headers.get("x-amz-optional-object-attributes", "")
        is_listing = method == "GET" and not key and "list-type" in query
        return with_restore_status(answer, bucket) if is_listing and "RestoreStatus" in optional else answer

    def _restore(self, request: Request, wanted: WantedRestore) -> Response:
        if self.fault and self.fault.takes(request.key, wanted.tier):
            return _error(request, Answer(self.fault.status, self.fault.code, "As it was set up"))
        record = record_of(request.bucket, request.key)
        refused = _refused_version(request, record)
        if record and not refused:
            refused = refusal(wanted, record.get("storage_class") or "STANDARD")
        if refused:
            return _error(request, refused)
        if record and wanted.days is not None and is_under_way(record):
            restore = record["restore"]
            if is_upgrade(wanted, restore["tier"]):
                self._upgrade(request, restore, wanted.tier)
                return 202, {}, b""
        # How long a restore takes is a constant of MiniStack's module.
        s3._RESTORE_DELAY_SECONDS = self.delay_seconds
        answer: Response = self._dispatch(*request)
        return answer

    def _upgrade(self, request: Request, restore: Record, tier: str) -> None:
        """The days stay those of the first request."""
        restore["tier"] = tier
        restore["available_at"] = min(restore["available_at"], time.time() + self.delay_seconds)
        self.restores.schedule_completion(request.bucket, request.key, restore["requested_at"])


def _refused_version(request: Request, record: Record | None) -> Answer | None:
    """MiniStack restores the current version whichever was named."""
    wanted = s3._qp(request.query, "versionId", "")
    if not wanted or (record and wanted == (record.get("version_id") or "null")):
        return None
    for version in versions_of(request.bucket, request.key):
        if version["version_id"] == wanted:
            if version.get("is_delete_marker"):
                return Answer(405, "MethodNotAllowed", "A delete marker has nothing to restore")
            return Answer(501, "NotImplemented", "The local stack restores current versions only")
    return Answer(404, "NoSuchVersion", "The specified version does not exist.")


def _error(request: Request, answer: Answer) -> Response:
    place = f"/{request.bucket}/{request.key}"
    response: Response = s3._error(answer.code, answer.message, answer.status, place)
    return response
