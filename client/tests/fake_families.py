"""Families of photo jobs of the fake service: jobs that a laptop makes, and that it looked at them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

PERIOD_SECONDS = 7 * 86_400


@dataclass
class FakeFamilies:
    """``job_of`` are the jobs that were made, with their family; ``checks`` the newest one of each job, with ``at``."""

    names: tuple[str, ...] = ()
    source_hint: str | None = None
    most_jobs: int = 60
    usd_a_gb_year: float | None = None
    job_of: dict[str, str] = field(default_factory=dict)
    checks: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    """Of checks, as they came."""

    def described(self) -> list[dict[str, Any]]:
        common = {"period_seconds": PERIOD_SECONDS, "volume_mb": 200, "most_jobs": self.most_jobs}
        return [
            {"family": name, **common, "source_hint": self.source_hint, "usd_a_gb_year": self.usd_a_gb_year}
            for name in self.names
        ]

    def add(self, body: Any, jobs: tuple[str, ...]) -> tuple[int, Any]:
        """``jobs`` are all that the machine has."""
        job, family = body["job"], body["family"]
        answer = {"job": job, "period_seconds": PERIOD_SECONDS, "family": family}
        if family not in self.names:
            return 404, {"error": "unknown_job", "message": f"there is no family called {family}"}
        if self.job_of.get(job) == family:
            return 201, answer
        if job in jobs or not re.fullmatch(re.escape(family) + r"-[a-z0-9-]+", job) or len(job) > 41:
            return 400, {"error": "bad_name", "message": f"a job of {family} is called {family}-..."}
        if sum(one == family for one in self.job_of.values()) >= self.most_jobs:
            return 403, {"error": "too_many_jobs", "message": f"{family} has {self.most_jobs} jobs"}
        self.job_of[job] = family
        return 201, answer

    def check(self, named: str, body: Any, server_time: str) -> tuple[int, Any]:
        known = {job for job, family in self.job_of.items() if named in (job, family)}
        checks = body.get("checks") or []
        if not checks or any(check["job"] not in known for check in checks):
            return 404, {"error": "unknown_job", "message": f"there is no photo job called {named}"}
        self.requests.append(body)
        for check in checks:
            self.checks[check["job"]] = {**check, "at": server_time}
        return 201, {"run": "", "server_time": server_time, "lease_seconds": 0}

    def checked_at(self, job: str) -> str | None:
        check = self.checks.get(job)
        return check["at"] if check else None

    def is_settled(self, job: str, newest_complete_at: str | None) -> bool:
        at = self.checked_at(job)
        return (
            at is not None and newest_complete_at is not None and _moment(at) >= _moment(newest_complete_at)
        )


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
