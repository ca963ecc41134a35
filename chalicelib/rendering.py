"""How the weekly mail looks: the same report as HTML and as text."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from chalicelib.domain.report import Report


@dataclasses.dataclass(frozen=True)
class Mail:
    subject: str
    html: str
    text: str


@functools.cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(report: Report) -> Mail:
    templates = _templates()
    return Mail(
        subject=report.subject,
        html=templates.get_template("weekly.html").render(report=report),
        text=templates.get_template("weekly.txt").render(report=report),
    )
