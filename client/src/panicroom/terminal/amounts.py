"""Sizes, shares and times as people read them."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations


def size_text(size_bytes: float) -> str:
    """``12.3 MB``: units of 1024, as S3 bills."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if size_bytes < 1024 or unit == "GB":
            return f"{size_bytes:.0f} {unit}" if unit == "bytes" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    raise AssertionError("not reached")


def part_text(done_bytes: int, total_bytes: int) -> str:
    """``1.2/3.4 GB``, in the unit of the larger one."""
    number, unit = size_text(total_bytes).split()
    scale = 1024 ** ("bytes", "KB", "MB", "GB").index(unit)
    return f"{done_bytes / scale:.{0 if unit == 'bytes' else 1}f}/{number} {unit}"


def share_text(done_bytes: int, total_bytes: int) -> str:
    """``45 %``; 100 only when all is done."""
    return f"{min(100 * done_bytes // total_bytes, 100)} %" if total_bytes else ""


def clock_text(seconds: float) -> str:
    """``0:07``, ``12:34`` or ``5:12:34``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
