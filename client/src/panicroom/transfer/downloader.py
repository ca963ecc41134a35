"""Downloads, and those that will be wanted next: duplicity names all of them before it asks for the first.

It reads each set's volumes in their order, several sets side by side, and of each the first before it reads a second
one of any. So the first ones are begun, and then with each volume that it takes the following ones of the same set, as
far as there is room. One that is not at hand is fetched while duplicity
waits; that is also the way out for whatever went wrong with one that was fetched ahead.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import functools
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import httpx

from panicroom.api import (
    RUNNING_SECONDS,
    UNREACHABLE,
    Api,
    ApiError,
    batches,
    reason,
    retry_after_seconds,
    waits,
)
from panicroom.names import parse_name
from panicroom.network import http_client
from panicroom.transfer.header_facts import with_header_facts
from panicroom.transfer.measured_line import SMALL_BYTES, MeasuredLine
from panicroom.wire import MAX_FILES_PER_REQUEST, DownloadPermit, ErrorCode

DOWNLOADS_AHEAD = 8
"""Downloads at once, and so many volumes on the disk beside those that are open."""

_REQUESTS_AT_ONCE = 1
"""For permits. A second one would wait for another Lambda function to start, which takes longer than to answer."""

_SOON_FETCHED_BYTES = 8 * 2**20
"""Are fetched while their URLs are good, five minutes, even by a slow line."""

_CHUNK_BYTES = 256 * 1024


class NotReadable(Exception):
    """A file in an archive class: ``thawing`` if somebody has asked for it already."""

    def __init__(self, name: str, *, thawing: bool) -> None:
        super().__init__(name)
        self.thawing = thawing


class Closed(Exception):
    """Nobody waits for the file any more."""


@dataclass(frozen=True)
class Received:
    """How a file came: S3's headers, and what the service and they said of it."""

    headers: Mapping[str, str]
    permit: DownloadPermit


class _Permits:
    """The permits of files that are begun together: one request, made by whoever comes first. A request that has
    failed for good is not made again."""

    def __init__(
        self, ask: Callable[[Sequence[str]], dict[str, DownloadPermit]], names: Sequence[str]
    ) -> None:
        self._ask, self._names = ask, names
        self._lock = threading.Lock()
        self._answer: dict[str, DownloadPermit] | ApiError | None = None

    def of(self, name: str) -> DownloadPermit:
        return self.all()[name]

    def all(self) -> dict[str, DownloadPermit]:
        with self._lock:
            if self._answer is None:
                try:
                    self._answer = self._ask(self._names)
                except ApiError as failure:
                    self._answer = failure
            if isinstance(self._answer, ApiError):
                raise self._answer
            return self._answer


class Downloader:
    """Fetches files of one job. ``fetch`` is called from one thread.

    ``new_path`` gives a path for the file of that name, if it is fetched ahead. What is there already of it is not
    fetched again.
    """

    def __init__(
        self,
        api: Api,
        job: str,
        new_path: Callable[[str], Path],
        on_received: Callable[[int], None] = lambda _bytes: None,
        on_waiting: Callable[[float], None] = lambda _seconds: None,
        line: MeasuredLine | None = None,
    ) -> None:
        self._api, self._job = api, job
        self._on_waiting = on_waiting
        self._line = line or MeasuredLine()
        self._new_path, self._on_received = new_path, on_received
        self._http = http_client(httpx.Timeout(30.0, connect=15.0))
        self._workers = ThreadPoolExecutor(DOWNLOADS_AHEAD, "download")
        self._asking = ThreadPoolExecutor(_REQUESTS_AT_ONCE, "permits")
        self._following: dict[str, list[str]] = {}
        self._ahead: dict[str, Future[Path]] = {}
        self._closed = threading.Event()

    def announce(self, names: Sequence[str]) -> None:
        """What will be asked for, each set in its order; the first ones are begun."""
        if len(names) < 2:
            return
        sets: dict[str, list[str]] = {}
        for name in names:
            parsed = parse_name(name)
            sets.setdefault(parsed.set if parsed and parsed.kind == "volume" else "", []).append(name)
        firsts = [members[0] for members in sets.values()]
        then = [name for members in sets.values() for name in members[1:]][:DOWNLOADS_AHEAD]
        for number, members in enumerate(sets.values(), 1):
            for place, name in enumerate(members, 1):
                self._following[name] = members[place : place + DOWNLOADS_AHEAD]
            self._following[members[0]] = firsts[number : number + DOWNLOADS_AHEAD] + then
        self._begin(firsts[:DOWNLOADS_AHEAD] + then)

    def fetch(self, name: str, target: Path) -> None:
        """Puts the file under ``target``. Raises ``ApiError`` (``NOT_FOUND`` too), or ``NotReadable``."""
        at_hand = self._ahead.pop(name, None)
        self._begin(self._following.pop(name, ()))
        if at_hand is not None:
            with contextlib.suppress(ApiError, NotReadable, OSError):
                _move(at_hand.result(), target)
                return
        self._download(name, target, lambda: self._permits([name])[name])

    def prepare(self, sizes: Mapping[str, int]) -> Iterator[tuple[str, Callable[[Path], Received]]]:
        """Each of the names, given with its bytes, with the function that downloads it, to be called from any thread.

        The function raises as ``fetch`` does, and ``Closed`` after ``close``. The permits of a batch are one request;
        those of the first files are made at once, one after the other.
        """
        soon = _SOON_FETCHED_BYTES
        for batch in batches(list(sizes)):
            permits = _Permits(functools.partial(self._permits, facts_in_headers=True), batch)
            soon -= sum(sizes[name] for name in batch)
            if soon >= 0:
                self._asking.submit(permits.all)
            for name in batch:
                yield name, functools.partial(self._download_with, permits, name)

    def after_permits(self, work: Callable[[], None]) -> Future[None]:
        """Does something else that asks the service, behind the requests that ``prepare`` has begun."""
        return self._asking.submit(work)

    def close(self) -> None:
        """Ends what waits for the network as well."""
        self._closed.set()
        for pool in (self._workers, self._asking):
            pool.shutdown(wait=False, cancel_futures=True)
        self._http.close()

    def _begin(self, names: Sequence[str]) -> None:
        """Those that are not begun yet and not taken, as far as there is room."""
        wanted = [name for name in names if name in self._following and name not in self._ahead]
        wanted = wanted[: DOWNLOADS_AHEAD - len(self._ahead)]
        if not wanted:
            return
        permits = _Permits(self._permits, wanted)
        for name in wanted:
            self._ahead[name] = self._workers.submit(self._download_ahead, name, permits)

    def _download_ahead(self, name: str, permits: _Permits) -> Path:
        path = self._new_path(name)
        self._download_with(permits, name, path)
        return path

    def _download_with(self, permits: _Permits, name: str, target: Path) -> Received:
        """The first try is with the shared permit, any other with one of its own: with the digest, which S3 does not
        send along with a part of a file."""
        again = False

        def permit() -> DownloadPermit:
            nonlocal again
            first, again = not again, True
            return permits.of(name) if first else self._permits([name])[name]

        return self._download(name, target, permit)

    def _permits(self, names: Sequence[str], *, facts_in_headers: bool = False) -> dict[str, DownloadPermit]:
        assert len(names) <= MAX_FILES_PER_REQUEST
        answer = self._api.downloads(self._job, tuple(names), facts_in_headers=facts_in_headers)
        permits = {permit.name: permit for permit in answer.files}
        missing = [name for name in names if name not in permits]
        if missing:
            raise ApiError(ErrorCode.INTERNAL, f"no answer for {missing[0]}")
        return permits

    def _download(self, name: str, target: Path, ask: Callable[[], DownloadPermit]) -> Received:
        """Asks for a permit anew with each try: the URL may be too old by then."""
        pauses = waits(RUNNING_SECONDS)
        failed_at: float | None = None
        while True:
            permit = _checked(ask())
            outcome = self._get(permit, target)
            if isinstance(outcome, httpx.Headers):
                return Received(outcome, with_header_facts(permit, outcome))
            text, retry_after = outcome
            pause = next(pauses, None)
            if pause is None:
                raise ApiError(UNREACHABLE, f"{name} cannot be downloaded: {text}")
            failed_at = time.monotonic() if failed_at is None else failed_at
            self._on_waiting(time.monotonic() - failed_at)
            if self._closed.wait(max(pause, retry_after)):
                raise Closed(name)

    def _measured(self, permit: DownloadPermit) -> AbstractContextManager[Callable[[int], None]]:
        is_small = permit.size is None or permit.size <= SMALL_BYTES
        return nullcontext(lambda _bytes: None) if is_small else self._line.downloading()

    def _get(self, permit: DownloadPermit, target: Path) -> httpx.Headers | tuple[str, int]:
        """Downloads into ``target``; S3's headers, or what went wrong and the seconds that S3 asks to wait."""
        assert permit.url is not None
        size = _size_so_far(target, permit.size)
        asked = {**(permit.headers or {}), **({"Range": f"bytes={size}-"} if size else {})}
        try:
            with self._http.stream("GET", permit.url, headers=asked) as response:
                if response.status_code not in (200, 206):
                    return f"S3 answers HTTP {response.status_code}", retry_after_seconds(response)
                goes_on = response.status_code == 206
                size = size if goes_on else 0
                with target.open("ab" if goes_on else "wb") as file, self._measured(permit) as count:
                    for chunk in response.iter_raw(_CHUNK_BYTES):
                        size += file.write(chunk)
                        count(len(chunk))
                        self._on_received(len(chunk))
        except httpx.TransportError as error:
            return reason(error), 0
        if permit.size is not None and size != permit.size:
            return f"{size} of {permit.size} bytes arrived", 0
        return response.headers


def _checked(permit: DownloadPermit) -> DownloadPermit:
    if permit.error is not None:
        raise ApiError(permit.error, permit.message or permit.error)
    if permit.url is None:
        raise NotReadable(permit.name, thawing=bool(permit.thawing))
    return permit


def _size_so_far(target: Path, whole: int | None) -> int:
    """The bytes that an earlier try has left of a file of ``whole`` bytes; 0 if they cannot be its beginning."""
    try:
        size = target.stat().st_size
    except OSError:
        return 0
    return size if whole is not None and size < whole else 0


def _move(source: Path, target: Path) -> None:
    if source == target:
        return
    try:
        source.replace(target)
    except OSError:
        shutil.move(source, target)
