"""A machine with chains of backups, years of time, and the function that lets chains go run by hand."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain.backups.machines import Job, ReconcileProgress
from chalicelib.domain.backups.names import SetId, format_time
from chalicelib.domain.backups.storage import DEFAULT_STORAGE_POLICY, STORAGE_TAG_KEY
from chalicelib.domain.retention.facts import RetentionFacts
from chalicelib.domain.retention.let_go import LetGo
from chalicelib.domain.retention.rules import counted_chains
from chalicelib.owner_wire import RetentionRan
from tests.hostile.honest_laptop import name_of
from tests.service.conftest import BUCKET, Service

TAG = {"panicroom-let-go": "yes"}
STORAGE_TAG = {STORAGE_TAG_KEY: DEFAULT_STORAGE_POLICY.tag_value}


CONTENT = b"content"


def _wanted(name: str) -> dict[str, Any]:
    return {"name": name, "size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}


def _tagging(permit: dict[str, Any]) -> dict[str, str]:
    tagging = permit["headers"].get("x-amz-tagging")
    return {"Tagging": tagging} if tagging else {}


def full_set(at: datetime) -> str:
    return f"full.{format_time(at)}"


def next_set(before: str, at: datetime) -> str:
    return f"inc.{before.rpartition('.')[2]}.to.{format_time(at)}"


@dataclass
class Archive:
    """What is stored of one job, as S3 and the service have it. ``prefix`` is where."""

    service: Service
    machine: str = "anna-laptop"
    job_name: str = "system"
    token: str = ""
    bucket: str = BUCKET
    told: dict[str, Any] = field(default_factory=dict)
    sequence: Any = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.token = self.token or self.service.enrolled(self.machine)

    @property
    def prefix(self) -> str:
        return f"{self.machine}/{self.job_name}/"

    @property
    def job(self) -> Job:
        from chalicelib import wiring

        names = self.machine, self.job_name
        return wiring.machine_store().jobs_named([names])[names]

    # ------------------------------------------------------------ what the laptop stores

    def store(
        self, set_name: str, *, volumes: int = 2, size: int = 100, part: int | str | None = None
    ) -> None:
        """All files of a set, the manifest last, or one of them; at the clock's time."""
        parts = [part] if part is not None else [*range(1, volumes + 1), "signatures", "manifest"]
        for one in parts:
            extra: dict[str, Any] = {"Metadata": {"volumes": str(volumes)}} if one == "manifest" else {}
            if isinstance(one, int):
                extra["Tagging"] = f"{STORAGE_TAG_KEY}={DEFAULT_STORAGE_POLICY.tag_value}"
            key = self.prefix + name_of(set_name, one)
            self.service.s3.put_object(Bucket=self.bucket, Key=key, Body=b"x" * size, **extra)

    def backup(self, before: str | None = None, **options: Any) -> str:
        """A full set, or one that continues ``before``; its name. The service hears of it."""
        at = self.service.now - timedelta(minutes=1)
        name = full_set(at) if before is None else next_set(before, at)
        self.store(name, **options)
        self.deliver()
        return name

    def versions(self) -> dict[str, list[tuple[str, bool]]]:
        """By key: id, and whether it is a delete marker, the newest first."""
        found: dict[str, list[tuple[str, bool, bool]]] = {}
        for page in self.service.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket):
            for kind in ("Versions", "DeleteMarkers"):
                for one in page.get(kind, []):
                    row = (one["VersionId"], kind == "DeleteMarkers", one["IsLatest"])
                    found.setdefault(one["Key"], []).append(row)
        return {
            key: [
                (version, is_marker) for version, is_marker, _ in sorted(of_key, key=lambda one: not one[2])
            ]
            for key, of_key in found.items()
        }

    def deliver(self) -> None:
        """S3's events of all that has changed since the last time, as batches of the queue."""
        present = self.versions()
        changed = sorted(
            key for key in present.keys() | self.told.keys() if present.get(key) != self.told.get(key)
        )
        self.told = present
        for first in range(0, len(changed), 50):
            sequencer = f"{next(self.sequence):08X}"
            answer = self.service.catalogue(*changed[first : first + 50], sequencer=sequencer)
            assert answer == {"batchItemFailures": []}

    def upload(self, before: str) -> str:
        """An increment through the API, as the laptop does it: a run, a permission a file, and its end."""
        at = self.service.now - timedelta(minutes=1)
        name = next_set(before, at)
        run = self.service.run(self.token, kind="incremental").body["run"]
        members = []
        for part in (1, "signatures"):
            file = name_of(name, part)
            [permit] = self.service.permit(self.token, run, _wanted(file))
            assert "url" in permit, permit
            etag = self.service.put(self.prefix + file, CONTENT, **_tagging(permit))
            members.append({"name": file, "size": len(CONTENT), "etag": etag})
        [permit] = self.service.permit(
            self.token, run, {**_wanted(name_of(name, "manifest")), "set": members}
        )
        assert "url" in permit, permit
        self.store(name, volumes=1, part="manifest")
        ended = {"exit_code": 0, "volumes": 1}
        path = f"/jobs/{self.job_name}/runs/{run}"
        assert self.service.call("PATCH", path, ended, self.token).status == 200
        self.deliver()
        return name

    # ------------------------------------------------------------ what the owner does, and what time brings

    def look(self, **chosen: Any) -> None:
        """The owner sees all chains that there are now."""
        from chalicelib import wiring

        store, job = wiring.retention_store(), self.job
        (job_sets,) = wiring.catalogue_store().sets_of_each([job])
        seen = frozenset(chain.id for chain in counted_chains(RetentionFacts(job_sets.visible)))
        choices = dataclasses.replace(store.choices(job), looked_at=self.service.now, seen=seen, **chosen)
        assert store.choose(job, choices)

    def choose(self, **chosen: Any) -> None:
        from chalicelib import wiring

        store, job = wiring.retention_store(), self.job
        assert store.choose(job, dataclasses.replace(store.choices(job), **chosen))

    def announce(self, *chains: str, mails: int = 2) -> None:
        from chalicelib import wiring

        named = [(self.job, SetId.parse(chain)) for chain in chains]
        for week in range(mails):
            issue = self.service.now - timedelta(weeks=week)
            wiring.retention_store().announce(issue, named, self.service.now)

    def compare(self) -> None:
        """The weekly comparison found nothing."""
        from chalicelib import wiring

        wiring.run_store().record_reconcile(
            self.job, ReconcileProgress(self.service.now, done_at=self.service.now)
        )

    def wait(self, **by: float) -> None:
        self.service.now += timedelta(**by)

    def two_chains(self) -> tuple[str, str]:
        """An old chain of three sets and one that stands in for it: the old one goes at the next run."""
        old = self.backup()
        first = self.backup_later(old, days=1)
        self.backup_later(first, days=1)
        self.wait(days=1)
        new = self.backup()
        self.wait(days=185)
        self.look()
        self.announce(old)
        self.backup_later(new, hours=1)
        self.compare()
        self.wait(hours=2)
        return old, new

    def backup_later(self, before: str, **by: float) -> str:
        self.wait(**by)
        return self.backup(before)

    # ------------------------------------------------------------ the function, and what came of it

    def let_go(self) -> RetentionRan:
        """One run of the function over all jobs."""
        from chalicelib import wiring
        from chalicelib.journeys.retention.let_chains_go import let_chains_go

        context = wiring.retention_context(self.service.now, lambda: True)
        ran, failed = let_chains_go(context, None)
        assert failed == []
        return ran

    def rows(self) -> list[LetGo]:
        from chalicelib import wiring

        return wiring.retention_store().let_gos(self.job)

    def marked(self) -> set[str]:
        """Names of files that a delete marker hides."""
        return {key.removeprefix(self.prefix) for key, of_key in self.versions().items() if of_key[0][1]}

    def files_of(self, *sets: str, volumes: int = 2) -> set[str]:
        parts: list[int | str] = [*range(1, volumes + 1), "signatures", "manifest"]
        return {name_of(one, part) for one in sets for part in parts}

    def tags(self, name: str, version: str) -> dict[str, str]:
        answer = self.service.s3.get_object_tagging(
            Bucket=self.bucket, Key=self.prefix + name, VersionId=version
        )
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    def listed(self) -> set[str]:
        """The names that the laptop is shown."""
        answer = self.service.call("GET", f"/jobs/{self.job_name}/files", token=self.token)
        assert answer.status == 200, answer
        return {file["name"] for file in answer.body["files"]}

    def findings(self) -> list[str]:
        from chalicelib import wiring

        return sorted(finding.code for finding in wiring.finding_store().findings())
