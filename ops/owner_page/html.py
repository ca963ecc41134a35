"""The owner's page as one self-contained HTML file: for the printer, a screen by day or night, and a telephone."""

from __future__ import annotations

from pathlib import Path

from ops.html_page import page_templates
from ops.owner_page.content import OwnerPage


def as_html(page: OwnerPage) -> str:
    """It asks nothing of the network, and runs nothing."""
    templates = page_templates(Path(__file__).parent)
    return templates.get_template("page.html").render(page=page) + "\n"
