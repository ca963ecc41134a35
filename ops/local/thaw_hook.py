"""The local stack's hook for thaws: what on AWS takes hours, or seldom fails, at once and on demand."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import httpx

from ops.errors import OpsError

PATH = "/_ministack/thaw"

STATUSES = {
    "GlacierExpeditedRetrievalNotAvailable": 503,
    "InternalError": 500,
    "SlowDown": 503,
    "ThrottlingException": 400,
}
"""The errors that S3 is known to answer RestoreObject with, whatever the request."""


@dataclasses.dataclass(frozen=True)
class RestoreCalls:
    """The RestoreObject calls that arrived: by ``bucket/key``, and each with its tier, days and answer."""

    calls: int
    by_key: Mapping[str, int]
    requests: list[dict[str, Any]]


class ThawHook:
    """``endpoint`` is the running stack's. A place is ``machine``, ``machine/job``, or empty for everything."""

    def __init__(self, endpoint: str) -> None:
        self._url = endpoint + PATH

    def freeze(self, place: str = "", storage_class: str = "DEEP_ARCHIVE") -> int:
        """Moves the volumes there to a class, as a lifecycle rule would; how many were in another one."""
        return self._change(move={"prefix": prefix_of(place), "class": storage_class})

    def finish(self, place: str = "") -> int:
        """Has the thaws there done now; of how many volumes."""
        return self._change(finish=prefix_of(place))

    def expire(self, place: str = "", in_seconds: float = 0) -> int:
        """Has the copies there lapse so much later; of how many volumes."""
        return self._change(expire=prefix_of(place), in_seconds=in_seconds)

    def delay(self, seconds: float) -> None:
        """How long a thaw takes from now on."""
        self._change(delay_seconds=seconds)

    def lose_events(self, lose: bool) -> None:
        """Whether events of thaws are dropped from now on."""
        self._change(lose_events=lose)

    def fail(
        self,
        code: str,
        times: int = 1,
        *,
        status: int | None = None,
        tier: str | None = None,
        place: str = "",
    ) -> int:
        """Has the next ``times`` requests for a volume fail, those of one tier or place if so said; the HTTP status."""
        status = status or STATUSES.get(code, 500)
        fault = {"code": code, "status": status, "times": times, "tier": tier}
        self._change(fail={**fault, "prefix": prefix_of(place)})
        return status

    def calls(self) -> RestoreCalls:
        answer = self._send("GET", None)
        return RestoreCalls(answer["calls"], answer["by_key"], answer["requests"])

    def forget_calls(self) -> None:
        self._change(reset=True)

    def _change(self, **wanted: Any) -> int:
        return int(self._send("POST", wanted)["touched"])

    def _send(self, method: str, body: object) -> dict[str, Any]:
        answer = httpx.request(method, self._url, json=body, timeout=60, trust_env=False)
        if answer.status_code != 200:
            raise OpsError(f"The local stack refused: {answer.text}")
        return dict(answer.json())


def prefix_of(place: str) -> str:
    """What the keys of a place begin with."""
    return f"{place.rstrip('/')}/" if place else ""
