"""S3 and DynamoDB as far as the service uses them, in memory: a hundred times as fast as moto.

What a property test can find depends on how often it can try. These stand where boto3's clients stand, so that all of
the service's own code runs; test_memory_aws.py compares them with moto.
"""

# ruff: noqa: N803 -- the names of the arguments are those of AWS

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

import boto3
import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.config import Config
from botocore.exceptions import ClientError

from chalicelib.adapters import s3_archive, s3_buckets, s3_versions
from chalicelib.adapters.bucket_settings import SettingsReader
from chalicelib.adapters.client_folder import ClientFolder
from chalicelib.adapters.s3_archive import Archive
from chalicelib.adapters.s3_buckets import Buckets
from chalicelib.adapters.table import Table
from chalicelib.domain.restore.plans import lapses_at
from tests.service.conftest import BUCKET, TABLE, Service, running_service

Row = dict[str, Any]


@contextmanager
def service_in_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The service with these behind it. ``service.table`` and ``service.s3`` can be cleared."""
    with running_service(monkeypatch) as service:
        from chalicelib import wiring

        real = boto3.client("s3", config=Config(signature_version="s3v4"))
        s3, dynamo = MemoryS3(real.generate_presigned_url, lambda: service.now), MemoryDynamo()
        for module in (s3_archive, s3_buckets, s3_versions):
            monkeypatch.setattr(module, "side_by_side", lambda work, keys: [work(key) for key in keys])
        monkeypatch.setattr(wiring, "_table", lambda: Table(dynamo, TABLE))
        monkeypatch.setattr(wiring, "_s3", lambda: s3)
        monkeypatch.setattr(wiring, "_settings_reader", lambda: SettingsReader(s3))
        monkeypatch.setattr(wiring, "buckets", lambda: Buckets(s3))
        monkeypatch.setattr(wiring, "client_folder", lambda: ClientFolder(s3, BUCKET))
        monkeypatch.setattr(wiring, "archive", lambda: Archive(s3))
        service.s3, service.table = s3, dynamo
        yield service


def error(code: str, status: int, operation: str) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, operation)


# ---------------------------------------------------------------- S3


@dataclass
class Copy:
    """Of an archived object: asked for, and there once ``until`` is known."""

    days: int
    until: datetime | None = None


@dataclass
class Version:
    """``body`` is ``None`` for a delete marker."""

    id: str
    stored_at: datetime
    body: bytes | None
    metadata: dict[str, str] = field(default_factory=dict)
    storage_class: str = "STANDARD"
    copy: Copy | None = None
    tags: dict[str, str] = field(default_factory=dict)
    lock: tuple[str, datetime] | None = None

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body or b"").hexdigest()}"'


class MemoryS3:
    """One versioned bucket. ``presign`` makes URLs; ``now`` is the clock."""

    def __init__(self, presign: Callable[..., str], now: Callable[[], datetime]) -> None:
        self.generate_presigned_url = presign
        self._now = now
        self._versions: dict[str, list[Version]] = {}
        self._count = 0
        self.asked: list[tuple[str, str, int]] = []
        """Requests for copies that S3 took: key, tier, days."""
        self.refusals: list[tuple[str, int]] = []
        """Errors that the next requests for copies get: code, status."""
        self.listed_pages = 0
        self.lock_days = 0
        """Object Lock in compliance mode, for what is stored from now on."""
        self.rules: list[Row] = []

    def clear(self) -> None:
        self._versions.clear()
        self.asked.clear()
        self.refusals.clear()
        self.listed_pages = 0

    def put_object(
        self, *, Key: str, Body: bytes, Metadata: dict[str, str] | None = None, **rest: Any
    ) -> Row:
        version = self._add(Key, Body, Metadata or {})
        version.storage_class = rest.get("StorageClass", "STANDARD")
        version.tags = dict(parse_qsl(rest.get("Tagging", "")))
        if self.lock_days:
            version.lock = ("COMPLIANCE", self._now() + timedelta(days=self.lock_days))
        return {"ETag": version.etag, "VersionId": version.id}

    def delete_object(self, *, Key: str, VersionId: str | None = None, **_: Any) -> Row:
        if VersionId is None:
            return {"VersionId": self._add(Key, None, {}).id, "DeleteMarker": True}
        self._versions[Key] = [one for one in self._versions.get(Key, []) if one.id != VersionId]
        return {"VersionId": VersionId}

    def head_object(self, *, Key: str, **_: Any) -> Row:
        version = self._newest(Key)
        if version is None or version.body is None:
            raise error("404", 404, "HeadObject")
        return {
            "ContentLength": len(version.body),
            "ETag": version.etag,
            "LastModified": version.stored_at,
            "VersionId": version.id,
            "Metadata": version.metadata,
            **_class_of(version),
            **({"Restore": _restore_header(copy)} if (copy := self._copy(version)) else {}),
            "ChecksumSHA256": base64.b64encode(hashlib.sha256(version.body).digest()).decode(),
        }

    def delete_objects(self, *, Delete: Row, **_: Any) -> Row:
        assert len(Delete["Objects"]) <= 1000
        for one in Delete["Objects"]:
            self.delete_object(**one)
        return {}

    def get_object_tagging(self, *, Key: str, VersionId: str | None = None, **_: Any) -> Row:
        tags = self._version(Key, VersionId, "GetObjectTagging").tags
        return {"TagSet": [{"Key": name, "Value": value} for name, value in tags.items()]}

    def put_object_tagging(self, *, Key: str, Tagging: Row, VersionId: str | None = None, **_: Any) -> Row:
        version = self._version(Key, VersionId, "PutObjectTagging")
        version.tags = {tag["Key"]: tag["Value"] for tag in Tagging["TagSet"]}
        return {}

    def _version(self, key: str, version_id: str | None, operation: str) -> Version:
        found = [one for one in self._versions.get(key, []) if version_id in (None, one.id)]
        if not found:
            raise error("NoSuchKey" if version_id is None else "NoSuchVersion", 404, operation)
        if found[-1].body is None:
            raise error("MethodNotAllowed", 405, operation)
        return found[-1]

    # ------------------------------------------------------------ settings and locks

    def __getattr__(self, name: str) -> Any:
        """What is not here of a bucket's settings may not be read."""
        if not name.startswith(("get_bucket_", "get_public_access", "list_bucket_", "list_multipart_")):
            raise AttributeError(name)

        def refuse(**_: Any) -> Row:
            raise error("AccessDenied", 403, name)

        return refuse

    def get_bucket_versioning(self, **_: Any) -> Row:
        return {"Status": "Enabled"}

    def get_bucket_lifecycle_configuration(self, **_: Any) -> Row:
        if not self.rules:
            raise error("NoSuchLifecycleConfiguration", 404, "GetBucketLifecycleConfiguration")
        return {"Rules": self.rules}

    def get_object_lock_configuration(self, **_: Any) -> Row:
        if not self.lock_days:
            raise error("ObjectLockConfigurationNotFoundError", 404, "GetObjectLockConfiguration")
        rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": self.lock_days}}
        return {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled", "Rule": rule}}

    def get_object_retention(self, *, Key: str, VersionId: str, **_: Any) -> Row:
        lock = self._version(Key, VersionId, "GetObjectRetention").lock
        if lock is None:
            raise error("NoSuchObjectLockConfiguration", 404, "GetObjectRetention")
        return {"Retention": {"Mode": lock[0], "RetainUntilDate": lock[1]}}

    def put_object_retention(self, *, Key: str, VersionId: str, Retention: Row, **_: Any) -> Row:
        version = self._version(Key, VersionId, "PutObjectRetention")
        if version.lock and version.lock[1] > max(self._now(), Retention["RetainUntilDate"]):
            raise error("AccessDenied", 403, "PutObjectRetention")
        version.lock = (Retention["Mode"], Retention["RetainUntilDate"])
        return {}

    def get_object(self, *, Key: str, **_: Any) -> Row:
        found = self.head_object(Key=Key)
        version = self._newest(Key)
        assert version is not None
        return {**found, "Body": io.BytesIO(version.body or b"")}

    def list_objects_v2(self, *, Prefix: str = "", StartAfter: str = "", **rest: Any) -> Row:
        self.listed_pages += 1
        with_copies = "RestoreStatus" in rest.get("OptionalObjectAttributes", ())
        found = [
            {
                "Key": key,
                "Size": len(newest.body),
                "ETag": newest.etag,
                "LastModified": newest.stored_at,
                **_class_of(newest),
                **(_restore_status(copy) if with_copies and (copy := self._copy(newest)) else {}),
            }
            for key, newest in self._newest_by_key(Prefix)
            if newest.body is not None and key.encode() > StartAfter.encode()
        ]
        most = min(rest.get("MaxKeys", 1000), 1000)
        return {"Contents": found[:most], "IsTruncated": len(found) > most}

    # ------------------------------------------------------------ archived objects, as on AWS

    def restore_object(self, *, Key: str, RestoreRequest: Row, **_: Any) -> Row:
        if self.refusals:
            raise error(*self.refusals.pop(0), "RestoreObject")
        version, tier = self._newest(Key), RestoreRequest["GlacierJobParameters"]["Tier"]
        if version is None:
            raise error("NoSuchKey", 404, "RestoreObject")
        if version.body is None:
            raise error("MethodNotAllowed", 405, "RestoreObject")
        if version.storage_class not in ("GLACIER", "DEEP_ARCHIVE"):
            raise error("InvalidObjectState", 403, "RestoreObject")
        if tier == "Expedited" and version.storage_class == "DEEP_ARCHIVE":
            raise error("InvalidArgument", 400, "RestoreObject")
        copy = self._copy(version)
        if copy is not None and copy.until is None:
            raise error("RestoreAlreadyInProgress", 409, "RestoreObject")
        self.asked.append((Key, tier, RestoreRequest["Days"]))
        if copy is None:
            version.copy = Copy(RestoreRequest["Days"])
            return {"ResponseMetadata": {"HTTPStatusCode": 202}}
        copy.until = lapses_at(self._now(), RestoreRequest["Days"])
        return {"ResponseMetadata": {"HTTPStatusCode": 200}}

    def finish(self, prefix: str = "", *, at_most: int | None = None) -> list[str]:
        """The copies below the prefix that are on their way are there now; their keys."""
        going = [
            (key, newest.copy)
            for key, newest in self._newest_by_key(prefix)
            if newest.copy and newest.copy.until is None
        ]
        for _, copy in going[:at_most]:
            copy.until = lapses_at(self._now(), copy.days)
        return [key for key, _ in going[:at_most]]

    def expire(self, prefix: str = "") -> None:
        """Copies lapse before their time."""
        for _, newest in self._newest_by_key(prefix):
            newest.copy = None

    def move(self, prefix: str, storage_class: str) -> None:
        """As a lifecycle rule does."""
        for _, newest in self._newest_by_key(prefix):
            newest.storage_class, newest.copy = storage_class, None

    def _copy(self, version: Version) -> Copy | None:
        copy = version.copy
        return None if copy is None or (copy.until is not None and copy.until <= self._now()) else copy

    def list_object_versions(self, *, Prefix: str = "", KeyMarker: str = "", **_: Any) -> Row:
        answer: Row = {"Versions": [], "DeleteMarkers": [], "IsTruncated": False}
        for key, newest in self._newest_by_key(Prefix):
            for version in reversed(self._versions[key]) if key.encode() > KeyMarker.encode() else ():
                one = {
                    "Key": key,
                    "VersionId": version.id,
                    "IsLatest": version is newest,
                    "LastModified": version.stored_at,
                }
                if version.body is None:
                    answer["DeleteMarkers"].append(one)
                else:
                    size = {"Size": len(version.body), "ETag": version.etag}
                    answer["Versions"].append({**one, **size, **_class_of(version)})
        return answer

    def get_paginator(self, operation: str) -> Any:
        """One page holds everything."""
        client = self

        class Paginator:
            def paginate(self, **arguments: Any) -> Iterator[Row]:
                yield getattr(client, operation)(**arguments)

        return Paginator()

    def _add(self, key: str, body: bytes | None, metadata: dict[str, str]) -> Version:
        self._count += 1
        version = Version(f"version-{self._count:06}", self._now(), body, metadata)
        self._versions.setdefault(key, []).append(version)
        return version

    def _newest(self, key: str) -> Version | None:
        versions = self._versions.get(key)
        return versions[-1] if versions else None

    def _newest_by_key(self, prefix: str) -> Iterator[tuple[str, Version]]:
        for key in sorted((key for key in self._versions if key.startswith(prefix)), key=str.encode):
            newest = self._newest(key)
            if newest is not None:
                yield key, newest


def _class_of(version: Version) -> Row:
    """S3 names no class for Standard."""
    return {} if version.storage_class == "STANDARD" else {"StorageClass": version.storage_class}


def _restore_header(copy: Copy) -> str:
    if copy.until is None:
        return 'ongoing-request="true"'
    return f'ongoing-request="false", expiry-date="{format_datetime(copy.until, usegmt=True)}"'


def _restore_status(copy: Copy) -> Row:
    if copy.until is None:
        return {"RestoreStatus": {"IsRestoreInProgress": True}}
    return {"RestoreStatus": {"IsRestoreInProgress": False, "RestoreExpiryDate": copy.until}}


# ---------------------------------------------------------------- DynamoDB


class MemoryDynamo:
    """One table, as the client of a boto3 resource gives and takes its rows: plain values, numbers as ``Decimal``."""

    def __init__(self) -> None:
        self._partitions: dict[str, dict[str, Row]] = defaultdict(dict)

    def clear(self) -> None:
        self._partitions.clear()

    def get_item(self, *, Key: Row, **_: Any) -> Row:
        row = self._partitions[Key["pk"]].get(Key["sk"])
        return {} if row is None else {"Item": dict(row)}

    def batch_get_item(self, *, RequestItems: dict[str, Row]) -> Row:
        [(table, request)] = RequestItems.items()
        assert len(request["Keys"]) <= 100
        found = [self.get_item(Key=key).get("Item") for key in request["Keys"]]
        return {"Responses": {table: [row for row in found if row is not None]}, "UnprocessedKeys": {}}

    def query(self, *, KeyConditionExpression: str, ScanIndexForward: bool = True, **rest: Any) -> Row:
        values = _stored(rest["ExpressionAttributeValues"])
        rows = self._partitions[values[":pk"]].values()
        found = [dict(row) for row in rows if _holds(KeyConditionExpression, row, {}, values)]
        found.sort(key=lambda row: str(row["sk"]).encode(), reverse=not ScanIndexForward)
        return {"Items": found[: rest.get("Limit", len(found))]}

    def put_item(self, *, Item: Row, **rest: Any) -> Row:
        if len(Item["sk"].encode()) > 1024:
            raise error("ValidationException", 400, "PutItem")
        self._check({"pk": Item["pk"], "sk": Item["sk"]}, rest, "PutItem")
        self._partitions[Item["pk"]][Item["sk"]] = _stored(Item)
        return {}

    def update_item(self, *, Key: Row, UpdateExpression: str, **rest: Any) -> Row:
        self._check(Key, rest, "UpdateItem")
        names, values = (
            rest.get("ExpressionAttributeNames", {}),
            _stored(rest.get("ExpressionAttributeValues", {})),
        )
        row = self._partitions[Key["pk"]].setdefault(Key["sk"], dict(Key))
        for clause, parts in re.findall(
            r"(SET|REMOVE|ADD) (.*?)(?= SET | REMOVE | ADD |$)", UpdateExpression
        ):
            for part in parts.split(","):
                name, *operands = part.replace("=", " ").split()
                name = names.get(name, name)
                if clause == "SET":
                    row[name] = values[operands[0]]
                elif clause == "ADD":
                    row[name] = row.get(name, 0) + values[operands[0]]
                else:
                    row.pop(name, None)
        return {}

    def delete_item(self, *, Key: Row, **rest: Any) -> Row:
        self._check(Key, rest, "DeleteItem")
        self._partitions[Key["pk"]].pop(Key["sk"], None)
        return {}

    def transact_write_items(self, *, TransactItems: list[Row]) -> Row:
        assert len(TransactItems) <= 100
        puts = [action["Put"] for action in TransactItems]
        try:
            for put in puts:
                self._check({"pk": put["Item"]["pk"], "sk": put["Item"]["sk"]}, put, "TransactWriteItems")
        except ClientError:
            raise error("TransactionCanceledException", 400, "TransactWriteItems") from None
        for put in puts:
            self.put_item(Item=put["Item"])
        return {}

    def _check(self, key: Row, request: Row, operation: str) -> None:
        row = self._partitions[key["pk"]].get(key["sk"], {})
        names, values = (
            request.get("ExpressionAttributeNames", {}),
            request.get("ExpressionAttributeValues", {}),
        )
        condition = request.get("ConditionExpression")
        if condition is not None and not _holds(condition, row, names, _stored(values)):
            raise error("ConditionalCheckFailedException", 400, operation)


def _stored(values: Row) -> Row:
    """As they come back: numbers as ``Decimal``; what DynamoDB does not take raises, as in boto3."""
    to, back = TypeSerializer(), TypeDeserializer()
    return {name: back.deserialize(to.serialize(value)) for name, value in values.items()}


def _holds(expression: str, row: Row, names: dict[str, str], values: Row) -> bool:
    """A condition of DynamoDB's, as far as the service writes any."""
    return _Condition(expression, row, names, values).holds()


class _Condition:
    """A recursive descent: ``or`` over ``and`` over comparisons, functions and parentheses."""

    def __init__(self, expression: str, row: Row, names: dict[str, str], values: Row) -> None:
        self._tokens = re.findall(r"[()]|,|<=|>=|<>|[<>=]|[#:\w.]+", expression)
        self._row, self._names, self._values = row, names, values

    def holds(self) -> bool:
        result = self._either()
        assert not self._tokens, self._tokens
        return result

    def _either(self) -> bool:
        result = self._both()
        while self._next_is("OR"):
            other = self._both()
            result = result or other
        return result

    def _both(self) -> bool:
        result = self._one()
        while self._next_is("AND"):
            other = self._one()
            result = result and other
        return result

    def _one(self) -> bool:
        if self._next_is("("):
            result = self._either()
            self._expect(")")
            return result
        word = self._tokens.pop(0)
        if word in ("attribute_exists", "attribute_not_exists", "begins_with"):
            return self._function(word)
        left = self._value(word)
        operator = self._tokens.pop(0)
        right = self._value(self._tokens.pop(0))
        if operator == "BETWEEN":
            self._expect("AND")
            last = self._value(self._tokens.pop(0))
            return bool(left is not None and right <= left <= last)
        if left is None or right is None or type(left) is not type(right):
            return bool(operator == "<>")
        results: dict[str, bool] = {
            "=": left == right,
            "<>": left != right,
            "<": left < right,
            "<=": left <= right,
            ">": left > right,
            ">=": left >= right,
        }
        return results[operator]

    def _function(self, name: str) -> bool:
        self._expect("(")
        value = self._value(self._tokens.pop(0))
        result = value is not None
        if name == "begins_with":
            self._expect(",")
            result = value is not None and value.startswith(self._value(self._tokens.pop(0)))
        self._expect(")")
        return not result if name == "attribute_not_exists" else result

    def _value(self, word: str) -> Any:
        if word.startswith(":"):
            return self._values[word]
        value: Any = self._row
        for part in word.split("."):
            value = value.get(self._names.get(part, part)) if isinstance(value, dict) else None
        return value

    def _next_is(self, word: str) -> bool:
        if self._tokens and self._tokens[0].upper() == word:
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, word: str) -> None:
        assert self._next_is(word), (word, self._tokens)
