"""The whole app in-process: Chalice's test client in front, moto behind. moto checks no presigned URL, so nothing
here proves anything about one; tests/end_to_end does that."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import botocore.session
import pytest
from chalice.test import Client
from moto import mock_aws
from moto.core.serialize import ResponseSerializer

BUCKET = "panicroom-test-000000000000-us-east-1"
TABLE = "panicroom-test"
DEAD_LETTER_QUEUE = "panicroom-test-events-dead"
ALERTS_TOPIC = "panicroom-test-alerts"
OWNER = "owner@example.org"
SENDER = "backup@example.org"
NOW = datetime(2026, 11, 22, 20, 0, tzinfo=timezone.utc)

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "PANICROOM_STAGE": "test",
    "PANICROOM_BUCKET": BUCKET,
    "PANICROOM_TABLE": TABLE,
    "PANICROOM_QUEUE": "panicroom-test-events",
    "PANICROOM_QUEUE_ARN": "arn:aws:sqs:us-east-1:123456789012:panicroom-test-events",
    "PANICROOM_DEAD_LETTER_QUEUE": DEAD_LETTER_QUEUE,
    "PANICROOM_SENDER": SENDER,
    "PANICROOM_RECIPIENTS": OWNER,
    "PANICROOM_TIME_ZONE": "Europe/Berlin",
    "PANICROOM_REPORT_WEEKDAY": "monday",
    "PANICROOM_REPORT_HOUR": "7",
    "PANICROOM_DISCARD_FUNCTION": "panicroom-test-discard",
    "PANICROOM_THAW_FUNCTION": "panicroom-test-thaw",
    "PANICROOM_LET_GO_FUNCTION": "panicroom-test-let_go",
    "POWERTOOLS_SERVICE_NAME": "panicroom",
    "POWERTOOLS_TRACE_DISABLED": "true",
}


@dataclass
class Answer:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def error(self) -> str | None:
        return self.body.get("error") if isinstance(self.body, dict) else None


@dataclass
class Service:
    """The service as its users meet it. ``now`` is its clock; ``heads`` its bucket."""

    client: Client
    s3: Any
    table: Any
    ses: Any
    now: datetime = NOW
    discards: list[Sequence[str]] = field(default_factory=list)
    thaws_asked: list[tuple[str, str, str]] = field(default_factory=list)

    def call(
        self, method: str, path: str, body: object = None, token: str | None = None, *, agent: str = "tests"
    ) -> Answer:
        headers = {"Content-Type": "application/json", "User-Agent": agent}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        response = self.client.http.request(method, path, headers=headers, body=raw)
        return Answer(response.status_code, json.loads(response.body or b"null"), dict(response.headers))

    def admin(self, command: str, **arguments: object) -> Any:
        import app

        answer = json.loads(json.dumps(app.admin({"command": command, **arguments}, None)))  # as it travels
        return answer.get("result", answer)

    def enrolled(
        self, machine: str = "anna-laptop", *, secret: str | None = None, **arguments: object
    ) -> str:
        """A machine's token."""
        code = self.admin("machine_add", name=machine, **arguments)["code"]
        secret = secret or hashlib.sha256(machine.encode()).hexdigest()
        body = {"code": code, "secret_sha256": hashlib.sha256(secret.encode()).hexdigest()}
        assert self.call("POST", "/enrolments", body).status == 201
        return f"{machine}.{secret}"

    def run(self, token: str, job: str = "system", **fields: object) -> Answer:
        body = {"kind": "full", "clock": self.now.strftime("%Y-%m-%dT%H:%M:%SZ"), **fields}
        return self.call("POST", f"/jobs/{job}/runs", body, token)

    def permit(
        self, token: str, run: str, *files: dict[str, Any], job: str = "system"
    ) -> list[dict[str, Any]]:
        answer = self.call("POST", f"/jobs/{job}/uploads", {"run": run, "files": list(files)}, token)
        assert answer.status == 200, answer
        permits: list[dict[str, Any]] = answer.body["files"]
        return permits

    def put(self, key: str, content: bytes, **extra: Any) -> str:
        """Stores an object as the presigned PUT would; answers with its ETag."""
        answer = self.s3.put_object(Bucket=BUCKET, Key=key, Body=content, ChecksumAlgorithm="SHA256", **extra)
        etag: str = answer["ETag"].strip('"')
        return etag

    def stored_keys(self) -> list[str]:
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def catalogue(self, *keys: str, sequencer: str = "") -> dict[str, Any]:
        """Tells the catalogue that these keys have changed, as one batch of the queue."""
        import app

        records = [
            {
                "messageId": f"m{index}",
                "receiptHandle": "r",
                "body": json.dumps(
                    {
                        "Records": [
                            {
                                "s3": {
                                    "bucket": {"name": BUCKET},
                                    "object": {"key": key, **({"sequencer": sequencer} if sequencer else {})},
                                }
                            }
                        ]
                    }
                ),
            }
            for index, key in enumerate(keys)
        ]
        answer: dict[str, Any] = app.catalogue({"Records": records}, None)
        return answer


find_models_once = functools.cache(botocore.session.create_loader)
make_client = botocore.session.Session.create_client
find_value = ResponseSerializer.get_value
clients: dict[str, Any] = {}


def client_made_once(session: Any, service_name: str, **options: Any) -> Any:
    """boto3's clients, kept from test to test: making them was a quarter of the time of these tests."""
    wanted = {**options, "config": vars(options["config"]) if options.get("config") else None}
    environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    key = repr((service_name, sorted(wanted.items()), sorted(environment.items())))
    if key not in clients:
        clients[key] = make_client(session, service_name, **options)
    return clients[key]


def value_of_answer(serializer: Any, value: Any, key: str, shape: Any) -> Any:
    """moto looks for each of the ten types that a value of a row can have under four spellings: a fifth of the time."""
    if isinstance(value, dict) and getattr(getattr(shape, "parent", None), "name", "") == "AttributeValue":
        return value.get(key)
    return find_value(serializer, value, key, shape)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with running_service(monkeypatch) as service:
        yield service


@contextmanager
def running_service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service for the length of a ``with``. ``AWS_ENDPOINT_URL_S3``, if it is set, puts its bucket elsewhere."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(botocore.session, "create_loader", find_models_once)
    monkeypatch.setattr(botocore.session.Session, "create_client", client_made_once)
    monkeypatch.setattr(ResponseSerializer, "get_value", value_of_answer)
    import app
    from chalicelib import web, wiring
    from chalicelib.journeys.uploads.discard_files import discard_files

    cached = [value for value in vars(wiring).values() if hasattr(value, "cache_clear")]
    with mock_aws(config={"core": {"mock_credentials": False}}):
        for builder in cached:
            builder.cache_clear()
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        dynamodb = boto3.client("dynamodb")
        dynamodb.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
        )
        ses = boto3.client("sesv2")
        for identity in (OWNER, SENDER):
            ses.create_email_identity(EmailIdentity=identity)
        boto3.client("sqs").create_queue(QueueName=DEAD_LETTER_QUEUE)
        boto3.client("sns").create_topic(Name=ALERTS_TOPIC)
        with Client(app.app) as client:
            service = Service(client, s3, dynamodb, ses)
            monkeypatch.setattr(web, "now", lambda: service.now)

            class DiscardHere:
                """The discard function's own journey, without Lambda between."""

                def ask(self, job: Any, names: Sequence[str]) -> Any:
                    service.discards.append(names)
                    stores = wiring.catalogue_store(), wiring.buckets()
                    return discard_files(*stores, job, names, service.now)

                def __call__(self, job: Any, names: Sequence[str]) -> tuple[str, ...]:
                    return tuple(refused.name for refused in self.ask(job, names).refused)

            def ask_for_thaw(*names: str) -> None:
                """Lambda takes the call and answers at once; tests run the function when they like."""
                machine, job, thaw = names
                service.thaws_asked.append((machine, job, thaw))

            monkeypatch.setattr(wiring, "discard_function", DiscardHere)
            monkeypatch.setattr(wiring, "thaw_function", lambda: ask_for_thaw)
            yield service
    for builder in cached:
        builder.cache_clear()


def fire(schedule: Any) -> None:
    """A handler of a schedule, as EventBridge calls it."""
    fields = ("version", "account", "region", "detail-type", "source", "time", "id")
    schedule({**dict.fromkeys(fields, "x"), "detail": {}, "resources": []}, None)


def later(service: Service, **by: float) -> None:
    service.now += timedelta(**by)
