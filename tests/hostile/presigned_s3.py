"""The half of S3 that moto lacks: what is asked of a PUT by a presigned URL before it is stored.

Signature, life, signed headers, length, digest and ``If-None-Match``, each from the URL and the request alone, as S3
does. What passes is stored through moto, which keeps the versions.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import botocore.auth
import pytest
from botocore.exceptions import ClientError

from tests.service.conftest import BUCKET, ENVIRONMENT, Service

OK, BAD_DIGEST, FORBIDDEN, FAILED_PRECONDITION = 200, 400, 403, 412


@dataclass(frozen=True)
class Upload:
    """A permission as a client got it, with the bytes that it is for."""

    name: str
    url: str
    headers: dict[str, str]
    content: bytes


@dataclass
class Stored:
    status: int
    etag: str = ""


@dataclass
class PresignedS3:
    """The bucket as whoever has a URL meets it. ``told`` are the keys whose events have not been sent yet."""

    service: Service
    contents: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """What was ever stored, by key and version."""
    told: list[str] = field(default_factory=list)

    def permitted(self, name: str, url: str) -> None:
        """Somebody was given this URL."""

    def put(self, upload: Upload, body: bytes | None = None) -> Stored:
        body = upload.content if body is None else body
        headers = {**upload.headers, "content-length": str(len(body))}
        parts = urlsplit(upload.url)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        signature = query.pop("X-Amz-Signature")
        signed = query["X-Amz-SignedHeaders"].split(";")
        unsigned = [name for name in headers if name.startswith("x-amz-") and name not in signed]
        expected = _signature("PUT", parts.path, query, {**headers, "host": parts.netloc}, signed)
        if unsigned or not hmac.compare_digest(signature, expected) or self._has_expired(query):
            return Stored(FORBIDDEN)
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if headers["x-amz-checksum-sha256"] != digest:
            return Stored(BAD_DIGEST)
        key = unquote(parts.path).removeprefix("/").removeprefix(f"{BUCKET}/")
        if headers["if-none-match"] == "*" and self._exists(key):
            return Stored(FAILED_PRECONDITION)
        return self._store(key, body, headers)

    def current(self, prefix: str) -> dict[str, str]:
        """The newest version of each key that is no delete marker."""
        answer = self.service.s3.list_object_versions(Bucket=BUCKET, Prefix=prefix)
        return {one["Key"]: one["VersionId"] for one in answer.get("Versions", []) if one["IsLatest"]}

    def _has_expired(self, query: dict[str, str]) -> bool:
        signed_at = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
        return self.service.now >= signed_at + timedelta(seconds=int(query["X-Amz-Expires"]))

    def _exists(self, key: str) -> bool:
        try:
            self.service.s3.head_object(Bucket=BUCKET, Key=key)
        except ClientError:
            return False
        return True

    def _store(self, key: str, body: bytes, headers: dict[str, str]) -> Stored:
        prefix = "x-amz-meta-"
        metadata = {name.removeprefix(prefix): headers[name] for name in headers if name.startswith(prefix)}
        answer = self.service.s3.put_object(
            Bucket=BUCKET, Key=key, Body=body, Metadata=metadata, ChecksumAlgorithm="SHA256"
        )
        self.contents[key, answer["VersionId"]] = body
        self.told.append(key)
        return Stored(OK, answer["ETag"].strip('"'))


@contextmanager
def signing_clock(monkeypatch: pytest.MonkeyPatch, service: Service) -> Iterator[None]:
    """URLs are dated by the service's clock rather than by this computer's."""

    def now(remove_tzinfo: bool = True) -> datetime:
        return service.now.replace(tzinfo=None) if remove_tzinfo else service.now

    with monkeypatch.context() as clock:
        clock.setattr(botocore.auth, "get_current_datetime", now)
        yield


def _signature(
    method: str, path: str, query: dict[str, str], headers: dict[str, str], signed: list[str]
) -> str:
    """AWS Signature Version 4 of a presigned request."""
    canonical = "\n".join(
        [
            method,
            path,
            "&".join(f"{quote(name, safe='')}={quote(query[name], safe='')}" for name in sorted(query)),
            *(f"{name}:{headers.get(name, '')}" for name in signed),
            "",
            ";".join(signed),
            "UNSIGNED-PAYLOAD",
        ]
    )
    scope = query["X-Amz-Credential"].partition("/")[2]
    to_sign = "\n".join(
        ["AWS4-HMAC-SHA256", query["X-Amz-Date"], scope, hashlib.sha256(canonical.encode()).hexdigest()]
    )
    key = f"AWS4{ENVIRONMENT['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in (*scope.split("/"), to_sign):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


def digest_of(content: bytes) -> dict[str, Any]:
    """Size and digest as an upload request tells them."""
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
