"""Lines of our own in the log, beside duplicity's."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def append_lines(log_file: Path, lines: Iterable[str]) -> None:
    """Appends ``lines``; the log is there once duplicity has run."""
    with log_file.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(f"{line}\n" for line in lines)
