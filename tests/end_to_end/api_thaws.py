"""Thaws as a machine asks the API for them, without its client."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from ops.local.thaw_hook import ThawHook
from tests.end_to_end.conftest import Machine

WAIT_SECONDS = 60

USUAL_DELAY_SECONDS = 3
"""The local stack's own."""


@contextmanager
def hooked(endpoint: str, delay_seconds: float) -> Iterator[ThawHook]:
    """The stack's hook, with what it was told taken back at the end."""
    hook = ThawHook(endpoint)
    hook.forget_calls()
    try:
        hook.delay(delay_seconds)
        yield hook
    finally:
        hook.lose_events(False)
        hook.fail("None", times=0)
        hook.delay(USUAL_DELAY_SECONDS)


class ApiThaws:
    """Of one machine's job, with the token that its client has stored."""

    def __init__(self, api_url: str, machine: Machine, job: str = "system") -> None:
        self._job_url = f"{api_url}/jobs/{job}"
        secrets = json.loads((machine.folder / "config" / "secrets.json").read_text())
        self._headers = {"Authorization": f"Bearer {machine.name}.{secrets[f'{machine.name}.secret']}"}

    def plan(self, sets: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Of all volumes of the sets, as ``machine show`` answers them."""
        volumes = [{"set": one["set"], "numbers": f"1-{one['volumes']}"} for one in sets]
        return self.call("POST", "/thaws", {"volumes": volumes})

    def start(self, plan: Mapping[str, Any], tier: str = "Bulk") -> dict[str, Any]:
        """For the price of the plan."""
        [usd] = [offer["usd"] for offer in plan["tiers"] if offer["tier"] == tier]
        return self.call("POST", f"/thaws/{plan['thaw']}/start", {"tier": tier, "max_usd": usd})

    def wait_until_ready(self, thaw: str) -> dict[str, Any]:
        give_up_at = time.monotonic() + WAIT_SECONDS
        while (status := self.call("GET", f"/thaws/{thaw}"))["state"] != "ready":
            assert time.monotonic() < give_up_at, status
            time.sleep(0.2)
        return status

    def downloads(self, names: Iterable[str]) -> list[dict[str, Any]]:
        files: list[dict[str, Any]] = self.call("POST", "/downloads", {"names": list(names)})["files"]
        return files

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        url = f"{self._job_url}{path}"
        answer = httpx.request(method, url, headers=self._headers, json=body, timeout=30)
        assert answer.status_code < 300, answer.text
        return dict(answer.json())
