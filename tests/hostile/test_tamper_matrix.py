"""An upload URL is good for one PUT of one digest to one new key, and for nothing else.

Every case is tried on two S3 servers, on a key that does not exist and on one of a sealed set (by a URL from before
the seal). Refused means: an answer of 4xx, and not one version of one object in the whole bucket added or changed.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

import botocore.auth
import pytest

from chalicelib.adapters.s3_buckets import Buckets
from tests.hostile.s3_servers import SERVERS
from tests.service.conftest import BUCKET, Service, running_service

OPEN_SET = "20261122T195500Z"
SEALED_SET = "20261122T195400Z"
PREFIX = "anna-laptop/system/"
CONTENT = b"the very bytes that were announced"
OTHER = b"other bytes, of the same length...."[: len(CONTENT)]
MANIFEST_CONTENT = b"a manifest"
NEVER_STORED = 999_999
"""The number of a volume that no test uploads."""


@dataclass(frozen=True)
class Request:
    """A request as it goes over the wire. ``content-length`` is what it says, whatever ``body`` holds."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


def send(request: Request) -> int:
    """The answer's status; 0 if the server hung up without one. The sender ends its half of the connection after
    the body, so that a server that was promised more sees that no more comes."""
    parts = urlsplit(request.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    headers = {"host": parts.netloc, **request.headers}
    try:
        connection.putrequest(
            request.method, f"{parts.path}?{parts.query}", skip_host=True, skip_accept_encoding=True
        )
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(request.body)
        if "content-length" in headers and int(headers["content-length"]) > len(request.body):
            connection.sock.shutdown(socket.SHUT_WR)
        return connection.getresponse().status
    except (http.client.HTTPException, ConnectionError):
        return 0
    finally:
        connection.close()


# ---------------------------------------------------------------- ways to tamper

Tampering = Callable[[Request], Request]


def with_method(method: str) -> Tampering:
    return lambda request: replace(request, method=method)


def with_header(name: str, value: str) -> Tampering:
    return lambda request: replace(request, headers={**request.headers, name: value})


def without_header(name: str) -> Tampering:
    def tamper(request: Request) -> Request:
        headers = {known: value for known, value in request.headers.items() if known != name}
        if name != "content-length":
            return replace(request, headers=headers)
        chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(request.body), request.body)
        return replace(request, headers={**headers, "transfer-encoding": "chunked"}, body=chunk)

    return tamper


def with_body(body: bytes, *, length: bool = False, digest: bool = False) -> Tampering:
    """Other bytes; the headers that describe them as signed, or made to fit."""

    def tamper(request: Request) -> Request:
        headers = dict(request.headers)
        if length:
            headers["content-length"] = str(len(body))
        if digest:
            headers["x-amz-checksum-sha256"] = base64.b64encode(hashlib.sha256(body).digest()).decode()
        return replace(request, headers=headers, body=body)

    return tamper


def with_url(pattern: str, replacement: str) -> Tampering:
    def tamper(request: Request) -> Request:
        url, count = re.subn(pattern, replacement, request.url, count=1)
        assert count == 1, (pattern, request.url)
        return replace(request, url=url)

    return tamper


def with_query(text: str) -> Tampering:
    return lambda request: replace(request, url=f"{request.url}&{text}")


def both(*tamperings: Tampering) -> Tampering:
    def tamper(request: Request) -> Request:
        for one in tamperings:
            request = one(request)
        return request

    return tamper


def with_flipped_signature(request: Request) -> Request:
    digit = request.url[-1]
    return replace(request, url=request.url[:-1] + ("0" if digit != "0" else "1"))


def unsigned(name: str) -> Tampering:
    """The header left out, and the URL's own word on it as well."""
    return both(
        without_header(name), with_url(rf"%3B{re.escape(name)}(?=%3B|&)|(?<==){re.escape(name)}%3B", "")
    )


SIGNED_HEADERS = {
    "content-length": "35",
    "if-none-match": '"9dd4e461268c8034f5c8564e155c67a6"',
    "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(OTHER).digest()).decode(),
    "x-amz-storage-class": "DEEP_ARCHIVE",
    "x-amz-tagging": "panicroom-storage=deep-archive-0d",
}
"""Those of a volume, each with another value than was signed."""

UNSIGNED_AMAZON_HEADERS = {
    "x-amz-acl": "public-read",
    "x-amz-grant-full-control": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"',
    "x-amz-meta-foo": "bar",
    "x-amz-meta-volumes": "7",
    "x-amz-website-redirect-location": "https://example.org/",
    "x-amz-copy-source": f"/{BUCKET}/{PREFIX}meta_duplicity-full.{SEALED_SET}.manifest.gpg",
    "x-amz-object-lock-mode": "COMPLIANCE",
    "x-amz-object-lock-legal-hold": "ON",
    "x-amz-server-side-encryption": "aws:kms",
}
"""AWS wants every ``x-amz-`` header of a request to be signed."""

CASES: dict[str, Tampering] = {
    "other key": with_url(r"\.vol\d+\.", f".vol{NEVER_STORED}."),
    "other machine": with_url("/anna-laptop/", "/bens-laptop/"),
    "other bucket": with_url(f"/{BUCKET}/", f"/{BUCKET}-2/"),
    "key with a dot segment": with_url("/anna-laptop/", "/bens-laptop/../anna-laptop/"),
    "the whole bucket": with_url(rf"/{BUCKET}/[^?]*", f"/{BUCKET}"),
    "GET": with_method("GET"),
    "HEAD": with_method("HEAD"),
    "DELETE": with_method("DELETE"),
    "POST": with_method("POST"),
    "longer": with_body(CONTENT + b"!", length=True),
    "longer, with its digest": with_body(CONTENT + b"!", length=True, digest=True),
    "shorter": with_body(CONTENT[:-1], length=True),
    "shorter, with its digest": with_body(CONTENT[:-1], length=True, digest=True),
    "empty": with_body(b"", length=True),
    "cut off": with_body(CONTENT[:-1]),
    "other bytes": with_body(OTHER),
    "other bytes with their digest": with_body(OTHER, digest=True),
    **{f"without {name}": without_header(name) for name in SIGNED_HEADERS},
    **{f"without {name} or its mention": unsigned(name) for name in SIGNED_HEADERS},
    **{f"other {name}": with_header(name, value) for name, value in SIGNED_HEADERS.items()},
    "if-match instead": both(without_header("if-none-match"), with_header("if-match", "*")),
    **{f"extra {name}": with_header(name, value) for name, value in UNSIGNED_AMAZON_HEADERS.items()},
    "extra query x-amz-acl": with_query("x-amz-acl=public-read"),
    **{f"extra query {text}": with_query(text) for text in ("acl", "tagging", "retention", "versionId=null")},
    "extra query partNumber": with_query("partNumber=1&uploadId=1"),
    "longer life": with_url("X-Amz-Expires=900", "X-Amz-Expires=86400"),
    "later date": with_url(r"X-Amz-Date=\d{8}", "X-Amz-Date=20991231"),
    "other key of access": with_url("X-Amz-Credential=test", "X-Amz-Credential=tess"),
    "other region": with_url("us-east-1%2F", "eu-central-1%2F"),
    "signature flipped": with_flipped_signature,
    "signature missing": with_url(r"&X-Amz-Signature=[0-9a-f]+", ""),
    "no signature at all": with_url(r"\?.*", ""),
}

OBEYED = "it checks the x-amz- headers that are signed, and obeys most of the others"

LAXER_THAN_AWS: dict[str, dict[str, str]] = {
    "ministack": {
        "extra x-amz-meta-foo": OBEYED,
        "extra x-amz-meta-volumes": OBEYED + "; the count of a manifest is signed, and is tried below",
        "extra x-amz-website-redirect-location": OBEYED,
        "extra x-amz-tagging of a manifest": OBEYED,
        "signature missing": "it takes its root key, which these URLs name, at its word",
    },
    "seaweedfs": {},
}
"""Cases that AWS refuses and an emulator takes, and why: it stores the signed bytes, with the header's effect. The
tests hold MiniStacks to exactly this, so that a change in one of them is noticed."""


# ---------------------------------------------------------------- where it is tried


@dataclass
class Site:
    """The service with its bucket on one of the servers, an enrolled machine, and a run."""

    name: str
    service: Service
    token: str = ""
    run: str = ""
    to_absent: dict[str, Request] = field(default_factory=dict)
    """For each case a request of its own, as permitted, to a key that does not exist."""
    to_sealed: dict[str, Request] = field(default_factory=dict)
    """By file: requests with other bytes, permitted before the set was sealed."""

    def ask(self, *files: tuple[str, bytes], members: list[dict[str, Any]] | None = None) -> list[Request]:
        """Permitted requests to store these files."""
        asked = [
            {
                "name": name,
                "size": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "set": members,
            }
            for name, content in files
        ]
        permits = self.service.permit(self.token, self.run, *asked)
        return [
            Request("PUT", permit["url"], permit["headers"], content)
            for permit, (_, content) in zip(permits, files, strict=True)
        ]

    def store(self, name: str, content: bytes = CONTENT) -> dict[str, Any]:
        """Stores it; how a seal request lists it."""
        [request] = self.ask((name, content))
        assert send(request) == 200
        etag = hashlib.md5(content).hexdigest()
        return {"name": name, "size": len(content), "etag": etag}

    def versions(self) -> list[tuple[str, str, str | None, bool]]:
        """Every version and delete marker of the bucket: key, version, ETag, whether it is the newest."""
        answer = self.service.s3.list_object_versions(Bucket=BUCKET)
        assert not answer["IsTruncated"]
        found = answer.get("Versions", []) + answer.get("DeleteMarkers", [])
        return sorted((one["Key"], one["VersionId"], one.get("ETag", ""), one["IsLatest"]) for one in found)

    def listed(self) -> list[str]:
        files = self.service.call("GET", "/jobs/system/files", token=self.token).body["files"]
        return [file["name"] for file in files]

    def content(self, name: str) -> bytes:
        content: bytes = self.service.s3.get_object(Bucket=BUCKET, Key=PREFIX + name)["Body"].read()
        return content


def volume(number: int, set_time: str = OPEN_SET) -> str:
    return f"data_duplicity-full.{set_time}.vol{number}.difftar.gpg"


def signatures(set_time: str) -> str:
    return f"meta_duplicity-full-signatures.{set_time}.sigtar.gpg"


def manifest(set_time: str) -> str:
    return f"meta_duplicity-full.{set_time}.manifest.gpg"


@pytest.fixture(scope="module", params=sorted(SERVERS))
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch, SERVERS[request.param](folder) as endpoint:
        patch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        with running_service(patch) as service:
            site = Site(request.param, service)
            site.token = service.enrolled("anna-laptop")
            site.run = service.run(site.token).body["run"]
            site.to_absent = dict(
                zip(CASES, site.ask(*((volume(10 + n), CONTENT) for n in range(len(CASES)))), strict=True)
            )
            _seal_a_set(site)
            yield site


def _seal_a_set(site: Site) -> None:
    names = [volume(1, SEALED_SET), signatures(SEALED_SET)]
    site.to_sealed = dict(zip(names, site.ask(*((name, CONTENT) for name in names)), strict=True))
    [late] = site.ask((volume(2, SEALED_SET), CONTENT))
    site.to_sealed["late"] = late
    members = [site.store(name, b"sealed " + CONTENT) for name in names]
    [seal] = site.ask((manifest(SEALED_SET), MANIFEST_CONTENT), members=members)
    site.to_sealed[manifest(SEALED_SET)] = seal
    assert send(seal) == 200


# ---------------------------------------------------------------- the matrix


def assert_refused(site: Site, request: Request) -> None:
    before = site.versions()
    status = send(request)
    promised = int(request.headers.get("content-length", 0))
    hung_up = status == 0 and promised > len(request.body)
    assert 400 <= status < 500 or hung_up, status
    assert site.versions() == before


def test_as_permitted_it_stores_the_very_bytes_and_only_once(site: Site) -> None:
    """The control: without it the refusals below would prove nothing."""
    [request] = site.ask((volume(1), CONTENT))
    assert send(request) == 200
    assert site.content(volume(1)) == CONTENT
    assert_refused(site, request)


def test_every_header_that_is_signed_is_tampered_with(site: Site) -> None:
    url = site.to_absent["other key"].url
    signed = re.search("X-Amz-SignedHeaders=([^&]*)", url)
    assert signed is not None
    assert set(signed[1].split("%3B")) == {"host", *SIGNED_HEADERS}
    assert set(site.to_absent["other key"].headers) == set(SIGNED_HEADERS)


@pytest.mark.parametrize("case", CASES)
def test_tampered_with_it_creates_nothing(site: Site, case: str) -> None:
    check_refused(site, case, CASES[case](site.to_absent[case]))


@pytest.mark.parametrize("case", CASES)
def test_tampered_with_it_changes_nothing_of_a_sealed_set(site: Site, case: str) -> None:
    assert_refused(site, CASES[case](site.to_sealed[volume(1, SEALED_SET)]))


def check_refused(site: Site, case: str, request: Request) -> None:
    """Refused, unless it is known that this server takes it: then the signed bytes are stored, and no others."""
    if case not in LAXER_THAN_AWS[site.name]:
        assert_refused(site, request)
        return
    before = set(site.versions())
    assert send(request) == 200, "no longer laxer than AWS: take this case off the list"
    [(_, _, etag, _)] = set(site.versions()) - before
    assert etag == f'"{hashlib.md5(request.body).hexdigest()}"'


VOLUMES_HEADER = "x-amz-meta-volumes"

MANIFEST_CASES: dict[str, Tampering] = {
    "without its count": without_header(VOLUMES_HEADER),
    "without its count or a mention of it": unsigned(VOLUMES_HEADER),
    "another count": with_header(VOLUMES_HEADER, "2"),
    "no count": with_header(VOLUMES_HEADER, ""),
    "twice the count": with_header(VOLUMES_HEADER, "1, 1"),
    "extra x-amz-tagging of a manifest": with_header("x-amz-tagging", "panicroom-storage=deep-archive-0d"),
}


@pytest.mark.parametrize("case", MANIFEST_CASES)
def test_a_manifests_url_seals_its_set_with_its_own_volume_count_only(site: Site, case: str) -> None:
    set_time = f"20261122T1954{list(MANIFEST_CASES).index(case) + 1:02}Z"
    members = [site.store(name) for name in (volume(1, set_time), signatures(set_time))]
    [seal] = site.ask((manifest(set_time), MANIFEST_CONTENT), members=members)
    assert seal.headers[VOLUMES_HEADER] == "1"
    check_refused(site, case, MANIFEST_CASES[case](seal))
    assert send(seal) == (412 if case in LAXER_THAN_AWS[site.name] else 200)


# ---------------------------------------------------------------- time, and the seal


def test_an_upload_url_that_has_expired_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in_the_past(monkeypatch, timedelta(minutes=15, seconds=2))
    [request] = site.ask((volume(2), CONTENT))
    assert_refused(site, request)


def test_a_manifests_url_expires_within_half_a_minute(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    set_time = "20261122T195440Z"
    members = [site.store(name) for name in (volume(1, set_time), signatures(set_time))]
    sign_in_the_past(monkeypatch, timedelta(seconds=32))
    [request] = site.ask((manifest(set_time), MANIFEST_CONTENT), members=members)
    assert_refused(site, request)


def sign_in_the_past(monkeypatch: pytest.MonkeyPatch, ago: timedelta) -> None:
    """Upload URLs only: requests that the service itself makes would be too old for S3."""
    presign_put = Buckets.presign_put

    def then(remove_tzinfo: bool = True) -> datetime:
        moment = datetime.now(timezone.utc) - ago
        return moment.replace(tzinfo=None) if remove_tzinfo else moment

    def presign_then(*arguments: Any) -> Any:
        with monkeypatch.context() as clock:
            clock.setattr(botocore.auth, "get_current_datetime", then)
            return presign_put(*arguments)

    monkeypatch.setattr(Buckets, "presign_put", presign_then)


@pytest.mark.parametrize("name", [volume(1, SEALED_SET), signatures(SEALED_SET), manifest(SEALED_SET)])
def test_a_url_from_before_the_seal_overwrites_nothing_after_it(site: Site, name: str) -> None:
    assert_refused(site, site.to_sealed[name])


def test_a_url_for_an_earlier_attempt_meets_the_file_that_replaced_it(site: Site) -> None:
    """duplicity's resume makes a volume anew; what the killed run left behind must not come between."""
    set_time = "20261122T195450Z"
    [killed] = site.ask((volume(1, set_time), OTHER))
    site.store(volume(1, set_time), b"of the killed run")
    site.store(volume(1, set_time), CONTENT)
    assert_refused(site, killed)
    assert site.content(volume(1, set_time)) == CONTENT


def test_a_volume_added_after_the_seal_is_hidden_at_once_and_then_marked_deleted(site: Site) -> None:
    """S3 cannot know that the set is sealed: a URL from before, for a number beyond its end, still works."""
    service, late = site.service, volume(2, SEALED_SET)
    sealed = [volume(1, SEALED_SET), signatures(SEALED_SET), manifest(SEALED_SET)]
    before = site.versions()
    assert send(site.to_sealed["late"]) == 200
    assert late not in site.listed(), "hidden, though the catalogue knows of neither the seal nor the volume"
    service.catalogue(*(PREFIX + name for name in [*sealed, late]))
    keys = [key for key, _, _, newest in site.versions() if newest]
    markers = service.s3.list_object_versions(Bucket=BUCKET)["DeleteMarkers"]
    assert PREFIX + late in [marker["Key"] for marker in markers if marker["IsLatest"]]
    assert PREFIX + late in keys
    assert late not in site.listed()
    assert [one for one in site.versions() if not one[0].endswith(late)] == before


# ---------------------------------------------------------------- downloads

DOWNLOAD_CASES: dict[str, Tampering] = {
    "other key": with_url(r"\.vol1\.", ".vol2."),
    "other machine": with_url("/anna-laptop/", "/bens-laptop/"),
    "the whole bucket": with_url(rf"/{BUCKET}/[^?]*", f"/{BUCKET}"),
    "PUT": both(with_method("PUT"), with_body(OTHER, length=True)),
    "DELETE": with_method("DELETE"),
    "POST": with_method("POST"),
    "older versions": with_query("versionId=null"),
    "its list of versions": with_query("versions"),
    "longer life": with_url("X-Amz-Expires=300", "X-Amz-Expires=86400"),
    "signature flipped": with_flipped_signature,
}


@pytest.mark.parametrize("case", DOWNLOAD_CASES)
def test_a_download_url_is_good_for_reading_one_object(site: Site, case: str) -> None:
    body = {"names": [volume(1, SEALED_SET)]}
    [permit] = site.service.call("POST", "/jobs/system/downloads", body, site.token).body["files"]
    request = Request("GET", permit["url"], {}, b"")
    assert send(request) == 200
    assert_refused(site, DOWNLOAD_CASES[case](request))
