"""A file in parts: the parts are bound as single uploads are, and become a file by the service's word alone.

Tried on two S3 servers, with the smallest parts there may be.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
from panicroom.transfer.journal import Journal
from panicroom.transfer.uploader import Uploader

from chalicelib import wire
from tests.hostile.s3_servers import SERVERS
from tests.hostile.test_tamper_matrix import PREFIX, Request, Site, manifest, send, signatures, volume
from tests.service.conftest import Answer, running_service

PART_BYTES = 5 * 2**20
CHANCE = random.Random(11)


@dataclass
class InParts:
    """A file on its way, as a client has it."""

    site: Site
    name: str
    content: bytes

    @property
    def parts(self) -> list[bytes]:
        return [self.content[start : start + PART_BYTES] for start in range(0, len(self.content), PART_BYTES)]

    def ask(self, **fields: object) -> Answer:
        body = {
            "run": self.site.run,
            "name": self.name,
            "size": len(self.content),
            "part_bytes": PART_BYTES,
            "part_sha256": [hashlib.sha256(part).hexdigest() for part in self.parts],
            **fields,
        }
        return self.site.service.call("POST", "/jobs/system/multiparts", body, self.site.token)

    def begin(self) -> tuple[str, list[Request]]:
        answer = self.ask()
        assert answer.status == 200, answer
        return answer.body["upload"], [
            Request("PUT", permit["url"], permit["headers"], part)
            for permit, part in zip(answer.body["parts"], self.parts, strict=True)
        ]

    def store(self) -> str:
        """The whole way; the file's ETag."""
        upload, requests = self.begin()
        assert [send(request) for request in requests] == [200] * len(requests)
        answer = self.ask(upload=upload, etags=self.etags())
        assert answer.status == 200, answer
        etag: str = answer.body["etag"]
        return etag

    def etags(self) -> list[str]:
        return [hashlib.md5(part).hexdigest() for part in self.parts]


@pytest.fixture(scope="module", params=sorted(SERVERS))
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch, SERVERS[request.param](folder) as endpoint:
        patch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        with running_service(patch) as service:
            site = Site(request.param, service)
            site.token = service.enrolled("anna-laptop")
            site.run = service.run(site.token).body["run"]
            yield site


def a_file(site: Site, second: int, size: int = PART_BYTES + 1) -> InParts:
    return InParts(site, signatures(f"20261122T1955{second:02}Z"), CHANCE.randbytes(size))


def test_it_is_stored_bit_for_bit_and_known_again(site: Site) -> None:
    """And a lost answer is asked for again, without a byte being sent."""
    file = a_file(site, 1, 2 * PART_BYTES + 1000)
    etag = file.store()
    assert site.content(file.name) == file.content
    assert file.ask().body == {"etag": etag, "parts": []}
    listed = site.service.call("GET", "/jobs/system/files", token=site.token).body["files"]
    assert [(one["size"], one["etag"]) for one in listed if one["name"] == file.name] == [
        (len(file.content), etag)
    ]


def test_a_set_with_such_a_file_is_sealed(site: Site) -> None:
    file = a_file(site, 2)
    set_time = "20261122T195502Z"
    members: list[dict[str, Any]] = [
        {"name": file.name, "size": len(file.content), "etag": file.store()},
        site.store(volume(1, set_time)),
    ]
    [seal] = site.ask((manifest(set_time), b"manifest"), members=members)
    assert send(seal) == 200
    late = replace(file, content=CHANCE.randbytes(PART_BYTES + 2)).ask()
    assert (late.status, late.error) == (409, "set_sealed")


def test_an_upload_from_before_the_seal_does_not_become_a_file_after_it(site: Site) -> None:
    """Its parts may still arrive; nobody completes it."""
    file, set_time = a_file(site, 3), "20261122T195503Z"
    other = replace(file, content=CHANCE.randbytes(PART_BYTES + 2))
    upload, requests = other.begin()
    members = [
        {"name": file.name, "size": len(file.content), "etag": file.store()},
        site.store(volume(1, set_time)),
    ]
    [seal] = site.ask((manifest(set_time), b"manifest"), members=members)
    assert send(seal) == 200
    before = site.versions()
    assert [send(request) for request in requests] == [200, 200]
    assert other.ask(upload=upload, etags=other.etags()).error == "set_sealed"
    assert site.versions() == before


def test_each_part_takes_its_own_bytes_only(site: Site) -> None:
    file = a_file(site, 4, 2 * PART_BYTES)
    _, (first, second) = file.begin()
    digest = {"x-amz-checksum-sha256": second.headers["x-amz-checksum-sha256"]}
    whole = first.url.partition("?")[0]
    for tampered in (
        replace(first, body=second.body),
        replace(first, body=second.body, headers={**first.headers, **digest}),
        replace(
            first, body=first.body[:-1], headers={**first.headers, "content-length": str(PART_BYTES - 1)}
        ),
        replace(first, url=first.url.replace("partNumber=1", "partNumber=2")),
        replace(first, url=f"{whole}?{'&'.join(_without(first.url, 'partNumber', 'uploadId'))}"),
        replace(first, method="DELETE"),
    ):
        assert 400 <= send(tampered) < 500
    assert file.name not in site.listed()


def _without(url: str, *names: str) -> list[str]:
    return [field for field in url.partition("?")[2].split("&") if field.partition("=")[0] not in names]


def test_without_all_of_its_parts_it_does_not_become_a_file(site: Site) -> None:
    file = a_file(site, 5)
    upload, (first, _) = file.begin()
    assert send(first) == 200
    answer = file.ask(upload=upload, etags=file.etags())
    assert (answer.status, answer.error) == (404, "not_found")
    assert file.ask(upload="an-upload-of-nobody", etags=file.etags()).error == "not_found"
    assert file.name not in site.listed()


def test_urls_are_given_again_for_the_parts_that_are_left(site: Site) -> None:
    """A hundred at a time: an answer has a largest size."""
    count = wire.PARTS_PER_ANSWER + 20
    file = a_file(site, 6)
    digests = ["0" * 64] * count
    asked = {"size": PART_BYTES * count, "part_sha256": digests}
    begun = file.ask(**asked).body
    assert [part["number"] for part in begun["parts"]] == list(range(1, wire.PARTS_PER_ANSWER + 1))
    more = file.ask(**asked, upload=begun["upload"], first_part=wire.PARTS_PER_ANSWER + 1).body
    assert [part["number"] for part in more["parts"]] == list(range(wire.PARTS_PER_ANSWER + 1, count + 1))
    assert more["upload"] == begun["upload"]


def test_other_bytes_replace_a_file_of_an_open_set(site: Site) -> None:
    """As a resumed run makes them; the older version stays."""
    file = a_file(site, 7)
    file.store()
    fresh = replace(file, content=CHANCE.randbytes(PART_BYTES + 5))
    fresh.store()
    assert site.content(file.name) == fresh.content
    assert sum(one[0] == PREFIX + file.name for one in site.versions()) == 3


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"name": volume(1)}, "bad_request"),
        ({"part_bytes": PART_BYTES - 1}, "bad_request"),
        ({"part_bytes": 6 * 2**30}, "bad_request"),
        ({"part_sha256": ["0" * 64]}, "bad_request"),
        ({"part_sha256": ["0" * 63, "0" * 64]}, "bad_digest"),
        ({"size": 0, "part_sha256": []}, "bad_request"),
        ({"first_part": 3}, "bad_request"),
        ({"first_part": 0}, "bad_request"),
        ({"etags": ["a", "b"]}, "bad_request"),
        ({"upload": "x", "etags": ["a"]}, "bad_request"),
        ({"upload": ""}, "bad_request"),
        ({"upload": "x" * 1025}, "bad_request"),
        ({"upload": "x", "etags": ["a", "\x00"]}, "bad_request"),
        ({"size": PART_BYTES * 10_001, "part_sha256": ["0" * 64] * 10_001}, "bad_request"),
    ],
)
def test_what_makes_no_sense_is_refused(site: Site, fields: dict[str, object], error: str) -> None:
    answer = a_file(site, 8).ask(**fields)
    assert (answer.status, answer.error) == (400, error)


class Caller:
    """The client's API, as far as an upload in parts needs it."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def multiparts(self, job: str, request: wire.MultipartRequest) -> wire.MultipartAnswer:
        answer = self.site.service.call(
            "POST", f"/jobs/{job}/multiparts", wire.to_json(request), self.site.token
        )
        assert answer.status == 200, answer
        return wire.from_json(wire.MultipartAnswer, answer.body)


def test_the_client_stores_a_large_file_by_itself(site: Site, tmp_path: Path) -> None:
    """Its own upload, with five megabytes for the five gigabytes that a single PUT may have."""
    content = CHANCE.randbytes(3 * PART_BYTES + 17)
    source, name = tmp_path / "signatures", signatures("20261122T195530Z")
    source.write_bytes(content)
    journal = Journal(tmp_path / "journal.jsonl")
    uploader = Uploader(
        cast("Any", Caller(site)),
        "system",
        site.run,
        journal,
        tmp_path,
        threads=2,
        single_put_bytes=PART_BYTES,
        part_bytes=PART_BYTES,
    )
    uploader.store(source, name)
    assert site.content(name) == content
    listed = site.service.call("GET", "/jobs/system/files", token=site.token).body["files"]
    assert [one["etag"] for one in listed if one["name"] == name] == [journal.read().stored[name].etag]
