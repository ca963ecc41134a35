"""The owner's page as one self-contained HTML file: for the printer, a screen by day or night, and a telephone."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from ops.owner_page.content import OwnerPage


def as_html(page: OwnerPage) -> str:
    """It asks nothing of the network, and runs nothing."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template("page.html").render(page=page) + "\n"
