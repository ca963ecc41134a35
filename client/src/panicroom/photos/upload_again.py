"""What it costs to upload pictures again that are stored under another name: gigabytes, dollars, hours."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import json

from panicroom.private_files import write_private
from panicroom.settings import Settings
from panicroom.terminal.amounts import size_text
from panicroom.terminal.run_totals import RunTotals

_GB = 2**30

_LEAST_BYTES = 32 * 2**20
"""Below this a run's beginning and end, not the line, are measured."""


class UploadRate:
    """Bytes a second of the newest backup of pictures that was large enough to tell."""

    def __init__(self, settings: Settings) -> None:
        self._file = (
            settings.places.state / settings.machine / "upload-rate.json"
        )  # a dot is in no job's name

    def remember(self, totals: RunTotals) -> None:
        if totals.sent_bytes >= _LEAST_BYTES and totals.seconds > 0:
            write_private(
                self._file, json.dumps({"bytes_a_second": totals.sent_bytes / totals.seconds}) + "\n"
            )

    def read(self) -> float | None:
        """None where it is not known."""
        try:
            rate = float(json.loads(self._file.read_text(encoding="utf-8"))["bytes_a_second"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return rate if rate > 0 else None


def price_text(size_bytes: int, usd_a_gb_year: float | None, bytes_a_second: float | None) -> str:
    """``24.1 GB, $0.29 more a year, about 3 hours``; without what is not known. Both names of a picture are stored
    from then on, so that what it adds to the bill stays."""
    parts = [size_text(size_bytes)]
    if usd_a_gb_year is not None:
        usd = size_bytes / _GB * usd_a_gb_year
        parts.append(f"${usd:.2f} more a year" if usd >= 0.01 else "less than a cent more a year")
    if bytes_a_second:
        parts.append(f"about {_duration_text(size_bytes / bytes_a_second)}")
    return ", ".join(parts)


def _duration_text(seconds: float) -> str:
    """Rounded up to what somebody plans with."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds > size:
            count = -(-seconds // size)
            return f"{count:.0f} {unit}{'s' if count != 1 else ''}"
    return "a minute"
