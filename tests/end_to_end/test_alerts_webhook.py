"""A receiver on loopback gets each alert once, on a stack with IAM enforced, whatever becomes of the mail."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from ops.aws import Aws
from ops.local.stack import local_stack
from ops.local.stack_file import StackDescription
from ops.resources.webhook_subscription import end_webhook, read_webhook, subscribe_webhook
from ops.service.admin_client import AdminClient, local_admin_client
from ops.stages import LOCAL, Stage

QUIET_SECONDS = 3.0
"""A second delivery of the same alert would have come: the stack posts within milliseconds."""


class Receiver:
    """Confirms its subscription, as a pager's service does, and keeps what it gets."""

    def __init__(self) -> None:
        self.notifications: list[dict[str, Any]] = []
        self.confirmed = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                posted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()
                receiver.take(posted)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hooks/{uuid.uuid4()}"

    def take(self, posted: dict[str, Any]) -> None:
        if posted["Type"] == "SubscriptionConfirmation":
            httpx.get(posted["SubscribeURL"], timeout=30).raise_for_status()
            self.confirmed.set()
        else:
            self.notifications.append(posted)

    def bodies(self, count: int) -> list[dict[str, Any]]:
        """The JSON of exactly so many alerts: waits for them, and then for one too many."""
        wait_for(lambda: len(self.notifications) >= count)
        time.sleep(QUIET_SECONDS)
        assert len(self.notifications) == count, self.notifications
        return [json.loads(one["Message"]) for one in self.notifications]

    def __enter__(self) -> Receiver:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.1)


@dataclasses.dataclass
class Watched:
    """A stack whose alerts go to the receiver. Its schedule is off: the tests call the function."""

    stack: StackDescription
    aws: Aws
    admin: AdminClient
    receiver: Receiver
    stage: Stage

    def tick(self) -> str | None:
        """One call of the minute's function; the error that it ended with."""
        event = {"id": "x", "account": "x", "region": "x", "detail": {}, "detail-type": "x", "source": "x",
                 "time": "x", "version": "0", "resources": []}  # fmt: skip
        answer = self.aws.client("lambda").invoke(
            FunctionName=self.stack.functions["alerts"], Payload=json.dumps(event).encode()
        )
        payload = json.loads(answer["Payload"].read())
        return payload["errorMessage"] if "FunctionError" in answer else None

    def copy(self, machine: str) -> None:
        """A backup begins while one runs, as where two computers have one token: told at once."""
        code, secret = self.admin.call("machine_add", name=machine)["code"], uuid.uuid4().hex * 2
        hashed = hashlib.sha256(secret.encode()).hexdigest()
        self._post("/enrolments", {"code": code, "secret_sha256": hashed}, "", 201)
        begun = {"kind": "full", "clock": f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"}
        for status in (201, 409):
            self._post("/jobs/system/runs", begun, f"Bearer {machine}.{secret}", status)

    def _post(self, path: str, body: object, authorization: str, status: int) -> None:
        headers = {"Authorization": authorization} if authorization else {}
        answer = httpx.post(self.stack.api_url + path, json=body, headers=headers, timeout=60)
        assert answer.status_code == status, answer.text


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with local_stack(tmp_path_factory.mktemp("watched"), enforce_iam=True) as stack, Receiver() as receiver:
        aws = Aws(stack.region, stack.endpoint)
        events = aws.client("events")
        for rule in events.list_rules(NamePrefix=f"{LOCAL.prefix}-alerts")["Rules"]:
            events.disable_rule(Name=rule["Name"])
        stage = dataclasses.replace(LOCAL, webhook=read_webhook(receiver.url))
        subscribe_webhook(aws.client("sns"), stage)
        assert receiver.confirmed.wait(30)
        yield Watched(stack, aws, local_admin_client(stack), receiver, stage)


def test_an_alert_comes_once_though_the_tick_is_repeated_and_two_run_at_once(watched: Watched) -> None:
    watched.copy("anna-laptop")
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: watched.tick(), range(4))) == [None] * 4
    assert [watched.tick() for _ in range(2)] == [None, None]
    [body] = watched.receiver.bodies(1)
    assert (body["stage"], body["format"], body["left_off"]) == ("local", 1, 0)
    assert {item["machine"] for item in body["items"]} == {"anna-laptop"}
    assert body["items"][0]["severity"] == "urgent"
    assert watched.receiver.notifications[0]["Subject"].startswith("[panicroom] Look now: anna-laptop")


def test_an_alert_comes_once_though_ses_refuses_its_mail_again_and_again(watched: Watched) -> None:
    ses = watched.aws.client("sesv2")
    ses.delete_email_identity(EmailIdentity=LOCAL.sender)
    try:
        watched.copy("bert")
        first, *others = [watched.tick() for _ in range(3)]
        assert "not verified" in (first or "")
        assert all(said is None or "not verified" in said for said in others), "it rests between its tries"
        answer = watched.admin.call("alerts_send")
        assert (answer["message_id"], answer["published"]) == (None, False)
        assert "not verified" in answer["mail_failed"]
        assert {item["machine"] for item in watched.receiver.bodies(2)[-1]["items"]} == {"bert"}
    finally:
        ses.create_email_identity(EmailIdentity=LOCAL.sender)
    assert watched.admin.call("alerts_send")["message_id"], "by hand at once"
    assert watched.tick() is None
    watched.receiver.bodies(2)


def test_a_webhook_that_was_ended_gets_nothing_more(watched: Watched) -> None:
    end_webhook(watched.aws.client("sns"), LOCAL, watched.stage.webhook)
    watched.copy("carla")
    assert watched.tick() is None
    watched.receiver.bodies(2)
