"""An alert as the topic gets it: a text for people, and JSON for programs, which docs/fleet.md describes."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any

from chalicelib.domain.audit.findings import at_stage
from chalicelib.domain.mail.alert_items import Alert, AlertItem
from chalicelib.domain.shown import all_shown

FORMAT = 1
"""Of the fields of panicroom's own; it changes when one of them is removed or means something else."""

MOST_SUBJECT_CHARACTERS = 99
MOST_BYTES = 256 * 1024
"""What SNS takes: a subject of fewer than 100 characters, a message of 256 KB with all its forms."""

MOST_ITEM_BYTES = 160 * 1024
MOST_TEXT_BYTES = 64 * 1024
MOST_LISTED = 20

SEVERITIES = ("urgent", "critical", "warning", "over")
"""The worst first."""

MOST_CHARACTERS, MOST_LISTED_CHARACTERS = 2_000, 300
"""Of one text, and of a line for a chat: so that the most urgent item always has room."""


@dataclasses.dataclass(frozen=True)
class AlertMessage:
    """``subject`` is ASCII; ``payload`` the JSON of ``MessageStructure=json``: what each protocol gets, by its name.

    ``severity`` is that of its worst item: by it a telephone can be spared all that is not urgent.
    """

    subject: str
    payload: str
    severity: str


def alert_message(alert: Alert, text: str, *, stage: str, at: datetime) -> AlertMessage:
    """``text`` is that of the mail. What SNS would not take is left off from the end, the least urgent, and counted."""
    alert = all_shown(alert)
    subject = _ascii(f"[panicroom] {alert.subject}")
    items = [_item(item, severity, stage) for severity, items in _by_severity(alert) for item in items]
    taken = _leading(map(_as_json, items), MOST_ITEM_BYTES)
    (audit,) = at_stage(["python -m ops audit"], stage)
    body = {
        # These three are what Amazon Q Developer, which brings messages into Slack and Teams, asks of one.
        "version": "1.0",
        "source": "custom",
        "content": {"title": subject, "description": _listed(alert.items, audit)},
        "format": FORMAT,
        "stage": stage,
        "at": f"{at.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
        "subject": _cut(alert.subject),
        "items": items[: len(taken)],
        "left_off": len(items) - len(taken),
    }
    lines = text.splitlines(keepends=True)
    short = _leading(lines, MOST_TEXT_BYTES)
    rest = "" if len(short) == len(lines) else f"\nThere is more than fits in here: {audit}\n"
    # Whatever has no form of its own gets the default: HTTPS, queues and functions.
    forms = {"default": _as_json(body), "email": "".join(short) + rest, "sms": subject}
    worst = min((item["severity"] for item in items), key=SEVERITIES.index)
    return AlertMessage(subject, _as_json(forms), worst)


def _by_severity(alert: Alert) -> Iterable[tuple[str, tuple[AlertItem, ...]]]:
    return (
        ("urgent", alert.safety),
        ("critical", alert.critical),
        ("warning", alert.awaited),
        ("critical", alert.jobs),
        ("over", alert.over),
        ("warning", alert.warnings),
    )


def _item(item: AlertItem, severity: str, stage: str) -> dict[str, Any]:
    return {
        "what": _cut(item.title),
        "severity": severity,
        "whose": _cut(item.whose),
        "machine": item.machine,
        "job": item.job,
        "message": _cut(item.message),
        "evidence": _cut(item.evidence),
        "advice": _cut(item.advice),
        # Half a command may do something else.
        "commands": [line for line in at_stage(item.commands, stage) if len(line) <= MOST_CHARACTERS],
    }


def _cut(text: str, most: int = MOST_CHARACTERS) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _listed(items: Sequence[AlertItem], audit: str) -> str:
    """A line for each, of our own words and names: a chat reads markdown, and messages have texts from outside."""
    more = [f"and {len(items) - MOST_LISTED} more"] if len(items) > MOST_LISTED else []
    lines = (_cut(f"{item.whose}: {item.title}", MOST_LISTED_CHARACTERS) for item in items[:MOST_LISTED])
    return "\n".join([*lines, *more, audit])


def _leading(parts: Iterable[str], most_bytes: int) -> list[str]:
    """As many of the first ones as fit, as they stand in the payload: as a text in JSON."""
    sizes = itertools.accumulate(
        ((len(_as_json(part).encode()), part) for part in parts),
        lambda before, one: (before[0] + one[0], one[1]),
    )
    return [part for size, part in itertools.takewhile(lambda each: each[0] <= most_bytes, sizes)]


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()[:MOST_SUBJECT_CHARACTERS]


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
