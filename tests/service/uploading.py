"""A laptop that uploads a set file by file, as the tests of permits, seals and quotas need it."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.service.conftest import Service

FULL = "20261122T195500Z"
PREFIX = "anna-laptop/system/"
VOLUME_1 = f"data_duplicity-full.{FULL}.vol1.difftar.gpg"
VOLUME_2 = f"data_duplicity-full.{FULL}.vol2.difftar.gpg"
SIGNATURES = f"meta_duplicity-full-signatures.{FULL}.sigtar.gpg"
MANIFEST = f"meta_duplicity-full.{FULL}.manifest.gpg"
JSONSTAT = f"meta_duplicity-full.{FULL}.jsonstat.gpg"


def a_file(name: str, content: bytes = b"content", **fields: object) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {"name": name, "size": len(content), "sha256": digest, **fields}


class Laptop:
    """An enrolled machine with a run, that puts what it is permitted to put."""

    def __init__(self, service: Service, machine: str = "anna-laptop") -> None:
        self.service = service
        self.token = service.enrolled(machine)
        self.run = service.run(self.token).body["run"]
        self.prefix = f"{machine}/system/"
        self.members: dict[str, dict[str, Any]] = {}

    def ask(self, name: str, content: bytes = b"content", **fields: object) -> dict[str, Any]:
        return self.service.permit(self.token, self.run, a_file(name, content, **fields))[0]

    def put(self, name: str, content: bytes = b"content") -> None:
        permit = self.ask(name, content)
        assert "url" in permit, permit
        etag = self.service.put(self.prefix + name, content)
        self.members[name] = {"name": name, "size": len(content), "etag": etag}

    def ask_to_seal(self, *, members: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        listed = list(self.members.values()) if members is None else members
        return self.ask(MANIFEST, b"manifest", set=listed)

    def seal(self) -> None:
        permit = self.ask_to_seal()
        assert "url" in permit, permit
        volumes = permit["headers"]["x-amz-meta-volumes"]
        self.service.put(self.prefix + MANIFEST, b"manifest", Metadata={"volumes": volumes})


def download(laptop: Laptop, *names: str) -> list[dict[str, Any]]:
    body = {"names": list(names)}
    answer = laptop.service.call("POST", "/jobs/system/downloads", body, laptop.token)
    assert answer.status == 200
    permits: list[dict[str, Any]] = answer.body["files"]
    return permits
