"""How fast a computer downloads: the time of downloads side by side counts once, small amounts say nothing."""

from __future__ import annotations

import contextlib

from panicroom.transfer.measured_line import LEAST_BYTES, MeasuredLine


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_downloads_side_by_side_share_their_time() -> None:
    clock = Clock()
    line = MeasuredLine(clock)
    with line.downloading() as count:
        clock.now += 1
        with line.downloading() as other:
            clock.now += 2
            other(LEAST_BYTES)
        clock.now += 1
        count(LEAST_BYTES)
    assert line.bytes_a_second == 2 * LEAST_BYTES / 4


def test_the_time_between_downloads_does_not_count() -> None:
    clock = Clock()
    line = MeasuredLine(clock)
    for _ in range(2):
        with line.downloading() as count:
            clock.now += 2
            count(LEAST_BYTES)
        clock.now += 1000
    assert line.bytes_a_second == LEAST_BYTES / 2


def test_a_download_that_fails_counts_with_what_it_has_brought() -> None:
    clock = Clock()
    line = MeasuredLine(clock)
    with contextlib.suppress(ValueError), line.downloading() as count:
        count(LEAST_BYTES)
        clock.now += 4
        int("no number")  # which raises it
    clock.now += 1000
    assert line.bytes_a_second == LEAST_BYTES / 4


def test_little_says_nothing_of_the_line() -> None:
    line = MeasuredLine(Clock())
    assert line.bytes_a_second is None
    with line.downloading() as count:
        count(LEAST_BYTES - 1)
    assert line.bytes_a_second is None
