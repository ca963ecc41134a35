"""A storm of events through the real queue: doubled, shuffled, delayed, and some of them broken.

The bucket's own events go to a queue of the test's, which passes them on in its own order; so the events are
real, and the disorder is the test's. Objects are still being written while earlier events arrive.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chalicelib.domain.backups.names import SERVICE_PREFIX
from ops.aws import Aws
from ops.cli import commands
from ops.local.stack import local_stack
from ops.local.stack_file import StackDescription
from ops.service.admin_client import AdminClient, local_admin_client

WAVES = 4
DUPLICATES = 0.2
MALFORMED = 0.01
MACHINES = {"anna": ("system", "photos"), "ben": ("system",), "carla": ("system",)}
VOLUMES_OF_A_SET = 30
VISIBILITY_SECONDS = 3
"""A message that fails comes back after so long; in the deployment it is six minutes."""

TRIES = 5
"""Of a message, before it is a dead letter; in the deployment there are twenty."""

VOLUME = re.compile(r"data_duplicity-(?P<set>.+)\.vol\d+\.difftar\.gpg")
MANIFEST = re.compile(r"meta_duplicity-(?P<set>.+)\.manifest\.gpg")


@dataclass
class Set:
    """A set as the test writes it; every change of an object is one event."""

    prefix: str
    name: str
    volumes: int = 0
    sealed: bool = False


@dataclass
class Life:
    """What happens in the bucket: one call of S3, and so one event, a step."""

    s3: Any
    bucket: str
    random: random.Random
    open_sets: dict[str, Set] = field(default_factory=dict)
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    stored: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    begun: int = 0

    def step(self) -> None:
        chance = self.random.random()
        if chance < 0.08 and self.stored:
            self.put(self.random.choice(self.stored))
        elif chance < 0.15 and self.stored:
            key = self.stored.pop(self.random.randrange(len(self.stored)))
            self.s3.delete_object(Bucket=self.bucket, Key=key)
            self.deleted.append(key)
        elif chance < 0.18 and self.deleted:
            key = self.deleted.pop(self.random.randrange(len(self.deleted)))
            self.put(key)
            self.stored.append(key)
        elif chance < 0.22:
            self.add(f"{self.random.choice(['', 'anna/', 'dora/system/'])}stray {self.begun} {chance}.jpg")
        else:
            self.go_on_with_a_set()

    def go_on_with_a_set(self) -> None:
        prefix = self.random.choice([f"{name}/{job}/" for name, jobs in MACHINES.items() for job in jobs])
        current = self.open_sets.get(prefix)
        if current is None:
            self.begun += 1
            time_of_set = datetime(2020, 1, 1, tzinfo=timezone.utc) + timedelta(hours=self.begun)
            current = self.open_sets[prefix] = Set(prefix, f"full.{time_of_set:%Y%m%dT%H%M%SZ}")
        if current.sealed:
            del self.open_sets[prefix]
            self.add(f"{prefix}meta_duplicity-full-signatures.{current.name.partition('.')[2]}.sigtar.gpg")
        elif current.volumes < VOLUMES_OF_A_SET:
            current.volumes += 1
            self.add(f"{prefix}data_duplicity-{current.name}.vol{current.volumes}.difftar.gpg")
        else:
            current.sealed = True
            key = f"{prefix}meta_duplicity-{current.name}.manifest.gpg"
            self.metadata[key] = {"volumes": str(current.volumes)}
            self.add(key)

    def add(self, key: str) -> None:
        self.put(key)
        self.stored.append(key)

    def put(self, key: str) -> None:
        self.s3.put_object(
            Bucket=self.bucket,
            Key=key,
            Body=b"x" * self.random.randint(1, 50),
            Metadata=self.metadata.get(key, {}),
        )


@dataclass
class Queue:
    """A queue in few words."""

    sqs: Any
    url: str

    @property
    def arn(self) -> str:
        answer = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])

    def set(self, **attributes: str) -> None:
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes=attributes)

    def send(self, bodies: Sequence[str]) -> None:
        for start in range(0, len(bodies), 10):
            entries = [
                {"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[start : start + 10])
            ]
            assert not self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries).get("Failed")

    def take(self, count: int) -> list[str]:
        """So many messages, which are gone then."""
        bodies: list[str] = []
        while len(bodies) < count:
            answer = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=5)
            messages = answer.get("Messages", [])
            assert messages, f"{len(bodies)} of {count} events came"
            bodies += [message["Body"] for message in messages]
            entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
            self.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)
        return bodies

    def waiting(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return sum(int(count) for count in answer["Attributes"].values())


@dataclass
class Storm:
    """The service after the storm."""

    state_folder: Path
    stack: StackDescription
    aws: Aws
    admin: AdminClient
    life: Life
    recorder: Queue
    queue: Queue
    malformed: list[str]

    def asks(self, *words: str) -> Any:
        typed = [*words, "--json", "--state", str(self.state_folder)]
        result = CliRunner().invoke(commands, typed)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def record(self, steps: int) -> list[str]:
        """Has so many things happen in the bucket, and keeps back the events."""
        for _ in range(steps):
            self.life.step()
        return self.recorder.take(steps)

    def wait_until_quiet(self, seconds: float) -> None:
        self.wait(lambda: self.queue.waiting() == 0, seconds)

    def wait(self, until: Callable[[], bool], seconds: float) -> None:
        give_up_at = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < give_up_at
            time.sleep(0.2)

    def dead_letters(self) -> list[str]:
        """Bodies of what is in the dead-letter queue."""
        dead = Queue(self.queue.sqs, self.stack.dead_letter_queue)
        bodies = dead.take(dead.waiting())
        dead.send(bodies)
        return bodies


@pytest.fixture(scope="module", params=[300, pytest.param(20_000, marks=pytest.mark.soak)])
def storm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    """Raises a storm of so many messages and waits until all of them are catalogued or given up."""
    messages: int = request.param
    folder = tmp_path_factory.mktemp("storm")
    with local_stack(folder) as stack:
        storm = ready(folder, stack)
        storm.malformed += broken_events(int(messages * MALFORMED))
        steps = messages - int(messages * DUPLICATES) - len(storm.malformed)
        held_back: list[str] = []
        for wave in range(WAVES):
            share = steps // WAVES + (steps % WAVES if wave == 0 else 0)
            events = storm.record(share)
            doubled = storm.life.random.sample(events, int(messages * DUPLICATES / WAVES))
            told = [*held_back, *events, *doubled, *storm.malformed[wave::WAVES]]
            storm.life.random.shuffle(told)
            late = 0 if wave == WAVES - 1 else len(told) // 3
            held_back, now = told[:late], told[late:]
            storm.queue.send(now)
        storm.wait_until_quiet(seconds=60 + messages / 10)
        yield storm


def ready(folder: Path, stack: StackDescription) -> Storm:
    """The stack with its machines, and the bucket's events going to the test."""
    aws = Aws(stack.region, stack.endpoint)
    s3, sqs = aws.client("s3"), aws.client("sqs")
    admin = local_admin_client(stack)
    for machine, jobs in MACHINES.items():
        admin.call("machine_add", name=machine, jobs=list(jobs))
    recorder = Queue(sqs, sqs.create_queue(QueueName="recorder")["QueueUrl"])
    anybody = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": recorder.arn}
    recorder.set(Policy=json.dumps({"Version": "2012-10-17", "Statement": [anybody]}))
    events = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
    s3.put_bucket_notification_configuration(
        Bucket=stack.bucket,
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": recorder.arn, "Events": events}]},
    )
    sqs.purge_queue(QueueUrl=recorder.url)  # S3's test event
    queue = Queue(sqs, stack.queue)
    redrive = {"deadLetterTargetArn": Queue(sqs, stack.dead_letter_queue).arn, "maxReceiveCount": TRIES}
    queue.set(VisibilityTimeout=str(VISIBILITY_SECONDS), RedrivePolicy=json.dumps(redrive))
    life = Life(s3, stack.bucket, random.Random(20261122))
    return Storm(folder, stack, aws, admin, life, recorder, queue, [])


def broken_events(count: int) -> list[str]:
    """Each is broken in one of several ways, and no two are alike."""
    ways: list[Callable[[int], str]] = [
        lambda n: f"{{broken {n}",
        lambda n: json.dumps([n]),
        lambda n: json.dumps({"Records": n}),
        lambda n: json.dumps({"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": n}}}]}),
        lambda n: json.dumps({"Records": [{"s3": {"bucket": {}, "object": {"key": f"key {n}"}}}]}),
        lambda n: json.dumps({"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": f"%FF{n}"}}}]}),
    ]
    return [ways[number % len(ways)](number) for number in range(count)]


# ---------------------------------------------------------------- what has to hold


def in_bucket(storm: Storm) -> dict[str, tuple[int, str, str]]:
    """``key -> (size, class, version)`` of what can be read."""
    pages = storm.life.s3.get_paginator("list_object_versions").paginate(Bucket=storm.stack.bucket)
    return {
        one["Key"]: (one["Size"], one["StorageClass"], one["VersionId"])
        for page in pages
        for one in page.get("Versions", [])
        if one["IsLatest"] and not one["Key"].startswith(SERVICE_PREFIX)
    }


def in_catalogue(storm: Storm) -> dict[str, tuple[int, str, str]]:
    objects = [one for machine in MACHINES for one in storm.admin.catalogue_objects(machine)]
    objects += storm.admin.catalogue_strays()
    return {one.key: (one.size, one.storage_class, one.version_id) for one in objects}


def sets_in_bucket(keys: Iterable[str], prefix: str) -> dict[str, tuple[int, bool]]:
    """``set -> (volumes, sealed)`` of a job, by the names in its folder."""
    names = [key.removeprefix(prefix) for key in keys if key.startswith(prefix)]
    volumes = Counter(match["set"] for match in map(VOLUME.fullmatch, names) if match)
    sealed = {match["set"] for match in map(MANIFEST.fullmatch, names) if match}
    return {name: (volumes[name], name in sealed) for name in volumes.keys() | sealed}


def test_every_object_is_catalogued_as_it_is_in_the_bucket(storm: Storm) -> None:
    assert in_catalogue(storm) == in_bucket(storm)
    assert len(in_bucket(storm)) > 100


def test_every_set_is_what_its_objects_add_up_to(storm: Storm) -> None:
    keys = in_bucket(storm)
    seen = 0
    for machine in MACHINES:
        for job in storm.admin.call("machine_show", name=machine)["jobs"]:
            prefix = f"{machine}/{job['job']}/"
            shown = {one["set"]: (one["volumes"], one["sealed"]) for one in job["sets"] if one["bytes"]}
            expected = sets_in_bucket(keys, prefix)
            signatures_only = shown.keys() - expected.keys()
            assert {name: shown[name] for name in expected} == expected
            assert {shown[name] for name in signatures_only} <= {(0, False)}
            assert job["stored_bytes"] == sum(
                size for key, (size, _, _) in keys.items() if key.startswith(prefix) and "duplicity" in key
            )
            seen += len(expected)
    assert seen > 2


def test_reconcile_finds_nothing_to_mend(storm: Storm) -> None:
    """It compares older versions too, and adds every set up anew."""
    assert storm.asks("reconcile")["differences"] == []


def test_the_dead_letter_queue_holds_exactly_the_malformed(storm: Storm) -> None:
    assert sorted(storm.dead_letters()) == sorted(storm.malformed)
    assert len(storm.malformed) > 2
    listed = storm.asks("dead-letters", "list")["messages"]
    assert [one["malformed"] for one in listed].count(None) == 0


def test_replay_works_once_the_cause_is_gone(storm: Storm) -> None:
    """The cause: a function that was given the name of a table that is not there."""
    functions, name = storm.aws.client("lambda"), storm.stack.functions["catalogue"]
    right = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    wrong = {**right, "PANICROOM_TABLE": "no-such-table"}
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": wrong})
    told = storm.record(10)
    storm.queue.send(told)
    storm.wait_until_quiet(seconds=120)
    assert sorted(storm.dead_letters()) == sorted(storm.malformed + told)
    assert in_catalogue(storm) != in_bucket(storm)
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": right})
    answer = storm.asks("dead-letters", "replay")
    assert (answer["replayed"], len(answer["left"])) == (len(told), len(storm.malformed))
    storm.wait_until_quiet(seconds=60)
    assert in_catalogue(storm) == in_bucket(storm)
    assert sorted(storm.dead_letters()) == sorted(storm.malformed)
