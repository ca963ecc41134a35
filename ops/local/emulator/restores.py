"""What happens to restored objects without a request: they are done, they lapse, rules move them; events tell."""

from __future__ import annotations

import functools
import time
from typing import Any

from ministack.services import s3

from ops.local.emulator.records import record_of, records_below, versions_of
from ops.local.emulator.timers import Timers


class Restores:
    """Takes the place of MiniStack's timers and of the sending of its events."""

    def __init__(self) -> None:
        self.loses_events = False
        self._timers = Timers()
        self._send_event = s3._fire_s3_event

    def finish(self, prefix: str) -> int:
        """Has the restores below ``prefix`` done now, from when their days count; how many there were."""
        now, count = time.time(), 0
        for bucket, key, record in records_below(prefix):
            restore = record.get("restore")
            if restore and restore["available_at"] > now:
                restore["available_at"] = now
                restore["expires_at"] = s3._restore_expiry_epoch(now, restore["days"])
                self.schedule_expiry(bucket, key, restore["expires_at"])
                self.schedule_completion(bucket, key, restore["requested_at"])
                count += 1
        return count

    def expire(self, prefix: str, in_seconds: float) -> int:
        """Has the copies below ``prefix`` lapse that much later; how many there were."""
        now, count = time.time(), 0
        for bucket, key, record in records_below(prefix):
            restore = record.get("restore")
            if restore and restore["available_at"] <= now:
                restore["expires_at"] = now + in_seconds
                if in_seconds > 0:
                    self.schedule_expiry(bucket, key, restore["expires_at"])
                else:
                    self._lapse(bucket, key, restore["expires_at"])
                count += 1
        return count

    def move(self, prefix: str, storage_class: str) -> int:
        """Moves volumes as a lifecycle rule does: the version, its time and its ETag stay as they are."""
        count = 0
        for bucket, key, record in records_below(prefix):
            if ".difftar" not in key or record.get("storage_class") == storage_class:
                continue
            record["storage_class"] = storage_class
            record.pop("restore", None)
            for version in versions_of(bucket, key):
                if version["version_id"] == record.get("version_id"):
                    version["storage_class"] = storage_class
            moved = "s3:LifecycleTransition"
            event = functools.partial(self.fire_event, bucket, key, moved, record["size"], record["etag"])
            self._timers.at(time.time(), event)
            count += 1
        return count

    def fire_event(self, bucket: str, key: str, name: str, *arguments: Any, **named: Any) -> None:
        if not (self.loses_events and name.startswith("s3:ObjectRestore:")):
            self._send_event(bucket, key, name, *arguments, **named)

    def schedule_completion(self, bucket: str, key: str, requested_at: float) -> None:
        restore = (record_of(bucket, key) or {}).get("restore")
        if restore:
            complete = functools.partial(self._complete, bucket, key, requested_at)
            self._timers.at(restore["available_at"], complete)

    def schedule_expiry(self, bucket: str, key: str, expires_at: float) -> None:
        self._timers.at(expires_at, functools.partial(self._lapse, bucket, key, expires_at))

    def _complete(self, bucket: str, key: str, requested_at: float) -> None:
        record = record_of(bucket, key) or {}
        restore = record.get("restore")
        if not restore or restore["requested_at"] != requested_at or restore["completed_fired"]:
            return
        restore["completed_fired"] = True
        data = {
            "lifecycleRestorationExpiryTime": s3._restore_expiry_iso(restore["expires_at"]),
            "lifecycleRestoreStorageClass": record["storage_class"],
        }
        name, about = "s3:ObjectRestore:Completed", {"size": record["size"], "etag": record["etag"]}
        self.fire_event(bucket, key, name, **about, restore_event_data=data)

    def _lapse(self, bucket: str, key: str, expires_at: float) -> None:
        """Unless it was asked for anew meanwhile, with another expiry."""
        record = record_of(bucket, key) or {}
        if record.get("restore", {}).get("expires_at") == expires_at:
            s3._sync_restore(bucket, key, record)
