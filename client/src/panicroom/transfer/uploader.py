"""Uploads behind duplicity's back: its volumes go into a small spool, several threads send them to S3.

duplicity waits for each volume; over a slow line most of its time is waiting. Here ``hand_over`` returns
when the volume is in the spool, and only the manifest waits until S3 has confirmed everything before it.
A failure is kept and raised by the next call, whichever that is.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import hashlib
import os
import queue
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from panicroom.api import RUNNING_SECONDS, UNREACHABLE, Api, ApiError, reason, retry_after_seconds, waits
from panicroom.names import parse_name
from panicroom.network import http_client
from panicroom.origin import digest_of_parts
from panicroom.transfer.bandwidth import Growth, RateLimit
from panicroom.transfer.journal import Journal, StoredFile
from panicroom.wire import (
    MAX_FILES_PER_REQUEST,
    MAX_SINGLE_PUT_BYTES,
    PART_BYTES,
    ErrorCode,
    MultipartAnswer,
    MultipartRequest,
    PartPermit,
    SetMember,
    UploadFile,
    UploadPermit,
    UploadRequest,
)

_CHUNK_BYTES = 256 * 1024
_READ_BYTES = 2**20
_REFUSALS_BEFORE_GIVING_UP = 4
_SEALING_PATIENCE_SECONDS = 900.0
"""A manifest of megabytes keeps its set closed for as long as a slow line may need to send it."""


@dataclass
class _Asked:
    """One file's question to the service, waiting for its permit."""

    file: UploadFile
    answered: threading.Event = field(default_factory=threading.Event)
    permit: UploadPermit | None = None
    failure: ApiError | None = None


class PermitBatcher:
    """Asks for upload permits; files that are ready at the same time share one request."""

    def __init__(self, api: Api, job: str, run: str) -> None:
        self._api, self._job, self._run = api, job, run
        self._lock = threading.Lock()
        self._waiting: list[_Asked] = []
        self._asking = False
        self.requests = 0

    def ask(self, file: UploadFile) -> UploadPermit:
        """The service's answer for this file, an error of its own included. Raises ``ApiError``."""
        asked = _Asked(file)
        with self._lock:
            self._waiting.append(asked)
            leads = not self._asking
            self._asking = True
        if leads:
            self._serve()
        asked.answered.wait()
        if asked.failure is not None:
            raise asked.failure
        assert asked.permit is not None
        return asked.permit

    def _serve(self) -> None:
        """Whoever finds nobody asking asks for all, until nobody waits any more."""
        while True:
            with self._lock:
                batch = self._waiting[:MAX_FILES_PER_REQUEST]
                del self._waiting[: len(batch)]
                if not batch:
                    self._asking = False
                    return
            self.requests += 1
            try:
                request = UploadRequest(self._run, tuple(asked.file for asked in batch))
                permits = {permit.name: permit for permit in self._api.uploads(self._job, request).files}
            except ApiError as failure:
                for asked in batch:
                    asked.failure = failure
            else:
                for asked in batch:
                    asked.permit = permits.get(asked.file.name)
                    if asked.permit is None:
                        asked.failure = ApiError(ErrorCode.INTERNAL, f"no answer for {asked.file.name}")
            for asked in batch:
                asked.answered.set()


class Uploader:
    """Stores files of one job's run. Methods raise ``ApiError``; they are called from duplicity's thread.

    ``threads`` is the most that upload at once.
    """

    def __init__(
        self,
        api: Api,
        job: str,
        run: str,
        journal: Journal,
        spool: Path,
        *,
        threads: int,
        limit: RateLimit | None = None,
        single_put_bytes: int = MAX_SINGLE_PUT_BYTES,
        part_bytes: int = PART_BYTES,
        on_sent: Callable[[int], None] = lambda _bytes: None,
        on_stored: Callable[[StoredFile], None] = lambda _file: None,
    ) -> None:
        self._api, self._job, self._run = api, job, run
        self._batcher = PermitBatcher(api, job, run)
        self._single_put_bytes, self._part_bytes = single_put_bytes, part_bytes
        self._journal = journal
        self._spool = spool
        self._limit = limit or RateLimit(None)
        self._on_sent, self._on_stored = on_sent, on_stored
        self._http = http_client(
            httpx.Timeout(60.0, connect=15.0),
            httpx.Limits(max_connections=threads + 1, max_keepalive_connections=threads + 1),
        )
        self._queue: queue.SimpleQueue[tuple[Path, str]] = queue.SimpleQueue()
        self._growth = Growth(threads)
        # One being made by duplicity comes on top: at most threads + 2 volumes are on disk.
        self._slots = threading.Semaphore(self._growth.threads + 1)
        self._sent_bytes = 0
        self._changed = threading.Condition()
        self._sizes: dict[str, int] = {}
        self._pending: set[str] = set()
        self._failure: ApiError | None = None
        self._start(self._growth.threads)

    def _start(self, count: int) -> None:
        for _ in range(count):
            # Daemons: a process that has to end does not wait for an upload.
            threading.Thread(target=self._work, daemon=True).start()

    def tally(self) -> str:
        """What it took, for the log."""
        with self._changed:
            volumes = len(self._sizes)
        return f"{volumes} volumes by {self._growth.threads} threads, {self._batcher.requests} requests for uploads"

    def hand_over(self, source: Path, name: str) -> None:
        """Takes a volume into the spool; returns before it is stored. ``source`` may be deleted then."""
        self._growth.begins_to_wait()
        while not self._slots.acquire(timeout=0.2):
            self.raise_failure()
            more = self._growth.added(time.monotonic(), self._sent_bytes)
            self._start(more)
            if more:
                self._slots.release(more)
        self.raise_failure()
        spooled = self._spool / name
        spooled.unlink(missing_ok=True)
        try:
            os.link(source, spooled)
        except OSError:
            shutil.copyfile(source, spooled)
        with self._changed:
            self._sizes[name] = spooled.stat().st_size
            self._pending.add(name)
        self._queue.put((spooled, name))

    def store(
        self,
        source: Path,
        name: str,
        members: tuple[SetMember, ...] | None = None,
        proof: str | None = None,
    ) -> None:
        """Stores a file now. A manifest comes with the ``members`` of its set and its ``proof`` of origin, after
        ``wait``."""
        self.raise_failure()
        self._store(source, name, members, proof)

    def wait(self) -> None:
        """Returns when S3 has confirmed everything handed over, or raises."""
        with self._changed:
            while self._pending and self._failure is None:
                self._changed.wait()
        self.raise_failure()

    def size_of(self, name: str) -> int | None:
        """The size of a volume that was handed over, be it confirmed yet or not."""
        with self._changed:
            return self._sizes.get(name)

    def raise_failure(self) -> None:
        """Raises what went wrong in one of the threads, if anything did; again and again."""
        with self._changed:
            if self._failure is not None:
                raise self._failure

    def _work(self) -> None:
        while True:
            path, name = self._queue.get()
            try:
                self._store(path, name)
            except ApiError as failure:
                self._fail(failure)
            except OSError as error:
                self._fail(ApiError(ErrorCode.INTERNAL, f"{path} cannot be read: {error}"))
            except Exception as error:  # whatever it is, the volume is not stored, and nobody else would know
                self._fail(ApiError(ErrorCode.INTERNAL, f"{name} could not be sent: {error!r}"))
            finally:
                path.unlink(missing_ok=True)
                with self._changed:
                    self._pending.discard(name)
                    self._changed.notify_all()
                self._slots.release()

    def _fail(self, failure: ApiError) -> None:
        with self._changed:
            self._failure = self._failure or failure

    def _store(
        self,
        path: Path,
        name: str,
        members: tuple[SetMember, ...] | None = None,
        proof: str | None = None,
    ) -> None:
        size = path.stat().st_size
        if size > self._single_put_bytes:
            _, part_sha256 = measure(path, self._part_bytes)
            sha256 = digest_of_parts(part_sha256)
            etag = self._send_in_parts(path, name, size, part_sha256)
        else:
            sha256, _ = measure(path)
            etag = self._send(path, UploadFile(name, size, sha256, members, proof))
        parsed = parse_name(name)
        stored = StoredFile(name, parsed.set if parsed else "", size, sha256, etag)
        self._journal.stored(stored)
        self._on_stored(stored)

    def _send(self, path: Path, file: UploadFile) -> str:
        """Asks and PUTs until S3 has these very bytes; the ETag."""

        def try_once() -> str | _Trouble:
            permit = self._permit(file)
            if permit.etag is not None:
                return permit.etag
            assert permit.url is not None
            return self._put(path, permit.url, permit.headers or {}, 0, file.size)

        return _until_stored(file.name, try_once)

    def _send_in_parts(self, path: Path, name: str, size: int, part_sha256: tuple[str, ...]) -> str:
        """The same for a file too large for one PUT; its parts go side by side."""
        begin = MultipartRequest(self._run, name, size, self._part_bytes, part_sha256)
        begun = self._api.multiparts(self._job, begin)
        if begun.etag is not None:
            return begun.etag
        request = replace(begin, upload=begun.upload)
        permits = _PartPermits(
            lambda first: self._api.multiparts(self._job, replace(request, first_part=first))
        )
        permits.add(begun.parts)

        def send_part(number: int) -> str:
            offset = (number - 1) * self._part_bytes

            def try_once() -> str | _Trouble:
                permit = permits.take(number)
                return self._put(
                    path, permit.url, permit.headers, offset, min(self._part_bytes, size - offset)
                )

            return _until_stored(f"part {number} of {name}", try_once)

        with ThreadPoolExecutor(self._growth.threads) as pool:
            etags = tuple(pool.map(send_part, range(1, len(part_sha256) + 1)))
        stored = self._api.multiparts(self._job, replace(request, etags=etags))
        if stored.etag is None:
            raise ApiError(ErrorCode.INTERNAL, f"the service has put {name} together but tells no ETag")
        return stored.etag

    def _permit(self, file: UploadFile) -> UploadPermit:
        """A permit with a URL, or with the ETag of these very bytes; waits while the set is being sealed."""
        give_up_at = time.monotonic() + _SEALING_PATIENCE_SECONDS
        while True:
            permit = self._batcher.ask(file)
            if permit.error is None:
                if permit.present and not permit.etag:
                    raise ApiError(ErrorCode.INTERNAL, f"the service has {file.name} but tells no ETag")
                return permit
            if permit.error != ErrorCode.SET_SEALING or time.monotonic() > give_up_at:
                message = permit.message or permit.error
                raise ApiError(permit.error, message, permit.retry_after_seconds)
            time.sleep(max(1, min(permit.retry_after_seconds or 5, 60)))

    def _put(self, path: Path, url: str, headers: dict[str, str], offset: int, size: int) -> str | _Trouble:
        """PUTs ``size`` bytes of the file; the ETag, or what went wrong."""
        # Without it the body would go out in chunks, which S3 does not take.
        if not any(name.lower() == "content-length" for name in headers):
            headers = {**headers, "Content-Length": str(size)}
        try:
            response = self._http.put(url, headers=headers, content=self._chunks(path, offset, size))
        except httpx.TransportError as error:
            return _Trouble(reason(error))
        except httpx.InvalidURL as error:
            raise ApiError(ErrorCode.INTERNAL, f"the service gave a wrong URL: {error}") from None
        etag = response.headers.get("ETag")
        if response.status_code == 200 and etag:
            return str(etag).strip('"')
        return _Trouble(_s3_error(response), response.status_code < 500, retry_after_seconds(response))

    def _chunks(self, path: Path, offset: int, size: int) -> Iterator[bytes]:
        with path.open("rb") as file:
            file.seek(offset)
            while chunk := file.read(min(size, self._limit.chunk_bytes(_CHUNK_BYTES))):
                self._limit.take(len(chunk))
                yield chunk
                size -= len(chunk)
                with self._changed:
                    self._sent_bytes += len(chunk)
                self._on_sent(len(chunk))


@dataclass(frozen=True)
class _Trouble:
    """Why a PUT did not succeed; ``refused`` by S3, or lost on the way."""

    text: str
    refused: bool = False
    retry_after_seconds: float = 0


def _until_stored(name: str, try_once: Callable[[], str | _Trouble]) -> str:
    """Tries, with a new permit each time, until S3 has the bytes; the ETag."""
    pauses = waits(RUNNING_SECONDS)
    refusals = 0
    while True:
        outcome = try_once()
        if isinstance(outcome, str):
            return outcome
        # Refused with 412: our own lost answer, or a stale file; 403: too late; 400: bytes lost on the way.
        # A new permit cures them all; what it does not cure must not go on for ever.
        refusals += outcome.refused
        pause = next(pauses, None)
        if refusals >= _REFUSALS_BEFORE_GIVING_UP:
            raise ApiError(ErrorCode.INTERNAL, f"S3 refuses {name}: {outcome.text}")
        if pause is None:
            raise ApiError(UNREACHABLE, f"S3 cannot be reached: {outcome.text}")
        time.sleep(max(pause, outcome.retry_after_seconds))


class _PartPermits:
    """Permits for the parts of one upload. Each is given once: who comes back needs a fresh one."""

    def __init__(self, ask: Callable[[int], MultipartAnswer]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._at_hand: dict[int, PartPermit] = {}

    def add(self, permits: tuple[PartPermit, ...]) -> None:
        self._at_hand.update((permit.number, permit) for permit in permits)

    def take(self, number: int) -> PartPermit:
        with self._lock:
            if number not in self._at_hand:
                self.add(self._ask(number).parts)
            if number not in self._at_hand:
                raise ApiError(ErrorCode.INTERNAL, f"the service gave no URL for part {number}")
            return self._at_hand.pop(number)


def measure(path: Path, part_bytes: int | None = None) -> tuple[str, tuple[str, ...]]:
    """The file's SHA-256 in hex, and that of each of its parts if it is to have some, from one reading."""
    whole, parts = hashlib.sha256(), []
    with path.open("rb") as file:
        while chunk := file.read(_READ_BYTES if part_bytes is None else part_bytes):
            whole.update(chunk)
            if part_bytes is not None:
                parts.append(hashlib.sha256(chunk).hexdigest())
    return whole.hexdigest(), tuple(parts)


def _s3_error(response: httpx.Response) -> str:
    code = re.search(r"<Code>([^<]{1,100})</Code>", response.text)
    return f"HTTP {response.status_code}" + (f" ({code.group(1)})" if code else "")
