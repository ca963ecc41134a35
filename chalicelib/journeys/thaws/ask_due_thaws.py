"""The minute's tick: has the function go on with each thaw that is due, and with one that was cut off."""

from __future__ import annotations

from datetime import datetime

from chalicelib.adapters.stores.thaw_store import ThawStore
from chalicelib.domain.restore.progress import is_due
from chalicelib.domain.restore.thaws import AskForThaw


def ask_due_thaws(thaws: ThawStore, ask: AskForThaw, now: datetime) -> int:
    """How many it asked for."""
    due = [thaw for thaw in thaws.thaws() if is_due(thaw, now)]
    for thaw in due:
        ask(thaw.machine, thaw.job, thaw.id)
    return len(due)
