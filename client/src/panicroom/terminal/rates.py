"""How far a task is, how fast it goes, and how long it will take."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import time
from collections import deque
from typing import Any

from panicroom.terminal.amounts import clock_text, part_text, share_text, size_text

_RATE_SECONDS = 10.0
_SHORT_WAIT_SECONDS = 3.0
"""A shorter interruption is not worth a message."""


class Flow:
    """Bytes that go by. The rate is that of the last seconds, as an hour ago the network was another one."""

    def __init__(self) -> None:
        self.bytes = 0
        self._seen: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def reach(self, count: int) -> None:
        """So many bytes in all, by now."""
        now = time.monotonic()
        self.bytes = count
        self._seen.append((now, count))
        while now - self._seen[0][0] > _RATE_SECONDS and len(self._seen) > 2:
            self._seen.popleft()

    @property
    def rate(self) -> float:
        """Bytes a second; 0 while nobody can tell."""
        began_at, before = self._seen[0]
        seconds = time.monotonic() - began_at
        return (self.bytes - before) / seconds if seconds > 0 else 0.0

    def left_seconds(self, total: int) -> float | None:
        return max(total - self.bytes, 0) / self.rate if self.rate > 0 and total else None


def waiting_text(seconds: float) -> str:
    """``waiting for the network for 0:07``; empty for an interruption that is not worth a message."""
    return f"waiting for the network for {clock_text(seconds)}" if seconds >= _SHORT_WAIT_SECONDS else ""


class RateMeter:
    """How far one task is, from its events."""

    def __init__(self, total_bytes: int) -> None:
        self.read_total_bytes = total_bytes
        self.read, self.sent, self.received = Flow(), Flow(), Flow()
        self.made_bytes = self.volumes = self.read_again_bytes = 0
        self.receive_total_bytes = 0
        self.only_reads = False
        self._waiting_since: float | None = None
        self._began_at = time.monotonic()

    def take(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "read" | "looked" as event_name:
                self.only_reads = event_name == "looked"  # by a check, which makes and sends nothing
                self.read.reach(min(event["bytes"], self.read_total_bytes))
            case "reading":  # files that duplicity finds unchanged, to be sure
                self.read_again_bytes = event["bytes"]
            case "statistics":  # duplicity has come to its end
                self.read.reach(self.read_total_bytes)
            case "made":
                self.made_bytes += event["bytes"]
            case "sent":
                self._waiting_since = None
                self.sent.reach(self.sent.bytes + event["bytes"])
            case "expected":
                self.receive_total_bytes += event["bytes"]
            case "received":
                self._waiting_since = None
                self.received.reach(self.received.bytes + event["bytes"])
            case "waiting":
                waited = event["seconds"]  # 0 once the network is back
                self._waiting_since = time.monotonic() - waited if waited else None
            case "stored":
                self._waiting_since = None
                self.volumes += ".vol" in event["name"]

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began_at

    @property
    def waiting_text(self) -> str:
        """That nothing comes from the network, and for how long; empty while all is well."""
        if self._waiting_since is None:
            return ""
        return waiting_text(time.monotonic() - self._waiting_since)

    @property
    def received_text(self) -> str:
        """``120.0 MB of 1.2 GB received at 4.0 MB/s (9 %), 4:30 left``, as far as that is known."""
        total = self.receive_total_bytes
        amount = part_text(self.received.bytes, total) if total else size_text(self.received.bytes)
        share = f" ({share_text(self.received.bytes, total)})" if total else ""
        left = self.received.left_seconds(total)
        rest = f", {clock_text(left)} left" if left is not None else ""
        return f"{amount} received{share} at {size_text(self.received.rate)}/s{rest}"

    @property
    def send_total_bytes(self) -> int:
        """What there will be to send, estimated from what was made of what was read."""
        if not self.read.bytes:
            return 0
        return max(int(self.made_bytes * self.read_total_bytes / self.read.bytes), self.sent.bytes)

    @property
    def left_seconds(self) -> float | None:
        """Until the last volume is sent, or received; None if nobody can tell yet."""
        if self.receive_total_bytes and not self.read_total_bytes:
            return self.received.left_seconds(self.receive_total_bytes)
        reading = self.read.left_seconds(self.read_total_bytes)
        if self.only_reads:
            return reading
        sending = self.sent.left_seconds(self.send_total_bytes)
        return None if reading is None or sending is None else max(reading, sending)
