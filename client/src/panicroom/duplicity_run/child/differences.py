"""Reports what a verify finds different, as events: duplicity's own words may be in any language."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from typing import Any

from panicroom.duplicity_run.events import Events
from panicroom.duplicity_run.restore_plan import to_hex

_KINDS = {"reg": "file", "dir": "folder", "sym": "link", "fifo": "pipe", "chr": "device", "blk": "device"}


def install(events: Events) -> None:
    """Sends the event ``different`` with ``path`` (hex) and ``reason`` for each; once, before duplicity runs."""
    from duplicity import path

    compare = path.ROPath.compare_verbose

    def reporting_compare(stored: Any, now: Any, include_data: Any = 0) -> Any:
        equal = compare(stored, now, include_data)
        if not equal:
            index = (stored if stored.stat else now).index
            events.send("different", path=to_hex(index), reason=_reason(stored, now))
        return equal

    path.ROPath.compare_verbose = reporting_compare


def _reason(stored: Any, now: Any) -> str:
    if not stored.type:
        return "it is not in the backup"
    if not now.type:
        return "it is not in the source"
    if stored.type != now.type:
        return f"it is a {_KINDS.get(now.type, now.type)} now and a {_KINDS[stored.type]} in the backup"
    if not stored.issym() and not stored.perms_equal(now):
        return "it has another mode or owner"
    if stored.issym():
        return "it leads elsewhere"
    if stored.isdev():
        return "it is another device"
    if stored.getmtime() != now.getmtime():
        return "it has another time"
    return "it has other content"
