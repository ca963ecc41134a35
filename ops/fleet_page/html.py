"""Writes the page as HTML, without the closing tags that HTML does not need: with 1,000 machines that matters."""

from __future__ import annotations

import re
from pathlib import Path

from markupsafe import Markup, escape

from ops.fleet_page import plots
from ops.fleet_page.content import FleetPage
from ops.html_page import page_templates


def as_html(page: FleetPage) -> str:
    """It asks nothing of the network, and runs nothing."""
    templates = page_templates(Path(__file__).parent)
    templates.filters["ticked"] = _ticked
    return templates.get_template("page.html").render(page=page, box=plots) + "\n"


def _ticked(text: str) -> Markup:
    """A sentence with what stands between backticks as something to type."""
    return Markup(re.sub("`([^`]+)`", r"<kbd>\1</kbd>", str(escape(text))))  # noqa: S704
