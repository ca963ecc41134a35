"""What is remembered of alerts that went out, so that each goes out once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime

from chalicelib.domain.mail.alert_items import (
    Trouble,
)


@dataclasses.dataclass(frozen=True)
class AlertRecord:
    """What went out and when: findings that are open by their keys, jobs in trouble, notices of the last month."""

    findings: Mapping[str, datetime] = dataclasses.field(default_factory=dict)
    troubles: Mapping[str, Trouble] = dataclasses.field(default_factory=dict)
    notices: Mapping[str, datetime] = dataclasses.field(default_factory=dict)
    at_once: Mapping[str, datetime] = dataclasses.field(default_factory=dict)
    """The last mail at once, by whom and what it was about."""
    hourly_at: datetime | None = None
    daily_at: datetime | None = None
    evaluated_at: datetime | None = None
    """When the states of the jobs were evaluated last."""
    begun_at: datetime | None = None

    def not_after(self, now: datetime) -> AlertRecord:
        """With no time later than ``now``: a clock that was ahead for a while must not silence the alerts for as
        long."""

        def past(moment: datetime | None) -> datetime | None:
            return min(moment, now) if moment else None

        def all_past(moments: Mapping[str, datetime]) -> dict[str, datetime]:
            return {key: min(moment, now) for key, moment in moments.items()}

        troubles = {
            name: dataclasses.replace(
                trouble, since=min(trouble.since, now), mailed_at=past(trouble.mailed_at)
            )
            for name, trouble in self.troubles.items()
        }
        return AlertRecord(
            all_past(self.findings),
            troubles,
            all_past(self.notices),
            all_past(self.at_once),
            past(self.hourly_at),
            past(self.daily_at),
            past(self.evaluated_at),
            past(self.begun_at),
        )
