"""Uploads to a service and an S3 that misbehave."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_service import CODE, FakeService
from panicroom import api as api_module
from panicroom import wire
from panicroom.api import Api, ApiError
from panicroom.transfer import uploader as uploader_module
from panicroom.transfer.bandwidth import RateLimit
from panicroom.transfer.journal import Journal
from panicroom.transfer.uploader import Uploader

SECRET_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def volume(number: int) -> str:
    return f"data_duplicity-full.20261122T213347Z.vol{number}.difftar.gpg"


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits a hundredth of the time between tries."""
    usual = api_module.waits

    def soon(patience_seconds: float) -> Iterator[float]:
        return usual(patience_seconds / 100, 0.01, 0.1)

    monkeypatch.setattr(uploader_module, "waits", soon)
    monkeypatch.setattr(api_module, "waits", soon)


@pytest.fixture
def api(service: FakeService) -> Api:
    service.enrol({"code": CODE, "secret_sha256": SECRET_SHA256})
    return Api(service.url, "laptop.test", patience_seconds=300)


class RecordingBatcher:
    """An uploader at work in a folder of its own."""

    def __init__(self, service: FakeService, api: Api, folder: Path, **options: Any) -> None:
        run = api.start_run("system", wire.RunStart("full", "2026-11-22T21:33:47Z", run="run-1")).run
        self.journal = Journal(folder / "journal.jsonl")
        self.spool = folder / "spool"
        self.spool.mkdir()
        self.folder, self.service = folder, service
        self.uploader = Uploader(api, "system", run, self.journal, self.spool, **{"threads": 3, **options})

    def hand_over(self, number: int, size: int = 50_000) -> bytes:
        data = bytes([number]) * size
        source = self.folder / "made"
        source.write_bytes(data)
        self.uploader.hand_over(source, volume(number))
        source.unlink()
        return data


@pytest.fixture
def batcher(service: FakeService, api: Api, tmp_path: Path) -> RecordingBatcher:
    return RecordingBatcher(service, api, tmp_path)


def test_everything_handed_over_is_stored_and_in_the_journal(batcher: RecordingBatcher) -> None:
    expected = {volume(number): batcher.hand_over(number) for number in range(1, 9)}
    batcher.uploader.wait()
    stored = {key.split("/")[1]: item.data for key, item in batcher.service.objects.items()}
    assert stored == expected
    assert batcher.service.upload_requests <= 8, "one control request a volume at most"
    journal = batcher.journal.read().stored
    assert {name: file.etag for name, file in journal.items()} == {
        key.split("/")[1]: item.etag for key, item in batcher.service.objects.items()
    }
    assert list(batcher.spool.iterdir()) == []


def test_the_spool_is_bounded(batcher: RecordingBatcher) -> None:
    """No more than threads + 1 volumes wait, however slow S3 is."""
    gate = threading.Event()
    batcher.service.on_put = lambda _name, phase: None if phase != "begin" else (gate.wait(20), None)[1]
    feeder = threading.Thread(target=lambda: [batcher.hand_over(number) for number in range(1, 9)])
    feeder.start()
    while feeder.is_alive() and len(list(batcher.spool.iterdir())) < 4:
        time.sleep(0.01)
    time.sleep(0.1)  # one too many would come now
    most = len(list(batcher.spool.iterdir()))
    gate.set()
    feeder.join()
    batcher.uploader.wait()
    assert most == 4


def test_uploads_are_slowed_down_to_the_limit(service: FakeService, api: Api, tmp_path: Path) -> None:
    batcher = RecordingBatcher(service, api, tmp_path, limit=RateLimit(400_000))
    began = time.monotonic()
    for number in range(1, 5):
        batcher.hand_over(number)
    batcher.uploader.wait()
    assert time.monotonic() - began > 0.3


def test_files_that_are_ready_together_share_a_request(batcher: RecordingBatcher) -> None:
    """While one question is on its way, the others gather."""
    slow = threading.Event()
    batcher.service.trouble = lambda method, path: (
        (slow.wait(0.3), None)[1] if path.endswith("/uploads") else None
    )
    for number in range(1, 5):
        batcher.hand_over(number)
    batcher.uploader.wait()
    assert batcher.service.upload_requests < 4


def test_a_lost_answer_is_asked_for_again(batcher: RecordingBatcher) -> None:
    """S3 stored the volume and the connection broke: the service says so, nothing is sent twice."""
    lost = []

    def lose_first(name: str, phase: str) -> None:
        if phase == "end" and not lost:
            lost.append(name)
            raise ConnectionResetError

    batcher.service.on_put = lose_first
    batcher.hand_over(1)
    batcher.uploader.wait()
    assert (
        batcher.journal.read().stored[volume(1)].etag == batcher.service.objects[f"system/{volume(1)}"].etag
    )
    assert batcher.service.replaced == []


@pytest.mark.parametrize("status", [500, 503, 403, 400, -1])
def test_single_failures_of_s3_are_survived(batcher: RecordingBatcher, status: int) -> None:
    """A server's error, a URL that is too old, a broken body, a cut connection."""
    failures = iter([status, status])
    batcher.service.trouble = lambda method, _path: next(failures, None) if method == "PUT" else None
    batcher.hand_over(1)
    batcher.uploader.wait()
    assert batcher.service.names() == [volume(1)]


@pytest.mark.parametrize("status", [500, 503, 429, -1])
def test_single_failures_of_the_service_are_survived(batcher: RecordingBatcher, status: int) -> None:
    failures = iter([status, status])
    batcher.service.trouble = lambda method, _path: next(failures, None) if method == "POST" else None
    batcher.hand_over(1)
    batcher.uploader.wait()
    assert batcher.service.names() == [volume(1)]


def test_a_wait_that_s3_asks_for_is_kept(batcher: RecordingBatcher) -> None:
    """``Retry-After`` of a 503 (``SlowDown``) is longer than the client's own pause."""
    failures = iter([503])
    batcher.service.retry_after_seconds = 1
    batcher.service.trouble = lambda method, _path: next(failures, None) if method == "PUT" else None
    began = time.monotonic()
    batcher.hand_over(1)
    batcher.uploader.wait()
    assert time.monotonic() - began >= 1


def test_a_url_that_s3_never_accepts_ends_in_an_error_and_not_in_a_loop(batcher: RecordingBatcher) -> None:
    batcher.service.trouble = lambda method, _path: 403 if method == "PUT" else None
    batcher.hand_over(1)
    with pytest.raises(ApiError, match="S3 refuses"):
        batcher.uploader.wait()


def test_a_failure_surfaces_in_every_later_call(batcher: RecordingBatcher) -> None:
    """Nothing is sealed after an upload that failed."""
    batcher.service.trouble = lambda method, _path: 403 if method == "PUT" else None
    batcher.hand_over(1)
    with pytest.raises(ApiError):
        batcher.uploader.wait()
    batcher.service.trouble = lambda _method, _path: None
    with pytest.raises(ApiError):
        batcher.hand_over(2)
    with pytest.raises(ApiError):
        batcher.uploader.store(batcher.journal.path, "meta_duplicity-full.20261122T213347Z.manifest.gpg", ())


def test_a_stale_volume_of_the_open_set_is_replaced(batcher: RecordingBatcher) -> None:
    """The same name with other bytes, as a resumed run makes them."""
    batcher.hand_over(1)
    batcher.uploader.wait()
    fresh = batcher.hand_over(1, size=60_000)
    batcher.uploader.wait()
    assert batcher.service.objects[f"system/{volume(1)}"].data == fresh
    assert batcher.service.replaced == [volume(1)]


def test_a_lost_lease_ends_the_uploads(batcher: RecordingBatcher) -> None:
    batcher.service.lease["system"] = "run-of-a-twin"
    batcher.hand_over(1)
    with pytest.raises(ApiError) as caught:
        batcher.uploader.wait()
    assert caught.value.code == "lease_lost"


def test_a_wait_that_the_service_asks_for_is_kept(service: FakeService, api: Api) -> None:
    """``Retry-After`` is longer than the client's own pause."""
    paused: list[float] = []
    failures = iter([503])
    service.retry_after_seconds = 7
    service.trouble = lambda _method, _path: next(failures, None)
    patient = Api(service.url, "laptop.test", patience_seconds=300, sleep=paused.append)
    patient.machine()
    assert paused == [7]


# ---------------------------------------------------------------- in parts

SIGNATURES = "meta_duplicity-full-signatures.20261122T213347Z.sigtar.gpg"


@pytest.fixture
def batcher_of_small_parts(service: FakeService, api: Api, tmp_path: Path) -> RecordingBatcher:
    """As if S3 took no more than 20,000 bytes in one piece."""
    return RecordingBatcher(service, api, tmp_path, single_put_bytes=20_000, part_bytes=10_000)


def large_file(batcher: RecordingBatcher, size: int = 74_321) -> Path:
    path = batcher.folder / "large"
    path.write_bytes(random.Random(size).randbytes(size))
    return path


def test_a_file_too_large_for_one_put_goes_up_in_parts(batcher_of_small_parts: RecordingBatcher) -> None:
    batcher, path = batcher_of_small_parts, large_file(batcher_of_small_parts)
    batcher.uploader.store(path, SIGNATURES)
    stored = batcher.service.objects[f"system/{SIGNATURES}"]
    assert stored.data == path.read_bytes()
    assert batcher.journal.read().stored[SIGNATURES].etag == stored.etag
    batcher.uploader.store(path, SIGNATURES)  # known again: it costs one question
    assert len(batcher.service.parts) == 8


@pytest.mark.parametrize("size", [20_000, 20_001, 30_000])
def test_parts_begin_behind_the_largest_single_put(
    batcher_of_small_parts: RecordingBatcher, size: int
) -> None:
    batcher, path = batcher_of_small_parts, large_file(batcher_of_small_parts, size)
    batcher.uploader.store(path, SIGNATURES)
    assert batcher.service.objects[f"system/{SIGNATURES}"].data == path.read_bytes()
    assert len(batcher.service.parts) == (0 if size == 20_000 else 3)


@pytest.mark.parametrize("status", [500, 403, -1])
def test_a_part_that_fails_is_sent_again_by_a_new_url(
    batcher_of_small_parts: RecordingBatcher, status: int
) -> None:
    batcher, path = batcher_of_small_parts, large_file(batcher_of_small_parts)
    failures = itertools.cycle([status, None, None, None])
    batcher.service.trouble = lambda method, _path: next(failures) if method == "PUT" else None
    batcher.uploader.store(path, SIGNATURES)
    assert batcher.service.objects[f"system/{SIGNATURES}"].data == path.read_bytes()


def test_a_part_that_s3_never_takes_ends_in_an_error(batcher_of_small_parts: RecordingBatcher) -> None:
    batcher, path = batcher_of_small_parts, large_file(batcher_of_small_parts)
    batcher.service.trouble = lambda method, _path: 400 if method == "PUT" else None
    with pytest.raises(ApiError, match="S3 refuses part"):
        batcher.uploader.store(path, SIGNATURES)
    assert batcher.service.objects == {}
