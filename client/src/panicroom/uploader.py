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
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from panicroom.api import RUNNING_SECONDS, UNREACHABLE, Api, ApiError, reason, waits
from panicroom.journal import Journal, StoredFile
from panicroom.line import Growth, RateLimit
from panicroom.names import parse_name
from panicroom.wire import (
    MAX_FILES_PER_REQUEST,
    MAX_SINGLE_PUT_BYTES,
    ErrorCode,
    SetMember,
    UploadFile,
    UploadPermit,
    UploadRequest,
)

_CHUNK_BYTES = 256 * 1024
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


class PermitDesk:
    """Asks for upload permits; files that are ready at the same time share one request."""

    def __init__(self, api: Api, job: str, run: str) -> None:
        self._api, self._job, self._run = api, job, run
        self._lock = threading.Lock()
        self._waiting: list[_Asked] = []
        self._asking = False

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
        threads: int,
        limit: RateLimit | None = None,
        on_sent: Callable[[int], None] = lambda _bytes: None,
        on_stored: Callable[[StoredFile], None] = lambda _file: None,
    ) -> None:
        self._desk = PermitDesk(api, job, run)
        self._journal = journal
        self._spool = spool
        self._limit = limit or RateLimit(None)
        self._on_sent, self._on_stored = on_sent, on_stored
        self._http = httpx.Client(
            timeout=httpx.Timeout(60.0, connect=15.0),
            limits=httpx.Limits(max_connections=threads + 1, max_keepalive_connections=threads + 1),
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

    def store(self, source: Path, name: str, members: tuple[SetMember, ...] | None = None) -> None:
        """Stores a file now. A manifest comes with the ``members`` of its set, after ``wait``."""
        self.raise_failure()
        self._store(source, name, members)

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
                self._store(path, name, None)
            except ApiError as failure:
                self._fail(failure)
            except OSError as error:
                self._fail(ApiError(ErrorCode.INTERNAL, f"{path} cannot be read: {error}"))
            finally:
                path.unlink(missing_ok=True)
                with self._changed:
                    self._pending.discard(name)
                    self._changed.notify_all()
                self._slots.release()

    def _fail(self, failure: ApiError) -> None:
        with self._changed:
            self._failure = self._failure or failure

    def _store(self, path: Path, name: str, members: tuple[SetMember, ...] | None) -> None:
        size, sha256 = measure(path)
        if size > MAX_SINGLE_PUT_BYTES:
            raise ApiError(
                ErrorCode.FILE_TOO_LARGE,
                f"{name} has {size} bytes and S3 takes at most {MAX_SINGLE_PUT_BYTES} in one piece; "
                "split the source into several jobs",
            )
        etag = self._send(path, UploadFile(name, size, sha256, members))
        parsed = parse_name(name)
        stored = StoredFile(name, parsed.set if parsed else "", size, sha256, etag)
        self._journal.stored(stored)
        self._on_stored(stored)

    def _send(self, path: Path, file: UploadFile) -> str:
        """Asks and PUTs until S3 has these very bytes; the ETag, without quotes."""
        pauses = waits(RUNNING_SECONDS)
        refusals = 0
        while True:
            permit = self._permit(file)
            if permit.etag is not None:
                return permit.etag
            response, trouble = self._put(path, permit, file.size)
            if response is not None and response.status_code == 200 and response.headers.get("ETag"):
                return str(response.headers["ETag"]).strip('"')
            if response is not None and response.status_code < 500:
                # 412: our own lost answer, or a stale file; 403: too late; 400: bytes lost on the way.
                # A new permit cures them all; what it does not cure must not go on for ever.
                refusals += 1
            pause = next(pauses, None)
            if refusals >= _REFUSALS_BEFORE_GIVING_UP:
                raise ApiError(ErrorCode.INTERNAL, f"S3 refuses {file.name}: {trouble}")
            if pause is None:
                raise ApiError(UNREACHABLE, f"S3 cannot be reached: {trouble}")
            time.sleep(pause)

    def _permit(self, file: UploadFile) -> UploadPermit:
        """A permit with a URL, or with the ETag of these very bytes; waits while the set is being sealed."""
        give_up_at = time.monotonic() + _SEALING_PATIENCE_SECONDS
        while True:
            permit = self._desk.ask(file)
            if permit.error is None:
                if permit.present and not permit.etag:
                    raise ApiError(ErrorCode.INTERNAL, f"the service has {file.name} but tells no ETag")
                return permit
            if permit.error != ErrorCode.SET_SEALING or time.monotonic() > give_up_at:
                message = permit.message or permit.error
                raise ApiError(permit.error, message, permit.retry_after_seconds)
            time.sleep(max(1, min(permit.retry_after_seconds or 5, 60)))

    def _put(self, path: Path, permit: UploadPermit, size: int) -> tuple[httpx.Response | None, str]:
        """S3's answer, or None, and what is wrong with it."""
        assert permit.url is not None
        headers = dict(permit.headers or {})
        # Without it the body would go out in chunks, which S3 does not take.
        if not any(name.lower() == "content-length" for name in headers):
            headers["Content-Length"] = str(size)
        try:
            response = self._http.put(permit.url, headers=headers, content=self._chunks(path))
        except httpx.TransportError as error:
            return None, reason(error)
        except httpx.InvalidURL as error:
            raise ApiError(ErrorCode.INTERNAL, f"the service gave a wrong URL: {error}") from None
        return response, _s3_error(response)

    def _chunks(self, path: Path) -> Iterator[bytes]:
        with path.open("rb") as file:
            while chunk := file.read(self._limit.chunk_bytes(_CHUNK_BYTES)):
                self._limit.take(len(chunk))
                yield chunk
                with self._changed:
                    self._sent_bytes += len(chunk)
                self._on_sent(len(chunk))


def measure(path: Path) -> tuple[int, str]:
    """Size in bytes and SHA-256 in hex, from one reading."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(1024 * 1024):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def _s3_error(response: httpx.Response) -> str:
    code = re.search(r"<Code>([^<]{1,100})</Code>", response.text)
    return f"HTTP {response.status_code}" + (f" ({code.group(1)})" if code else "")
