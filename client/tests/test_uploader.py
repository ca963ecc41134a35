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
from panicroom.duplicity_run.journal import Journal
from panicroom.transfer import uploader as uploader_module
from panicroom.transfer.bandwidth import RateLimit
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


class Desk:
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
def desk(service: FakeService, api: Api, tmp_path: Path) -> Desk:
    return Desk(service, api, tmp_path)


def test_everything_handed_over_is_stored_and_in_the_journal(desk: Desk) -> None:
    expected = {volume(number): desk.hand_over(number) for number in range(1, 9)}
    desk.uploader.wait()
    stored = {key.split("/")[1]: item.data for key, item in desk.service.objects.items()}
    assert stored == expected
    assert desk.service.upload_requests <= 8, "one control request a volume at most"
    journal = desk.journal.read().stored
    assert {name: file.etag for name, file in journal.items()} == {
        key.split("/")[1]: item.etag for key, item in desk.service.objects.items()
    }
    assert list(desk.spool.iterdir()) == []


def test_the_spool_is_bounded(desk: Desk) -> None:
    """No more than threads + 1 volumes wait, however slow S3 is."""
    gate = threading.Event()
    desk.service.on_put = lambda _name, phase: None if phase != "begin" else (gate.wait(10), None)[1]
    most = []
    feeder = threading.Thread(target=lambda: [desk.hand_over(number) for number in range(1, 9)])
    feeder.start()
    time.sleep(0.5)
    most.append(len(list(desk.spool.iterdir())))
    gate.set()
    feeder.join()
    desk.uploader.wait()
    assert most == [4]


def test_uploads_are_slowed_down_to_the_limit(service: FakeService, api: Api, tmp_path: Path) -> None:
    desk = Desk(service, api, tmp_path, limit=RateLimit(400_000))
    began = time.monotonic()
    for number in range(1, 5):
        desk.hand_over(number)
    desk.uploader.wait()
    assert 0.3 < time.monotonic() - began < 5


def test_files_that_are_ready_together_share_a_request(desk: Desk) -> None:
    """While one question is on its way, the others gather."""
    slow = threading.Event()
    desk.service.trouble = lambda method, path: (
        (slow.wait(0.3), None)[1] if path.endswith("/uploads") else None
    )
    for number in range(1, 5):
        desk.hand_over(number)
    desk.uploader.wait()
    assert desk.service.upload_requests < 4


def test_a_lost_answer_is_asked_for_again(desk: Desk) -> None:
    """S3 stored the volume and the connection broke: the service says so, nothing is sent twice."""
    lost = []

    def lose_first(name: str, phase: str) -> None:
        if phase == "end" and not lost:
            lost.append(name)
            raise ConnectionResetError

    desk.service.on_put = lose_first
    desk.hand_over(1)
    desk.uploader.wait()
    assert desk.journal.read().stored[volume(1)].etag == desk.service.objects[f"system/{volume(1)}"].etag
    assert desk.service.replaced == []


@pytest.mark.parametrize("status", [500, 503, 403, 400, -1])
def test_single_failures_of_s3_are_survived(desk: Desk, status: int) -> None:
    """A server's error, a URL that is too old, a broken body, a cut connection."""
    failures = iter([status, status])
    desk.service.trouble = lambda method, _path: next(failures, None) if method == "PUT" else None
    desk.hand_over(1)
    desk.uploader.wait()
    assert desk.service.names() == [volume(1)]


@pytest.mark.parametrize("status", [500, 503, 429, -1])
def test_single_failures_of_the_service_are_survived(desk: Desk, status: int) -> None:
    failures = iter([status, status])
    desk.service.trouble = lambda method, _path: next(failures, None) if method == "POST" else None
    desk.hand_over(1)
    desk.uploader.wait()
    assert desk.service.names() == [volume(1)]


def test_a_wait_that_s3_asks_for_is_kept(desk: Desk) -> None:
    """``Retry-After`` of a 503 (``SlowDown``) is longer than the client's own pause."""
    failures = iter([503])
    desk.service.retry_after_seconds = 1
    desk.service.trouble = lambda method, _path: next(failures, None) if method == "PUT" else None
    began = time.monotonic()
    desk.hand_over(1)
    desk.uploader.wait()
    assert time.monotonic() - began >= 1


def test_a_url_that_s3_never_accepts_ends_in_an_error_and_not_in_a_loop(desk: Desk) -> None:
    desk.service.trouble = lambda method, _path: 403 if method == "PUT" else None
    desk.hand_over(1)
    with pytest.raises(ApiError, match="S3 refuses"):
        desk.uploader.wait()


def test_a_failure_surfaces_in_every_later_call(desk: Desk) -> None:
    """Nothing is sealed after an upload that failed."""
    desk.service.trouble = lambda method, _path: 403 if method == "PUT" else None
    desk.hand_over(1)
    with pytest.raises(ApiError):
        desk.uploader.wait()
    desk.service.trouble = lambda _method, _path: None
    with pytest.raises(ApiError):
        desk.hand_over(2)
    with pytest.raises(ApiError):
        desk.uploader.store(desk.journal.path, "meta_duplicity-full.20261122T213347Z.manifest.gpg", ())


def test_a_stale_volume_of_the_open_set_is_replaced(desk: Desk) -> None:
    """The same name with other bytes, as a resumed run makes them."""
    desk.hand_over(1)
    desk.uploader.wait()
    fresh = desk.hand_over(1, size=60_000)
    desk.uploader.wait()
    assert desk.service.objects[f"system/{volume(1)}"].data == fresh
    assert desk.service.replaced == [volume(1)]


def test_a_lost_lease_ends_the_uploads(desk: Desk) -> None:
    desk.service.lease["system"] = "run-of-a-twin"
    desk.hand_over(1)
    with pytest.raises(ApiError) as caught:
        desk.uploader.wait()
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
def desk_of_small_parts(service: FakeService, api: Api, tmp_path: Path) -> Desk:
    """As if S3 took no more than 20,000 bytes in one piece."""
    return Desk(service, api, tmp_path, single_put_bytes=20_000, part_bytes=10_000)


def large_file(desk: Desk, size: int = 74_321) -> Path:
    path = desk.folder / "large"
    path.write_bytes(random.Random(size).randbytes(size))
    return path


def test_a_file_too_large_for_one_put_goes_up_in_parts(desk_of_small_parts: Desk) -> None:
    desk, path = desk_of_small_parts, large_file(desk_of_small_parts)
    desk.uploader.store(path, SIGNATURES)
    stored = desk.service.objects[f"system/{SIGNATURES}"]
    assert stored.data == path.read_bytes()
    assert desk.journal.read().stored[SIGNATURES].etag == stored.etag
    desk.uploader.store(path, SIGNATURES)  # known again: it costs one question
    assert len(desk.service.parts) == 8


@pytest.mark.parametrize("size", [20_000, 20_001, 30_000])
def test_parts_begin_behind_the_largest_single_put(desk_of_small_parts: Desk, size: int) -> None:
    desk, path = desk_of_small_parts, large_file(desk_of_small_parts, size)
    desk.uploader.store(path, SIGNATURES)
    assert desk.service.objects[f"system/{SIGNATURES}"].data == path.read_bytes()
    assert len(desk.service.parts) == (0 if size == 20_000 else 3)


@pytest.mark.parametrize("status", [500, 403, -1])
def test_a_part_that_fails_is_sent_again_by_a_new_url(desk_of_small_parts: Desk, status: int) -> None:
    desk, path = desk_of_small_parts, large_file(desk_of_small_parts)
    failures = itertools.cycle([status, None, None, None])
    desk.service.trouble = lambda method, _path: next(failures) if method == "PUT" else None
    desk.uploader.store(path, SIGNATURES)
    assert desk.service.objects[f"system/{SIGNATURES}"].data == path.read_bytes()


def test_a_part_that_s3_never_takes_ends_in_an_error(desk_of_small_parts: Desk) -> None:
    desk, path = desk_of_small_parts, large_file(desk_of_small_parts)
    desk.service.trouble = lambda method, _path: 400 if method == "PUT" else None
    with pytest.raises(ApiError, match="S3 refuses part"):
        desk.uploader.store(path, SIGNATURES)
    assert desk.service.objects == {}
