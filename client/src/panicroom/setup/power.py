"""Whether a scheduled backup should wait: on battery below 20 %, or on a metered connection.

A backup by hand never waits, and nor does one that is overdue.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from panicroom.settings import Settings

LOW_BATTERY_PERCENT = 20
_SECONDS = 5
_POWER_SUPPLIES = Path("/sys/class/power_supply")


def reason_to_wait(settings: Settings) -> str | None:
    """Why a scheduled backup that is not overdue should wait; None if it should not, or nobody knows."""
    if not settings.on_battery:
        percent = _pmset_percent(_output(["pmset", "-g", "batt"])) if sys.platform == "darwin" else None
        if sys.platform != "darwin":
            percent = battery_percent(_POWER_SUPPLIES)
        if percent is not None and percent < LOW_BATTERY_PERCENT:
            return f"the battery has {percent} % left"
    if not settings.on_metered and is_metered(
        _output(["nmcli", "-t", "-f", "GENERAL.METERED", "dev", "show"])
    ):
        return "the connection is metered"
    return None


def battery_percent(supplies: Path) -> int | None:
    """What the batteries have left, as Linux shows it in /sys; None on mains power, or without a battery."""
    percents = []
    try:
        folders = sorted(supplies.iterdir())
    except OSError:
        return None
    for folder in folders:
        kind, online = _text(folder / "type"), _text(folder / "online")
        if kind in ("Mains", "USB") and online == "1":
            return None
        if kind == "Battery" and _text(folder / "scope") != "Device":  # a mouse's is none of ours
            if _text(folder / "status") == "Charging":
                return None
            capacity = _text(folder / "capacity")
            if capacity.isdecimal():
                percents.append(int(capacity))
    return max(percents, default=None)


def is_metered(text: str) -> bool:
    """NetworkManager's answer: the first device is that of the default route."""
    answers = re.findall(r"(?m)^GENERAL\.METERED:(\S+)", text)
    return bool(answers) and answers[0] == "yes"


def _pmset_percent(text: str) -> int | None:
    """Of macOS's pmset. Not run on a Mac yet."""
    found = re.search(r"(\d{1,3})%", text)
    return int(found[1]) if found and "'Battery Power'" in text else None


def _output(command: list[str]) -> str:
    if shutil.which(command[0]) is None:
        return ""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
