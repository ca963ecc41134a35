"""When chains are let go: once a day."""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone

RUNS_AT = time(5, 45, tzinfo=timezone.utc)
"""As the schedule in ``app.py`` says."""


def next_run(moment: datetime) -> datetime:
    """The first run after that; UTC."""
    run = datetime.combine(moment.astimezone(timezone.utc).date(), RUNS_AT)
    return run if run > moment else run + timedelta(days=1)
