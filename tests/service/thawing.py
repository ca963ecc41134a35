"""A laptop with archived backups, S3 in memory behind the service, and the function that asks S3 run by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.hostile.memory_aws import MemoryS3
from tests.service.conftest import BUCKET, Answer, Service

FULL = "full.20261120T195500Z"
INC = "inc.20261120T195500Z.to.20261121T195500Z"
MB = 2**20
VOLUME_BYTES = 25 * MB


class Large(bytes):
    """Bytes of any length that take no room."""

    size = VOLUME_BYTES

    def __len__(self) -> int:
        return self.size


def large(size: int) -> Large:
    body = Large(b"volume")
    body.size = size
    return body


def volume(number: int, set_name: str = FULL) -> str:
    return f"data_duplicity-{set_name}.vol{number}.difftar.gpg"


@dataclass
class ThawingLaptop:
    """``place`` is where its files are: ``<machine>/<job>/``."""

    service: Service
    machine: str = "anna-laptop"
    job: str = "system"
    token: str = ""

    def __post_init__(self) -> None:
        self.token = self.token or self.service.enrolled(self.machine)

    @property
    def s3(self) -> MemoryS3:
        s3: MemoryS3 = self.service.s3
        return s3

    @property
    def place(self) -> str:
        return f"{self.machine}/{self.job}/"

    def store(
        self,
        *numbers: int,
        storage_class: str = "DEEP_ARCHIVE",
        set_name: str = FULL,
        size: int = VOLUME_BYTES,
    ) -> None:
        for number in numbers:
            key = self.place + volume(number, set_name)
            self.s3.put_object(Key=key, Body=large(size), StorageClass=storage_class)

    def call(self, method: str, path: str, body: object = None) -> Answer:
        return self.service.call(method, f"/jobs/{self.job}/thaws{path}", body, self.token)

    def plan(self, numbers: str = "1-3", set_name: str = FULL, **fields: object) -> Answer:
        wanted = {"volumes": [{"set": set_name, "numbers": numbers}], **fields}
        return self.call("POST", "", wanted)

    def start(self, thaw: str, tier: str = "Bulk", max_usd: float = 1000.0) -> Answer:
        return self.call("POST", f"/{thaw}/start", {"tier": tier, "max_usd": max_usd})

    def begin(self, numbers: str = "1-3", tier: str = "Bulk", **fields: Any) -> str:
        """Plans and starts; the id."""
        thaw = str(self.plan(numbers, **fields).body["thaw"])
        answer = self.start(thaw, tier)
        assert answer.status == 200, answer
        return thaw

    def status(self, thaw: str) -> dict[str, Any]:
        answer = self.call("GET", f"/{thaw}")
        assert answer.status == 200, answer
        body: dict[str, Any] = answer.body
        return body

    def download(self, *numbers: int, set_name: str = FULL) -> list[dict[str, Any]]:
        body = {"names": [volume(number, set_name) for number in numbers]}
        answer = self.service.call("POST", f"/jobs/{self.job}/downloads", body, self.token)
        assert answer.status == 200, answer
        files: list[dict[str, Any]] = answer.body["files"]
        return files

    def run_function(self) -> int:
        """Runs the function for each time that it was asked; how often."""
        import app

        asked = list(self.service.thaws_asked)
        self.service.thaws_asked.clear()
        for machine, job, thaw in asked:
            app.thaw({"machine": machine, "job": job, "thaw": thaw}, None)
        return len(asked)

    def tick(self, **later: float) -> int:
        """The minute's tick some time later, and what it asks for; how many thaws were due."""
        from chalicelib import web, wiring
        from chalicelib.journeys.thaws.ask_due_thaws import ask_due_thaws

        self.service.now += timedelta(**later)
        ask_due_thaws(wiring.thaw_store(), wiring.thaw_function(), web.now())
        return self.run_function()

    def asked(self) -> list[str]:
        """Numbers and tiers that S3 was asked for."""
        return [f"{key.rpartition('.vol')[2].partition('.')[0]} {tier}" for key, tier, _ in self.s3.asked]

    def notices(self) -> list[str]:
        from chalicelib import wiring

        found = wiring.notice_store().since(self.service.now - timedelta(days=90))
        return [notice.code for notice in reversed(found)]


def restore_events(kind: str, keys: list[str], *, name: str = "ObjectRestore:{}") -> dict[str, Any]:
    """A batch of the queue: what S3 sends, a message a key."""
    records = [
        {
            "messageId": f"m{index}",
            "receiptHandle": "r",
            "body": json.dumps(
                {
                    "Records": [
                        {
                            "eventVersion": "2.1",
                            "eventName": name.format(kind),
                            "eventTime": "2026-11-22T20:00:00.000Z",
                            "s3": {"bucket": {"name": BUCKET}, "object": {"key": key, "size": 7}},
                        }
                    ]
                }
            ),
        }
        for index, key in enumerate(keys)
    ]
    return {"Records": records}


def send(kind: str, keys: list[str]) -> None:
    import app

    for first in range(0, len(keys), 25):
        answer = app.catalogue(restore_events(kind, keys[first : first + 25]), None)
        assert answer == {"batchItemFailures": []}
