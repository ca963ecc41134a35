"""The weekly mail's two forms: the same numbers in both, nothing that mail clients drop, and small enough."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from chalicelib.rendering import Mail, render
from tests.mail_scenes import SCENES

GMAIL_CUTS_AT_BYTES = 102 * 1024
MOST_BYTES = 100 * 1000

# What Gmail, Outlook and Apple Mail show, by https://www.caniemail.com/features/ (as of June 2026). Where one of
# them shows less, it says here what is lost; none of it is content.
SHOWN_TAGS = {
    *("html", "head", "meta", "title", "style", "body"),
    *("table", "tr", "td", "div", "span", "b", "br", "h1", "h2"),
}
SHOWN_ATTRIBUTES = {
    *("lang", "charset", "name", "content", "style", "class", "role", "width", "height", "colspan"),
    *("align", "valign", "cellpadding", "cellspacing", "border"),
}
SHOWN_PROPERTIES = {
    *("color", "background-color", "font-family", "font-size", "font-weight", "line-height"),
    *("padding", "padding-left", "padding-right"),  # Outlook for Windows: of cells only, some air is lost
    *("border", "border-top", "border-left", "border-color", "width", "height"),
    "max-width",  # Outlook for Windows: of tables only, which is where it stands
    "margin",  # of the body, where all of them have their own
    "border-radius",  # Outlook for Windows: the corners stay square
    "white-space",  # Outlook for Windows: a long line may wrap
    *(
        "overflow-wrap",
        "word-break",
        "word-wrap",
        "table-layout",
    ),  # Outlook for Windows: a long command may widen the mail
}
SHOWN_QUERIES = {
    "(prefers-color-scheme: dark)",  # Gmail makes its own dark colours instead
    "(max-width: 480px)",
}
EMPTY_TAGS = {"meta", "br"}
MOST_STYLE_BYTES = 8192
"""Gmail drops a style sheet that is larger: caniemail.com/features/html-style."""


class Reader(HTMLParser):
    """What a person sees, and everything that could keep them from it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.style_sheet = ""
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.styles: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.styles += [value or "" for name, value in attrs if name == "style"]
        if tag not in EMPTY_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            self.style_sheet += data
        elif "title" not in self.open:
            self.seen.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.seen).split())


def numbers(text: str) -> Counter[str]:
    return Counter(re.findall(r"\d[\d,.:]*\d|\d", text))


@pytest.fixture(scope="module", params=SCENES)
def mail(request: pytest.FixtureRequest) -> Mail:
    return render(SCENES[request.param]().report())


def test_text_and_html_say_the_same_numbers(mail: Mail) -> None:
    html, text = numbers(Reader(mail.html).text), numbers(mail.text)
    assert html == text
    assert len(text) > 5


def test_text_and_html_say_the_same_words(mail: Mail) -> None:
    def words(text: str) -> Counter[str]:
        return Counter(re.findall(r"[a-z]{2,}", text.lower()))

    assert words(Reader(mail.html).text) == words(mail.text)


def test_the_subject_says_what_the_mail_says(mail: Mail) -> None:
    assert not numbers(mail.subject) - numbers(mail.text)


def test_everything_in_it_is_shown_by_gmail_outlook_and_apple_mail(mail: Mail) -> None:
    reader = Reader(mail.html)
    assert reader.open == []
    assert reader.tags <= SHOWN_TAGS
    assert reader.attributes <= SHOWN_ATTRIBUTES
    inlined = re.findall(r"([a-z-]+)\s*:[^;]*", ";".join(reader.styles))
    assert set(inlined) <= SHOWN_PROPERTIES
    assert set(re.findall(r"@media ([^{]+?) \{", reader.style_sheet)) == SHOWN_QUERIES
    assert set(re.findall(r"[{;] ([a-z-]+): [^;{]+ !important", reader.style_sheet)) <= SHOWN_PROPERTIES
    assert len(reader.style_sheet.encode()) < MOST_STYLE_BYTES


def test_nothing_is_fetched_from_anywhere(mail: Mail) -> None:
    assert not re.search(r"https?://|url\(|src=|href=|<script|<img|<link|@import", mail.html)


def test_what_the_head_changes_is_a_difference_only(mail: Mail) -> None:
    """A client that drops the head still shows all of it: each class stands beside an inlined style."""
    for element in re.findall(r"<[a-z]+ [^>]*class=[^>]*>", mail.html):
        assert "style=" in element


def test_gmail_does_not_cut_it(mail: Mail) -> None:
    assert len(mail.html.encode()) < MOST_BYTES < GMAIL_CUTS_AT_BYTES


def test_the_text_is_narrow_enough_to_read(mail: Mail) -> None:
    in_columns = [line for line in mail.text.splitlines() if line.startswith("  ") and "#" in line]
    assert max(map(len, in_columns), default=0) <= 78


def test_a_thousand_machines_stand_in_the_attached_table() -> None:
    sent = render(SCENES["thousand"]().report())
    tables = {one.name.partition("-2026")[0]: one.text.splitlines() for one in sent.attachments}
    assert {name: len(lines) - 1 for name, lines in tables.items()} == {
        "backups": 3000,
        "findings": 40,
        "notices": 40,
    }
    assert sent.subject.startswith("[panicroom] 47 of 3,000 backups need you - ")


def test_a_single_laptop_gets_no_empty_grandeur() -> None:
    sent = render(SCENES["one-laptop"]().report())
    assert sent.attachments == ()
    for needless in ("By machine", "What is wrong", "What would save", "under $0.01"):
        assert needless not in sent.html


def test_no_mail_names_a_second_zone(mail: Mail) -> None:
    assert " UTC" not in mail.text
