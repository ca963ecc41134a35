"""Ways around the seal gate, each tried by somebody who holds the lease."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import pytest

from tests.service.conftest import BUCKET, Service, later

SET = "20261122T195500Z"
VOLUME = "data_duplicity-full." + SET + ".vol{}.difftar.gpg"
SIGNATURES = f"meta_duplicity-full-signatures.{SET}.sigtar.gpg"
MANIFEST = f"meta_duplicity-full.{SET}.manifest.gpg"
JSONSTAT = f"meta_duplicity-full.{SET}.jsonstat.gpg"
PREFIX = "anna-laptop/system/"


class Gate:
    """A run with a set of two volumes and signatures, stored and ready to be sealed."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.token = service.enrolled()
        self.run = service.run(self.token).body["run"]
        self.members = [self.put(name) for name in (VOLUME.format(1), VOLUME.format(2), SIGNATURES)]

    def ask(self, name: str, content: bytes = b"content", **fields: Any) -> dict[str, Any]:
        file = {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest(), **fields}
        return self.service.permit(self.token, self.run, file)[0]

    def put(self, name: str, content: bytes = b"content") -> dict[str, Any]:
        assert "url" in self.ask(name, content)
        etag = self.service.put(PREFIX + name, content)
        return {"name": name, "size": len(content), "etag": etag}

    def ask_to_seal(self, *more: dict[str, Any], **fields: Any) -> dict[str, Any]:
        return self.ask(MANIFEST, b"manifest", set=[*self.members, *more], **fields)

    def use(self, seal: dict[str, Any]) -> None:
        metadata = {"volumes": seal["headers"]["x-amz-meta-volumes"]}
        self.service.put(PREFIX + MANIFEST, b"manifest", Metadata=metadata)

    def discard(self, *names: str) -> dict[str, Any]:
        body = {"run": self.run, "names": names}
        answer: dict[str, Any] = self.service.call("POST", "/jobs/system/discards", body, self.token).body
        return answer

    def names(self) -> list[str]:
        return [key.removeprefix(PREFIX) for key in self.service.stored_keys()]


@pytest.fixture
def gate(service: Service) -> Gate:
    return Gate(service)


def absent(number: int) -> dict[str, Any]:
    return {"name": VOLUME.format(number), "size": 7, "etag": "0" * 32}


def test_a_second_request_that_is_refused_does_not_open_the_set_while_the_first_url_lives(gate: Gate) -> None:
    """Opened, it would give up a volume; then the first URL seals a set with a hole."""
    assert "url" in gate.ask_to_seal()
    assert "error" in gate.ask_to_seal(absent(3))
    assert gate.discard(VOLUME.format(2))["discarded"] == []
    assert gate.ask(VOLUME.format(2), b"other")["error"] == "set_sealing"
    assert VOLUME.format(2) in gate.names()


def test_a_refused_request_leaves_an_open_set_open(gate: Gate) -> None:
    assert gate.ask_to_seal(absent(3))["error"] == "set_incomplete"
    assert "url" in gate.ask(VOLUME.format(3))


def test_asking_again_with_another_size_does_not_shorten_the_wait(gate: Gate) -> None:
    """A long manifest's PUT may be under way for long after its URL has lapsed."""
    assert "url" in gate.ask_to_seal(size=2**26)
    gate.ask_to_seal(size=1)
    later(gate.service, minutes=5)
    assert gate.discard(VOLUME.format(2))["discarded"] == []


def test_two_urls_with_different_counts_both_fit_the_bucket(gate: Gate) -> None:
    late = gate.ask(VOLUME.format(3))
    first = gate.ask_to_seal()
    assert "url" in late
    member = {
        "name": VOLUME.format(3),
        "size": 7,
        "etag": gate.service.put(PREFIX + VOLUME.format(3), b"content"),
    }
    second = gate.ask_to_seal(member)
    counts = {seal["headers"]["x-amz-meta-volumes"] for seal in (first, second) if "url" in seal}
    assert counts <= {"2", "3"}
    gate.use(first)
    gate.service.catalogue(*(PREFIX + name for name in [*gate.names(), MANIFEST]))
    assert VOLUME.format(3) not in gate.names()
    assert [VOLUME.format(1), VOLUME.format(2)] == gate.names()[:2]


def test_a_statistics_file_that_was_there_before_the_seal_is_not_the_sets_own(gate: Gate) -> None:
    """duplicity writes it last. One that comes before would keep out the real one for ever."""
    gate.put(JSONSTAT, b"a stranger's")
    gate.use(gate.ask_to_seal())
    assert JSONSTAT not in gate.names()
    gate.put(JSONSTAT, b"duplicity's")


def test_a_late_volume_is_marked_deleted_though_it_failed_the_first_time(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue brings the message back; the rows are up to date by then."""
    from chalicelib.adapters.s3_buckets import Buckets

    def fail(*_: object) -> None:
        raise TimeoutError

    gate.use(gate.ask_to_seal())
    gate.service.put(PREFIX + VOLUME.format(3), b"late")
    keys = [PREFIX + name for name in gate.names()]
    with monkeypatch.context() as failing:
        failing.setattr(Buckets, "mark_deleted", fail)
        assert gate.service.catalogue(*keys, sequencer="A1")["batchItemFailures"]
    gate.service.catalogue(*keys, sequencer="A1")
    assert VOLUME.format(3) not in gate.names()


def test_a_late_volume_is_marked_deleted_also_where_the_seal_is_told_last(gate: Gate) -> None:
    gate.use(gate.ask_to_seal())
    gate.service.put(PREFIX + VOLUME.format(3), b"late")
    for name in (VOLUME.format(3), VOLUME.format(1), VOLUME.format(2), SIGNATURES, MANIFEST):
        gate.service.catalogue(PREFIX + name, sequencer="A1")
    assert VOLUME.format(3) not in gate.names()
    assert VOLUME.format(2) in gate.names()


@pytest.mark.parametrize("kind", ["in front of it", "behind it"])
def test_two_requests_of_one_batch_cannot_slip_past_each_other(gate: Gate, kind: str) -> None:
    volume = {"name": VOLUME.format(3), "size": 1, "sha256": "0" * 64}
    digest = hashlib.sha256(b"manifest").hexdigest()
    manifest = {"name": MANIFEST, "size": 8, "sha256": digest, "set": gate.members}
    batch = {"in front of it": [volume, manifest], "behind it": [manifest, volume]}
    permits = gate.service.permit(gate.token, gate.run, *batch[kind])
    gate.use(permits[1 if kind == "in front of it" else 0])
    if kind != "in front of it":
        assert permits[-1]["error"] == "set_sealing"
    assert gate.ask(VOLUME.format(3))["error"] == "set_sealed"


def test_a_discard_lock_outlives_the_function_that_took_it() -> None:
    """Else a call that is still deleting could meet a seal."""
    from chalicelib.domain.backups.uploads import DISCARD_LOCK_LIFE
    from ops.functions.chalice_config import TIMEOUT_SECONDS

    assert DISCARD_LOCK_LIFE.total_seconds() > TIMEOUT_SECONDS["discard"]


def test_the_manifests_url_has_lapsed_before_the_set_opens_again(gate: Gate) -> None:
    seal = gate.ask_to_seal()
    assert "X-Amz-Expires=30&" in seal["url"]
    later(gate.service, seconds=44)
    assert gate.discard(VOLUME.format(2))["discarded"] == []
    later(gate.service, seconds=3)
    assert gate.discard(VOLUME.format(2))["discarded"] == [VOLUME.format(2)]
    assert gate.service.now > datetime.fromisoformat("2026-11-22T20:00:45+00:00")


def test_a_name_that_was_given_up_can_be_stored_again_and_the_set_sealed(gate: Gate) -> None:
    gate.discard(VOLUME.format(2))
    gate.members[1] = gate.put(VOLUME.format(2), b"made anew")
    gate.use(gate.ask_to_seal())
    found = gate.service.s3.get_object(Bucket=BUCKET, Key=PREFIX + VOLUME.format(2))
    assert found["Body"].read() == b"made anew"
