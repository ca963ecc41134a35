"""Which chain or set the owner means by what was typed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo

from chalicelib.domain.backups.names import SetId, format_time

SHORTEST_NAME = 4
"""So much has to be typed at least: a year."""


def matching(typed: str, known: Mapping[SetId, datetime | None], zone: tzinfo) -> list[SetId]:
    """Those whose name, or whose date, begins so: ``full.20261101T040000Z``, ``20261101``, ``2026-11-01``.

    ``known`` has S3's time of each; a date may be that one, in the owner's zone, or the one in the name. A whole name
    is never taken for the beginning of another.
    """
    wanted = typed.strip().lower()
    exact = [set_id for set_id in known if str(set_id).lower() == wanted]
    if exact or len(wanted) < SHORTEST_NAME:
        return exact
    digits = wanted.replace("-", "")
    return [
        set_id
        for set_id, stored_at in known.items()
        if str(set_id).lower().startswith(wanted)
        or format_time(set_id.end).lower().startswith(digits)
        or (stored_at is not None and f"{stored_at.astimezone(zone):%Y%m%d}".startswith(digits))
    ]


class NotNamed(ValueError):
    """``str(error)`` says what there is, or what more is to be typed."""


def the_one(typed: str, known: Mapping[SetId, datetime | None], zone: tzinfo, whose: str) -> SetId:
    """``whose``: ``machine/job``. Raises ``NotNamed`` where the text names none of them, or several."""
    found = matching(typed, known, zone)
    if len(found) == 1:
        return found[0]
    listed = ", ".join(sorted(map(str, found or known))) or "none"
    if found:
        raise NotNamed(f"{typed} names several of {whose}: {listed}. Type more of the name.")
    raise NotNamed(
        f"{whose} has no backup called {typed} here. There is: {listed}. Type a name, or what it or its date begins"
        f" with, {SHORTEST_NAME} characters at least."
    )
