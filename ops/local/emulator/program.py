"""The program that is started instead of ``python -m ministack``, with a hook for tests and for people who try things.

``POST /_ministack/thaw`` takes, all of them optional:

* ``delay_seconds``: how long a restore takes from now on
* ``finish``: a prefix; the restores below it are done now
* ``expire``: a prefix; the copies below it lapse now, or ``in_seconds`` later
* ``move``: ``{"prefix", "class"}``; volumes go to another class, as by a lifecycle rule
* ``lose_events``: whether events of restores are dropped
* ``fail``: ``{"code", "status", "times", "tier", "prefix"}``; how the next RestoreObject calls fail; null ends it
* ``reset``: true forgets the calls

and answers ``{"touched": how many objects}``. ``GET`` answers the calls that arrived and the settings.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from ministack import app

from ops.local.emulator import shared_code
from ops.local.emulator.archive_classes import ArchiveClasses, Fault

PATH = "/_ministack/thaw"
DELAY_SECONDS = 3.0
LOOPBACK = "127.0.0.1"

Answered = tuple[int, dict[str, str], bytes]
Handler = Callable[[str, str, bytes], Awaitable[Answered | None]]


def with_hook(archive: ArchiveClasses, handle: Handler) -> Handler:
    """MiniStack's handler of its own settings, with the hook before it."""

    async def handle_hook(path: str, method: str, body: bytes) -> Answered | None:
        if path != PATH:
            return await handle(path, method, body)
        try:
            answer = state(archive) if method == "GET" else change(archive, json.loads(body))
        except (KeyError, TypeError, ValueError) as error:
            return _json(400, {"error": f"{type(error).__name__}: {error}"})
        return _json(200, answer)

    return handle_hook


def state(archive: ArchiveClasses) -> dict[str, Any]:
    by_key = Counter(f"{call.bucket}/{call.key}" for call in archive.calls)
    return {
        "calls": len(archive.calls),
        "by_key": dict(by_key),
        "requests": [dataclasses.asdict(call) for call in archive.calls],
        "delay_seconds": archive.delay_seconds,
        "lose_events": archive.restores.loses_events,
        "fail": dataclasses.asdict(archive.fault) if archive.fault else None,
    }


def change(archive: ArchiveClasses, wanted: Any) -> dict[str, int]:
    """Raises ``KeyError``, ``TypeError`` or ``ValueError`` for what it does not understand."""
    if not isinstance(wanted, dict):
        raise TypeError("not a JSON object")
    unknown = set(wanted) - {
        "delay_seconds", "finish", "expire", "in_seconds", "move", "lose_events", "fail", "reset",
    }  # fmt: skip
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    if wanted.get("reset"):
        archive.calls.clear()
    archive.delay_seconds = float(wanted.get("delay_seconds", archive.delay_seconds))
    archive.restores.loses_events = bool(wanted.get("lose_events", archive.restores.loses_events))
    if "fail" in wanted:
        archive.fault = Fault(**wanted["fail"]) if wanted["fail"] else None
    touched = 0
    if "move" in wanted:
        touched += archive.restores.move(str(wanted["move"]["prefix"]), str(wanted["move"]["class"]))
    if "finish" in wanted:
        touched += archive.restores.finish(str(wanted["finish"]))
    if "expire" in wanted:
        touched += archive.restores.expire(str(wanted["expire"]), float(wanted.get("in_seconds", 0)))
    return {"touched": touched}


def _json(status: int, answer: object) -> Answered:
    return status, {"Content-Type": "application/json"}, json.dumps(answer).encode()


def main() -> None:
    archive = ArchiveClasses(DELAY_SECONDS)
    archive.install()
    shared_code.install()
    if os.environ.get("BIND_HOST") == LOOPBACK:  # it asks nobody who they are
        app._handle_admin_config_request = with_hook(archive, app._handle_admin_config_request)
    app.main()
