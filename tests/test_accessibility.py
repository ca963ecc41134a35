"""The page to look at and all mails before axe-core in a real browser, as wide as a phone, a tablet and a
desk's screen, by day and by night."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.domain.audit.findings import new_finding
from chalicelib.domain.mail.alert_items import Alert, AlertItem
from chalicelib.rendering import Mail, render, render_alert
from ops.fleet_page.compose import fleet_page
from ops.fleet_page.html import as_html
from tests.axe import SCHEMES, look_at, needs_browser
from tests.fleet_scenes import FLEETS, NOW
from tests.mail_scenes import SCENES

WIDTHS = (360, 800, 1400)
TOO_LARGE = "thousand"
"""The same template as the others, and a minute of axe."""

pytestmark = needs_browser


def an_alert() -> Mail:
    finding = new_finding(
        "gap",
        machine="david-desktop",
        job="system",
        subject="s",
        message="The set full.20261103T040000Z of david-desktop/system is finished, but lacks volume 5.",
        evidence="volumes 1 to 4, and 6 to 61",
        commands=["python -m ops machine show david-desktop"],
    )
    item = AlertItem(
        finding.whose, finding.title, finding.message, finding.evidence, finding.advice, finding.commands
    )
    parts = Alert((item,), (item, item), (item,), (item,), (item,), (item,))
    return render_alert(parts, stage="home", written_at=NOW)


@pytest.fixture(scope="module")
def documents() -> dict[str, str]:
    pages = {
        f"page {name}": as_html(fleet_page(made())) for name, made in FLEETS.items() if name != TOO_LARGE
    }
    mails = {f"mail {name}": render(made().report()).html for name, made in SCENES.items()}
    return pages | mails | {"alert": an_alert().html}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing(documents: dict[str, str], width: int, scheme: str, tmp_path: Path) -> None:
    looked = look_at(documents, tmp_path, width, scheme)
    assert looked.keys() == documents.keys()
    assert {name: one.violations for name, one in looked.items() if one.violations} == {}
    for name, one in looked.items():
        assert "color-contrast" in one.passed, name
        assert one.is_dark == (scheme == "dark"), name
        assert one.brightness < 0.2 if one.is_dark else one.brightness > 0.8, name
        assert one.width <= width, f"{name} is wider than the screen"


def test_axe_would_find_something(tmp_path: Path) -> None:
    page = '<html><head></head><body><p style="color:#aaa">pale</p><img src="data:,"></body></html>'
    found = " ".join(look_at({"bad": page}, tmp_path, 800, "light")["bad"].violations)
    for code in ("color-contrast", "image-alt", "html-has-lang", "document-title", "landmark-one-main"):
        assert f"{code}: " in found
