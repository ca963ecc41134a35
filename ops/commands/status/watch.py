"""``python -m ops status --watch``: the state again and again, in one place of the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from chalicelib.fleet_wire import FleetStatus
from ops.errors import OpsError


def watch(
    console: Console,
    ask: Callable[[], FleetStatus],
    show: Callable[[FleetStatus], RenderableType],
    seconds: int,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Until Ctrl-C, which ends it well. A call that fails leaves the last answer where it is, and says so."""
    shown: RenderableType = Text("No answer yet.")
    answered = ""
    try:
        with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:
            while True:
                try:
                    shown, answered, failed = show(ask()), _clock(), ""
                except OpsError as error:
                    failed = f"{_clock()}: {error}"
                live.update(Group(*_status_lines(answered, failed, seconds), shown), refresh=True)
                wait(seconds)
    except KeyboardInterrupt:
        console.print("Watched until here; nothing was changed.")


def _status_lines(answered: str, failed: str, seconds: int) -> list[Text]:
    lines = [Text(f"Last answer {answered or 'none'}, asked every {seconds} s; Ctrl-C ends it.", style="dim")]
    return [*lines, Text(f"The call failed at {failed}", style="red")] if failed else lines


def _clock() -> str:
    return f"{datetime.now(timezone.utc).astimezone():%Y-%m-%d %H:%M:%S}"
