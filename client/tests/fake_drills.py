"""The drills of the fake service: when one is due, and what was reported."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

EVERY = timedelta(days=30)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class FakeDrills:
    """One job's. ``now`` is the service's clock, which a test may set forward; ``known`` is False for an older service.

    As the real one: a drill is due when none has passed for ``every``; a waiting one is at any time, and after another
    end it is tried again a day later.
    """

    now: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    known: bool = True
    every: timedelta | None = EVERY
    passed_at: datetime | None = None
    reported_at: datetime | None = None
    reports: list[dict[str, Any]] = field(default_factory=list)

    @property
    def outcomes(self) -> list[str]:
        return [report["outcome"] for report in self.reports]

    @property
    def due(self) -> bool:
        if self.every is None:
            return False
        outcome = self.outcomes[-1] if self.reports else None
        if outcome == "asked":
            return True
        if outcome in ("failed", "skipped") and self.reported_at is not None:
            return self.now - self.reported_at >= timedelta(days=1)
        return self.passed_at is None or self.now - self.passed_at >= self.every

    def report(self, body: dict[str, Any]) -> tuple[int, Any]:
        self.reports.append(body)
        self.reported_at = self.now
        if body["outcome"] == "passed":
            self.passed_at = self.now
        return 200, self.status()

    def status(self) -> dict[str, Any] | None:
        if not self.known:
            return None
        newest = self.reports[-1] if self.reports else {}
        return {
            "due": self.due,
            "every_seconds": None if self.every is None else int(self.every.total_seconds()),
            "passed_at": _text(self.passed_at),
            "outcome": newest.get("outcome"),
            "reported_at": _text(self.reported_at),
            "message": newest.get("message"),
        }
