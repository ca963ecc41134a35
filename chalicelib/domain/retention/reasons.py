"""Why a chain does not go, in a sentence for the mail and for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo

from chalicelib.domain.mail.phrases import in_zone
from chalicelib.domain.retention.limits import NOT_FETCHED_FOR, SMALLEST_SUCCESSOR, SUCCESSOR_AGE
from chalicelib.domain.retention.plan import Waiting, Why

_SENTENCES: Mapping[Why, str] = {
    Why.HELD: "You hold it: it stays until you release it.",
    Why.LOCKED: "Object Lock keeps it{until}.",
    Why.OPEN_SET: "A backup that continues it is not finished.",
    Why.FOR_ITS_YEAR: "It is the first chain of {year} that you have seen, and you keep one a year.",
    Why.YOUNG: "Its newest backup is of {newest}: you keep it{until}.",
    Why.MUCH_SMALLER: "The newer full backup has less than {smallest:.0%} of this one's bytes. If everything that you "
    "want is in it, name this chain when you approve.",
    Why.OTHER_ENROLMENT: "The machine was enrolled anew between this chain and the newer one. If the newer one is your "
    "machine's, name this chain when you approve.",
    Why.NOT_LOOKED_AT: "You have not looked at the job's chains since the newer full backup was stored. Look, and "
    "approve.",
    Why.NO_SUCCESSOR: "Not enough newer full backups can stand in for it: each must be {age} days old.",
    Why.TANGLED: "Two full backups of the job meet in one increment: nobody can say which of them it needs. Put the "
    "one that is not yours into quarantine.",
    Why.BLOCKED: "{detail}",
    Why.FETCHED: "It was read from in the last {fetched} days, as in a restore: it stays{until}.",
    Why.UNANNOUNCED: "Weekly mails name a chain before it goes: {detail} have named it.",
    Why.ONE_A_DAY: "One chain of a job goes a day, the oldest first: this one stays{until}.",
}
_OLD_ENOUGH = (
    "A newer full backup must be {age} days old before it can stand in for this one: it will be on {day}."
)


def reason_of(waiting: Waiting, zone: tzinfo) -> str:
    """A sentence, or two where the owner can do something. It names no command: who shows it does."""
    day = _day(waiting.until, zone) if waiting.until else ""
    known = waiting.why is Why.NO_SUCCESSOR and day
    return (_OLD_ENOUGH if known else _SENTENCES[waiting.why]).format(
        until=f" until {day}" if day else "",
        day=day,
        detail=in_zone(waiting.detail, zone),
        year=waiting.chain.first_sealed_at.year,
        newest=_day(waiting.chain.newest_sealed_at, zone),
        smallest=SMALLEST_SUCCESSOR,
        age=SUCCESSOR_AGE.days,
        fetched=NOT_FETCHED_FOR.days,
    )


def _day(moment: datetime, zone: tzinfo) -> str:
    """``3 Nov 2026``."""
    return f"{moment.astimezone(zone):%d %b %Y}".lstrip("0")
