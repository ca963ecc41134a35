"""The recovery sheet for the printer: one page of paper, alone in its file, with a QR code that can be read."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
import zxingcpp
from panicroom.recovery.sheet.html import as_html, qr_svg
from panicroom.recovery.sheet.page import Page
from panicroom.recovery.sheet.text import as_text
from PIL import Image
from sheets import CODE, URL, a_machine, a_page, answer, largest_pages

from ops.local.received_mail import BROWSERS, run_browser, take_picture

needs_browser = pytest.mark.skipif(
    not any(map(shutil.which, BROWSERS)), reason="there is no Chromium to print a page with"
)
SCANNED = f"{URL}#annas-laptop/{CODE}"


class Reader(HTMLParser):
    """The text of a page, and what its elements ask for."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags, self.asked = "", set[str](), list[tuple[str, str | None]]()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.asked += [(name, value) for name, value in attrs if name in ("src", "href", "srcset", "data")]

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


@pytest.mark.parametrize("page", largest_pages().values(), ids=largest_pages())
def test_it_says_the_same_as_the_text(page: Page) -> None:
    html = "".join(Reader(as_html(page)).text.split())
    for way in page.ways:
        for step in way.steps:
            for said in (step.text, step.after or "", *step.lines):
                assert "".join(said.split()) in html
                assert "".join(said.split()) in "".join(as_text(page).split())
    for fact in (fact for group in page.groups for fact in group.facts):
        for said in (fact.name, fact.value or "", fact.note or ""):
            assert "".join(said.split()) in html


def test_it_asks_nothing_of_the_network_and_runs_nothing() -> None:
    html = as_html(a_page(a_machine(), answer(a_machine()), CODE))
    page = Reader(html)
    assert page.asked == []
    assert not page.tags & {"script", "img", "link", "iframe", "object", "form"}
    assert "default-src 'none'" in html
    assert "url(" not in html
    assert "@import" not in html


def test_texts_of_a_hostile_service_stay_texts() -> None:
    hostile = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>&quot;\"'"
    settings = a_machine()
    page = Reader(as_html(a_page(settings, answer(settings, prefix=hostile, bucket=hostile))))
    assert not page.tags & {"script", "img"}
    assert hostile.replace("'", """'"'"'""") in page.text, "quoted for a shell, and shown as it is"


def test_without_a_code_the_qr_code_has_the_address_alone() -> None:
    assert a_page(a_machine(), None).scanned == f"{URL}#annas-laptop"
    assert a_page(a_machine(), None, CODE).scanned == SCANNED
    for page in (a_page(a_machine(), answer(a_machine())), a_page(a_machine(), None)):
        assert CODE not in as_html(page)


# ---------------------------------------------------------------- printed


def pages_of(html: str, size: str, folder: Path) -> int:
    """On how many pages of paper a Chromium prints it."""
    source, printed = folder / "sheet.html", folder / "sheet.pdf"
    assert html.count("@page {") == 1
    source.write_text(html.replace("@page {", f"@page {{ size: {size};"), encoding="utf-8")
    run_browser(source, 800, 600, f"--print-to-pdf={printed}")
    return len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes()))


@needs_browser
@pytest.mark.parametrize("size", ["A4", "Letter"])
@pytest.mark.parametrize("page", largest_pages().values(), ids=largest_pages())
def test_it_is_one_page_of_paper(page: Page, size: str, tmp_path: Path) -> None:
    assert pages_of(as_html(page), size, tmp_path) == 1


def seen(picture: Path) -> list[str]:
    return [found.text for found in zxingcpp.read_barcodes(Image.open(picture).convert("L"))]


@needs_browser
@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("degrees", [0, 7, 90])
def test_a_telephone_reads_the_code_off_the_page(scale: int, degrees: int, tmp_path: Path) -> None:
    """From a picture of the whole page as it is printed, of three sizes, held straight and not."""
    html = as_html(a_page(a_machine(2), answer(a_machine(2)), CODE))
    turned = f"html {{ zoom: {scale}; }} header figure {{ transform: rotate({degrees}deg); }}"
    source, picture = tmp_path / "sheet.html", tmp_path / "sheet.png"
    source.write_text(html.replace("</style>", f"{turned}</style>"), encoding="utf-8")
    assert take_picture(source, picture, width=900 * scale, height=1300 * scale)
    assert seen(picture) == [SCANNED]


@needs_browser
def test_a_stain_over_a_part_of_it_does_no_harm(tmp_path: Path) -> None:
    drawn = qr_svg(SCANNED).replace("</svg>", '<circle cx="38" cy="26" r="6" fill="#765"/></svg>')
    source, picture = tmp_path / "code.html", tmp_path / "code.png"
    source.write_text(f"<style>svg {{ width: 300px; }}</style>{drawn}", encoding="utf-8")
    assert take_picture(source, picture, width=400, height=400)
    assert seen(picture) == [SCANNED]
