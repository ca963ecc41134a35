"""Volumes are there before duplicity asks for them, within bounds, and whatever goes wrong on the way."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_service import CODE, FakeService
from panicroom import api as api_module
from panicroom.api import Api, ApiError
from panicroom.transfer import downloader as downloader_module
from panicroom.transfer.downloader import DOWNLOADS_AHEAD, Downloader, NotReadable
from panicroom.transfer.header_facts import knows_facts, with_header_facts
from panicroom.wire import DownloadPermit, ErrorCode

SECRET_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
FULL = "data_duplicity-full.20261122T213347Z.vol{}.difftar.gpg"
INCREMENT = "data_duplicity-inc.20261122T213347Z.to.2026112{}T213347Z.vol{}.difftar.gpg"


class Restore:
    """Takes volumes as duplicity does, one after the other."""

    def __init__(self, service: FakeService, folder: Path) -> None:
        service.enrol({"code": CODE, "secret_sha256": SECRET_SHA256})
        self.service, self.folder = service, folder
        self.ahead = folder / "ahead"
        self.ahead.mkdir()
        numbers = itertools.count()
        api = Api(service.url, "laptop.test", patience_seconds=300)
        self.downloader = Downloader(api, "system", lambda _name: self.ahead / str(next(numbers)))

    def store(self, *names: str) -> list[str]:
        for name in names:
            self.service.store(name, random.Random(name).randbytes(10_000))
        return list(names)

    def take(self, name: str) -> bytes:
        target = self.folder / "target"
        self.downloader.fetch(name, target)
        data = target.read_bytes()
        target.unlink()
        return data

    def is_right(self, name: str) -> bool:
        return self.take(name) == self.service.objects[f"system/{name}"].data

    def at_hand(self, count: int) -> bool:
        """Whether in the end so many downloads were begun and have arrived."""
        give_up_at = time.monotonic() + 10
        while time.monotonic() < give_up_at:
            if sum(path.stat().st_size == 10_000 for path in self.ahead.iterdir()) == count:
                time.sleep(0.1)  # one too many would come now
                return len(list(self.ahead.iterdir())) == count
            time.sleep(0.01)
        return False


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = api_module.waits

    def soon(patience_seconds: float) -> Iterator[float]:
        return usual(patience_seconds / 100, 0.01, 0.1)

    monkeypatch.setattr(downloader_module, "waits", soon)
    monkeypatch.setattr(api_module, "waits", soon)


@pytest.fixture
def restore(service: FakeService, tmp_path: Path) -> Iterator[Restore]:
    one = Restore(service, tmp_path)
    yield one
    one.downloader.close()


def test_the_next_volumes_are_fetched_while_one_is_read(restore: Restore) -> None:
    """No more than fit, and each that is taken makes room for another."""
    names = restore.store(*(FULL.format(number) for number in range(1, 21)))
    restore.downloader.announce(names)
    assert restore.at_hand(DOWNLOADS_AHEAD)
    assert restore.service.download_requests == 1
    for taken, name in enumerate(names, 1):
        assert restore.is_right(name)
        assert restore.at_hand(min(DOWNLOADS_AHEAD, len(names) - taken))
    assert restore.service.download_requests <= len(names)


def test_of_a_chain_the_first_volume_of_every_set_comes_before_the_second_of_any(restore: Restore) -> None:
    """duplicity reads them in that order, and waits for each that was not begun."""
    full = [FULL.format(number) for number in range(1, 16)]
    increments = [INCREMENT.format(day, 1) for day in range(3, 6)]
    restore.store(*full, *increments)
    restore.downloader.announce([*full, *increments])
    assert restore.at_hand(DOWNLOADS_AHEAD)
    assert restore.service.sent.keys() == {*full[: DOWNLOADS_AHEAD - 3], *increments}
    assert restore.service.download_requests == 1
    assert all(restore.is_right(name) for name in (full[0], *increments))
    assert restore.at_hand(DOWNLOADS_AHEAD)
    assert restore.service.sent.keys() == {*full[: DOWNLOADS_AHEAD + 1], *increments}


def test_of_many_sets_the_first_volumes_are_fetched_in_their_turn(restore: Restore) -> None:
    firsts = [INCREMENT.format(day, 1) for day in range(10, 30)]
    restore.store(*firsts)
    restore.downloader.announce(firsts)
    for taken, name in enumerate(firsts, 1):
        assert restore.is_right(name)
        assert restore.at_hand(min(DOWNLOADS_AHEAD, len(firsts) - taken))


def test_the_permits_of_many_small_files_are_asked_for_before_the_first_is_fetched_one_request_at_a_time(
    restore: Restore,
) -> None:
    """A second request at the same time would wait for another Lambda function to start."""
    names = restore.store(*(f"meta_{number}" for number in range(250)))
    free, all_asked = threading.Lock(), threading.Event()
    together = threading.Event()

    def hold(_method: str, path: str) -> None:
        if path.endswith("/downloads"):
            if not free.acquire(blocking=False):
                together.set()
                return
            time.sleep(0.05)
            free.release()

    held: Callable[[str, str], int | None] = hold
    restore.service.trouble = held
    prepared = dict(restore.downloader.prepare(dict.fromkeys(names, 10_000)))
    restore.downloader.after_permits(all_asked.set)
    assert all_asked.wait(100)
    assert not together.is_set()
    assert restore.service.download_requests == 3
    for name in (names[0], names[100], names[249]):
        prepared[name](restore.folder / name)
        assert (restore.folder / name).read_bytes() == restore.service.objects[f"system/{name}"].data
    assert restore.service.download_requests == 3


def test_the_permits_of_large_files_are_asked_for_in_their_turn(restore: Restore) -> None:
    """Else their URLs were too old before a slow line had come to them."""
    names = restore.store(*(f"meta_{number}" for number in range(250)))
    prepared = dict(restore.downloader.prepare(dict.fromkeys(names, 100_000)))
    for name, requests in ((names[0], 1), (names[99], 1), (names[100], 2)):
        prepared[name](restore.folder / name)
        assert restore.service.download_requests == requests


def test_a_request_for_permits_that_failed_for_good_is_not_made_again_for_each_file(restore: Restore) -> None:
    names = restore.store(*(f"meta_{number}" for number in range(50)))
    asked: list[str] = []

    def refuse(_method: str, path: str) -> int | None:
        asked.append(path)
        return 403

    restore.service.trouble = refuse
    for name, download in restore.downloader.prepare(dict.fromkeys(names, 10_000)):
        with pytest.raises(ApiError):
            download(restore.folder / name)
    assert len(asked) == 1


def test_sets_that_are_read_side_by_side_do_not_wait_for_each_other(restore: Restore) -> None:
    """Whatever is fetched ahead, the volume that is wanted comes."""
    sets = [[FULL.format(number) for number in range(1, 16)]]
    sets += [[INCREMENT.format(day, number) for number in range(1, 6)] for day in range(3, 9)]
    restore.store(*itertools.chain(*sets))
    restore.downloader.announce(list(itertools.chain(*sets)))
    chance = random.Random(3)
    while any(sets):
        assert restore.is_right(chance.choice([one for one in sets if one]).pop(0))
        assert len(list(restore.ahead.iterdir())) <= DOWNLOADS_AHEAD
    assert list(restore.ahead.iterdir()) == []


@pytest.mark.parametrize("status", [500, 503, 403, -1], ids=["broken", "slow down", "too old", "cut"])
def test_failures_of_s3_are_survived(restore: Restore, status: int) -> None:
    """A URL that is too old is asked for anew."""
    failures = itertools.cycle([status, None, None])
    restore.service.trouble = lambda method, path: next(failures) if path.startswith("/s3") else None
    names = restore.store(*(FULL.format(number) for number in range(1, 12)))
    restore.downloader.announce(names)
    assert all(restore.is_right(name) for name in names)


def test_a_wait_that_s3_asks_for_is_kept(restore: Restore) -> None:
    failures = iter([503])
    restore.service.retry_after_seconds = 1
    restore.service.trouble = lambda _method, path: next(failures, None) if path.startswith("/s3") else None
    (name,) = restore.store(FULL.format(1))
    began = time.monotonic()
    assert restore.is_right(name)
    assert time.monotonic() - began >= 1


def test_a_volume_fetched_ahead_in_vain_is_fetched_when_it_is_wanted(restore: Restore) -> None:
    """As if the disk had been full: what duplicity asks for is tried once more, and nothing is left behind."""
    names = restore.store(*(FULL.format(number) for number in range(1, 5)))
    restore.ahead.rmdir()
    restore.downloader.announce(names)
    assert all(restore.is_right(name) for name in names)


def test_a_file_without_announcement_is_fetched(restore: Restore) -> None:
    (name,) = restore.store(FULL.format(1))
    assert restore.is_right(name)


def test_the_same_volume_can_be_asked_for_again(restore: Restore) -> None:
    """duplicity does so where the hash was wrong."""
    names = restore.store(*(FULL.format(number) for number in range(1, 4)))
    restore.downloader.announce(names)
    assert restore.is_right(names[0])
    assert restore.is_right(names[0])


def test_a_missing_file_is_said_to_be_missing(restore: Restore) -> None:
    names = restore.store(FULL.format(1))
    restore.downloader.announce([*names, FULL.format(2)])
    assert restore.is_right(names[0])
    with pytest.raises(ApiError) as caught:
        restore.take(FULL.format(2))
    assert caught.value.code == ErrorCode.NOT_FOUND


def test_an_archived_file_is_said_to_be_archived(restore: Restore) -> None:
    names = restore.store(FULL.format(1), FULL.format(2))
    restore.service.archived.add(names[1])
    restore.downloader.announce(names)
    assert restore.is_right(names[0])
    with pytest.raises(NotReadable):
        restore.take(names[1])


def test_downloads_run_at_the_same_time(restore: Restore) -> None:
    """With each of them held until all have begun."""
    names = restore.store(*(FULL.format(number) for number in range(1, DOWNLOADS_AHEAD + 1)))
    together = threading.Barrier(DOWNLOADS_AHEAD)

    def meet(_method: str, path: str) -> None:
        if path.startswith("/s3"):
            together.wait(20)

    held: Callable[[str, str], int | None] = meet
    restore.service.trouble = held
    restore.downloader.announce(names)
    assert all(restore.is_right(name) for name in names)


MANIFEST = "meta_duplicity-full.20261122T213347Z.manifest.gpg"
FACTS = {"volumes": "3", "proof": "0f" * 32}


def received(restore: Restore, name: str) -> DownloadPermit:
    [(_, download)] = restore.downloader.prepare({name: 10_000})
    return download(restore.folder / name).permit


@pytest.mark.parametrize("knows_header_facts", [True, False], ids=["service of today", "older service"])
@pytest.mark.parametrize("parts", [None, ["0a" * 32, "0b" * 32]], ids=["whole", "in parts"])
def test_digest_and_proof_come_with_the_file_or_from_an_older_service(
    restore: Restore, knows_header_facts: bool, parts: list[str] | None
) -> None:
    restore.store(MANIFEST)
    stored = restore.service.objects[f"system/{MANIFEST}"]
    stored.metadata, stored.parts = dict(FACTS), parts
    restore.service.knows_header_facts = knows_header_facts
    permit = received(restore, MANIFEST)
    assert (permit.sha256, permit.volumes, permit.proof) == (stored.sha256, 3, FACTS["proof"])
    assert knows_facts(permit)


def test_a_download_that_goes_on_in_its_middle_has_its_digest_from_the_service(restore: Restore) -> None:
    """S3 sends none along with a part of a file."""
    restore.store(MANIFEST)
    stored = restore.service.objects[f"system/{MANIFEST}"]
    stored.metadata = dict(FACTS)
    failures = iter([-1])
    restore.service.trouble = lambda _method, path: next(failures, None) if path.startswith("/s3") else None
    (restore.folder / MANIFEST).write_bytes(stored.data[:4000])
    permit = received(restore, MANIFEST)
    assert [first for first, _ in restore.service.sent[MANIFEST]] == [4000]
    assert (restore.folder / MANIFEST).read_bytes() == stored.data
    assert (permit.sha256, permit.proof) == (stored.sha256, FACTS["proof"])
    assert restore.service.download_requests == 2


def test_a_digest_that_did_not_come_through_is_not_taken_for_none(restore: Restore) -> None:
    restore.store(MANIFEST)
    restore.service.sends_checksums = False
    permit = received(restore, MANIFEST)
    assert permit.sha256 is None
    assert not knows_facts(permit)


def test_a_proof_that_did_not_come_through_is_not_taken_for_none(restore: Restore) -> None:
    """As by a proxy that lets S3's own headers through alone."""
    restore.store(MANIFEST)
    permit = received(restore, MANIFEST)
    assert permit.sha256 is not None
    assert not knows_facts(permit)
    signatures = "meta_duplicity-full-signatures.20261122T213347Z.sigtar.gpg"
    assert knows_facts(DownloadPermit(signatures, headers={}, sha256=permit.sha256))


def test_the_digest_of_a_part_of_a_file_is_not_taken_for_the_files() -> None:
    checksum = {"x-amz-checksum-sha256": "A" * 43 + "="}
    asked = DownloadPermit(MANIFEST, "url", headers={"x-amz-checksum-mode": "ENABLED"})
    assert with_header_facts(asked, checksum).sha256 == "00" * 32
    part = with_header_facts(asked, {**checksum, "content-range": "bytes 8388608-9999999/10000000"})
    assert part.sha256 is None
    assert not knows_facts(part)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-checksum-sha256": "no base64!", "x-amz-meta-volumes": "three"},
        {"x-amz-checksum-sha256": "c2hvcnQ=", "x-amz-meta-volumes": "9" * 40},
        {"x-amz-checksum-sha256": "", "x-amz-meta-volumes": "-1"},
    ],
)
def test_headers_that_make_no_sense_say_nothing(headers: dict[str, str]) -> None:
    permit = with_header_facts(DownloadPermit(MANIFEST, "url"), headers)
    assert (permit.sha256, permit.volumes, permit.proof) == (None, None, None)
