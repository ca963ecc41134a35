"""How the mails look: the same report, or the same alert, as HTML and as text."""

from __future__ import annotations

import dataclasses
import functools
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from chalicelib.domain.audit.findings import at_stage
from chalicelib.domain.mail.alert_items import Alert
from chalicelib.domain.mail.report_parts import Attachment, Report
from chalicelib.domain.shown import all_shown

if TYPE_CHECKING:
    from jinja2 import Environment

SUBJECT_PREFIX = "[panicroom]"
"""So that a mail is recognised, and a filter has something to ask for."""

_BETWEEN_TAGS = re.compile(r">\n+<")


@dataclasses.dataclass(frozen=True)
class Mail:
    subject: str
    html: str
    text: str
    attachments: tuple[Attachment, ...] = ()


@functools.cache
def _templates() -> Environment:
    # Only the few calls that send a mail need it, and it is a tenth of what every function loads.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(report: Report) -> Mail:
    attachments = report.attachments
    report = all_shown(dataclasses.replace(report, attachments=()))
    templates = _templates()
    html = templates.get_template("weekly.html").render(report=report).strip()
    return Mail(
        subject=f"{SUBJECT_PREFIX} {report.subject}",
        html=_BETWEEN_TAGS.sub(">\n<", html),
        text=templates.get_template("weekly.txt").render(report=report).strip() + "\n",
        attachments=attachments,
    )


MOST_SHOWN = 20
"""Of each part of an alert but the one about safety; `ops audit` shows the rest."""


def render_alert(alert: Alert, *, stage: str, written_at: datetime) -> Mail:
    """``written_at`` in the owner's time zone; ``stage`` is named in the commands."""
    alert = all_shown(alert)
    parts = (
        ("Look now", "wrong", alert.safety),
        ("What is wrong", "wrong", alert.critical),
        ("Restores from the archive", "look", alert.awaited),
        ("Machines that do not back up", "wrong", alert.jobs),
        ("Over", "well", alert.over),
        ("Worth a look", "look", alert.warnings),
    )
    shown = [
        {"title": title, "tone": tone, "items": items[:most], "more": len(items) - most}
        for title, tone, items in parts
        if items and (most := len(items) if items is alert.safety else MOST_SHOWN)
    ]
    (audit,) = at_stage(["python -m ops audit"], stage)
    values = {
        "alert": alert,
        "parts": shown,
        "audit": audit,
        "commands_of": lambda item: at_stage(item.commands, stage),
        "written_at": written_at.strftime("%a %d %b %Y, %H:%M"),
    }
    templates = _templates()
    return Mail(
        subject=f"{SUBJECT_PREFIX} {alert.subject}",
        html=templates.get_template("alert.html").render(values),
        text=templates.get_template("alert.txt").render(values),
    )
