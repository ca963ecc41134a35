"""The upload path on the deployed service with IAM enforced: URLs signed by the function's own role, real events."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.hostile.conftest import Deployed
from tests.hostile.honest_laptop import name_of
from tests.hostile.presigned_s3 import digest_of
from tests.hostile.test_gateway import enrol

SET = "full.20261101T120000Z"
PREFIX = "hands-laptop/system/"


@dataclass
class Hands:
    """Somebody with a token who writes his requests himself."""

    deployed: Deployed
    authorization: str
    run: str = ""
    members: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, part: int | str, content: bytes, **fields: Any) -> dict[str, Any]:
        file = {"name": name_of(SET, part), **digest_of(content), **fields}
        body = {"run": self.run, "files": [file]}
        answer = self.deployed.call("POST", "/jobs/system/uploads", self.authorization, body)
        assert answer.status_code == 200, answer.text
        [permit] = answer.json()["files"]
        return dict(permit)

    def put(self, permit: dict[str, Any], content: bytes) -> int:
        return httpx.put(permit["url"], headers=permit["headers"], content=content).status_code

    def store(self, part: int | str, content: bytes) -> None:
        assert self.put(self.ask(part, content), content) == 200
        etag = hashlib.md5(content).hexdigest()
        self.members.append({"name": name_of(SET, part), "size": len(content), "etag": etag})

    def listed(self) -> list[str]:
        files = self.deployed.call("GET", "/jobs/system/files", self.authorization).json()["files"]
        return [file["name"] for file in files]

    def stored(self) -> set[str]:
        return {key.removeprefix(PREFIX) for key in self.deployed.laptops.keys(PREFIX)}


@pytest.fixture(scope="module")
def hands(deployed: Deployed) -> Hands:
    hands = Hands(deployed, enrol(deployed, "hands-laptop"))
    server_time = deployed.call("GET", "/machine", hands.authorization).json()["server_time"]
    body = {"kind": "full", "clock": server_time}
    hands.run = deployed.call("POST", "/jobs/system/runs", hands.authorization, body).json()["run"]
    return hands


def test_from_the_first_permit_to_the_seal_and_beyond(hands: Hands) -> None:
    late = hands.ask(3, b"volume 3")
    first = hands.ask(1, b"volume 1")
    assert hands.put(first, b"VOLUME 1") == 400
    hands.store(1, b"volume 1")
    assert hands.put(first, b"volume 1") == 412
    assert hands.ask(1, b"volume 1")["present"] is True
    hands.store(2, b"of a run that was killed")
    hands.store(2, b"volume 2")
    del hands.members[1]
    hands.store("signatures", b"signatures")
    assert hands.ask("manifest", b"manifest", set=hands.members[:2])["error"] == "set_list_missing"
    assert hands.put(hands.ask("manifest", b"manifest", set=hands.members), b"manifest") == 200
    assert hands.ask(4, b"volume 4")["error"] == "set_sealed"
    sealed = {name_of(SET, part) for part in (1, 2, "signatures", "manifest")}

    assert hands.put(late, b"volume 3") == 200, "S3 cannot know of the seal"
    assert set(hands.listed()) == sealed, "but it is hidden at once"
    deadline = time.monotonic() + 30
    while name_of(SET, 3) in hands.stored() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert hands.stored() == sealed, "and marked deleted when its event is handled"

    body = {"run": hands.run, "names": sorted(sealed)}
    answer = hands.deployed.call("POST", "/jobs/system/discards", hands.authorization, body).json()
    assert answer["discarded"] == []
    assert hands.stored() == sealed
    laptops = hands.deployed.laptops
    laptops.wait(
        lambda: laptops.sets("hands-laptop"),
        lambda sets: (
            [(one["complete"], one["volumes"], one["volumes_expected"]) for one in sets] == [(True, 2, 2)]
        ),
    )


def test_the_owner_is_told_of_both(hands: Hands) -> None:
    text = hands.deployed.admin.call("report_preview")["text"]
    assert "were added to the finished set" in text
    assert "asked to delete 4 file(s) of finished backups" in text
