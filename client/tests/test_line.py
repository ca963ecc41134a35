"""No faster than allowed, and as many uploads at once as pay."""

from __future__ import annotations

import threading
import time

import pytest
from panicroom.setting_values import parse_rate
from panicroom.transfer.bandwidth import FIRST_THREADS, Growth, RateLimit

MB = 2**20


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def read(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(
    ("text", "rate"), [("500KB", 500 * 1024), ("2MB", 2 * MB), ("1.5 MB", 3 * MB // 2), ("1GB", 2**30)]
)
def test_rates_are_written_with_a_unit(text: str, rate: int) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "2", "2mb/s", "-2MB", "1KB", "0MB", "٢MB", "nanMB", "1e3MB"])
def test_anything_else_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be "):
        parse_rate(text)


@pytest.mark.parametrize("rate", [16 * 1024, 2 * MB])
def test_no_more_is_sent_than_the_limit_allows(rate: int) -> None:
    """A chunk ahead at most, and nothing saved up while the line was idle."""
    clock = Clock()
    limit = RateLimit(rate, clock.read, clock.sleep)
    clock.now += 3600
    began, sent = clock.now, 0
    while clock.now < began + 60:
        chunk = limit.chunk_bytes(256 * 1024)
        limit.take(chunk)
        sent += chunk
        assert sent <= rate * (clock.now - began) + chunk
    assert sent >= rate * 60


def test_threads_share_the_limit() -> None:
    limit = RateLimit(MB)
    done: list[int] = []

    def send() -> None:
        for _ in range(3):
            limit.take(MB // 30)
            done.append(1)

    threads = [threading.Thread(target=send) for _ in range(4)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began >= 0.3
    assert len(done) == 12


def test_no_limit_means_no_wait() -> None:
    clock = Clock()
    RateLimit(None, clock.read, clock.sleep).take(10**12)
    assert clock.now == 1000.0


def grown(most: int, connection: float, line: float, seconds: int = 120, buffers: int = 0) -> int:
    """Threads after a time of waiting, where each connection carries so much and the line so much in all.

    ``buffers``: what each new connection swallows at once.
    """
    growth = Growth(most)
    growth.begins_to_wait()
    sent = float(growth.threads * buffers)
    for tick in range(seconds * 5):
        more = growth.added(tick / 5, int(sent))
        sent += min(growth.threads * connection, line) / 5 + more * buffers
    return growth.threads


def test_a_far_line_gets_all_the_threads_there_may_be() -> None:
    """Each connection has a limit of its own, so more of them carry more."""
    assert grown(12, connection=5 * MB, line=1000 * MB, seconds=8) == 12
    assert grown(32, connection=MB / 4, line=1000 * MB, buffers=4 * MB) == 32


@pytest.mark.parametrize("buffers", [0, MB, 4 * MB])
def test_a_full_line_gets_few_more(buffers: int) -> None:
    """A home's uplink is full with four: the first four more do not pay, and that is all."""
    assert grown(12, connection=MB, line=2 * MB, seconds=50, buffers=buffers) == 2 * FIRST_THREADS


def test_never_more_than_allowed() -> None:
    assert Growth(2).threads == 2
    assert grown(2, connection=MB, line=100 * MB) == 2
    assert grown(5, connection=MB, line=100 * MB) == 5


def test_idle_time_is_not_taken_for_a_slow_line() -> None:
    """duplicity made no volume for a minute: the rate is measured anew when it waits again."""
    growth = Growth(12)
    growth.begins_to_wait()
    assert growth.added(0, 0) == 0
    growth.begins_to_wait()
    assert growth.added(60, 0) == 0
    assert growth.added(61, 20 * MB) == 4
