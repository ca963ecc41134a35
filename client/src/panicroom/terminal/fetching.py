"""What is shown while a command asks the service and fetches metadata: something from the first moment on."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from panicroom.terminal.reporter import Reporter

_LARGE_BYTES = 10 * 2**20
"""From here on a fetch of metadata is reported to logs and files too."""


@contextmanager
def shown_fetch(reporter: Reporter, what: str) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Shows that the service is asked, until something is to be fetched. What it gives takes the events of a fetch
    (``MetadataCache``), then and later."""
    with ExitStack() as shown:
        shown.enter_context(reporter.busy("asking the service what is stored"))

        def on_event(event: dict[str, Any]) -> None:
            match event["event"]:
                case "expected":
                    shown.close()
                    is_brief = event["bytes"] < _LARGE_BYTES
                    shown.enter_context(reporter.task(f"fetching {what}", 0, brief=is_brief))
                    reporter.event(event)
                case "fetched":
                    shown.close()
                case _:
                    reporter.event(event)

        yield on_event
