"""The owner's page: how to get into the account, each machine with its code's last group, and no code."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from chalicelib.domain.shown import all_shown
from chalicelib.owner_wire import JobShown, MachineShown, RecoveryShown
from ops.local.received_mail import BROWSERS, run_browser
from ops.owner_page.content import OwnerPage, owner_page
from ops.owner_page.html import as_html
from ops.owner_page.text import COLUMNS, as_text
from tests.ops.conftest import HOME, Owner

API = "https://abcdefghij.execute-api.eu-central-1.amazonaws.com/api"
needs_browser = pytest.mark.skipif(
    not any(map(shutil.which, BROWSERS)), reason="there is no Chromium to print a page with"
)


def a_machine(
    name: str, bucket: str = HOME.bucket, prefix: str | None = None, *, coded: bool = True
) -> MachineShown:
    where = f"{name}/system/" if prefix is None else prefix
    job = JobShown(
        "system",
        "fresh",
        86400,
        86400,
        "DEEP_ARCHIVE",
        7,
        "2026-11-29T03:00:00Z",
        bucket=bucket,
        prefix=where,
    )
    code = RecoveryShown("2026-10-12T08:00:00Z", "4JQ7M", 0, ()) if coded else None
    return MachineShown(name, "enrolled", "2026-01-01T00:00:00Z", (job,), recovery=code)


def a_page(*machines: MachineShown) -> OwnerPage:
    return all_shown(owner_page(HOME, API, machines, "2026-11-30"))


def test_it_says_how_to_get_in_and_leaves_blanks_for_what_no_service_knows() -> None:
    text = as_text(a_page(a_machine("annas-laptop")))
    for fact in (
        "https://123456789012.signin.aws.amazon.com/console",
        "eu-central-1",
        HOME.bucket,
        API,
        "ada@example.org",
    ):
        assert fact in text
    for blank in (
        "Root user's mail",
        "1st MFA device",
        "2nd MFA device",
        "Telephone",
        "Card, until",
        "The source is at",
    ):
        assert re.search(rf"^{blank} +____", text, re.MULTILINE), blank
    assert max(map(len, text.splitlines())) <= COLUMNS
    assert "machine recovery MACHINE --stage home" in text


def test_each_machine_has_the_last_group_of_its_code_and_blanks_for_its_paper() -> None:
    machines = a_machine("annas-laptop"), a_machine("attic", coded=False), a_machine("old", "old-bucket", "")
    text = as_text(a_page(*machines))
    first, second, third = text.split("COMPUTER ")[1:]
    assert "made on 2026-10-12, ends in 4JQ7M" in first
    assert "system: under annas-laptop/system/, newest backup 2026-11-29" in first
    assert "none yet: python -m ops machine recovery attic --stage home" in second
    assert "under no prefix of the bucket old-bucket" in third
    for part in (first, second, third):
        assert re.search(r"^Its sheet is at +____", part, re.MULTILINE)
        assert re.search(r"^Passphrase is at +____", part, re.MULTILINE)


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


def test_as_html_it_says_the_same_and_asks_nothing_of_the_network() -> None:
    page = a_page(a_machine("annas-laptop"), a_machine("attic", coded=False))
    html = Tags(as_html(page))
    assert not {tag for tag, _ in html.found} & {"script", "img", "link", "iframe", "object", "form"}
    assert not [name for _, attrs in html.found for name, _ in attrs if name in ("src", "href")]
    said = "".join(html.text.split())
    assert all(
        "".join(fact.value.split()) in said for part in page.machines for fact in part.facts if fact.value
    )
    assert as_html(page).count('class="blank"') == as_text(page).count("_" * 48)


def test_texts_from_outside_stay_texts() -> None:
    hostile = "<script>alert(1)</script>\x1b[2J"
    page = a_page(a_machine("annas-laptop", prefix=hostile))
    assert "script" not in {tag for tag, _ in Tags(as_html(page)).found}
    assert "\x1b" not in as_text(page)


@needs_browser
@pytest.mark.parametrize("size", ["A4", "Letter"])
def test_a_household_has_it_on_one_page_of_paper(size: str, tmp_path: Path) -> None:
    html = as_html(a_page(*(a_machine(f"laptop-{number}") for number in range(4))))
    source, printed = tmp_path / "page.html", tmp_path / "page.pdf"
    source.write_text(html.replace("@page {", f"@page {{ size: {size};"), encoding="utf-8")
    run_browser(source, 800, 600, f"--print-to-pdf={printed}")
    assert len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes())) == 1


def test_the_command_prints_every_machine_and_no_code(owner: Owner, tmp_path: Path) -> None:
    added = owner.asks("machine", "add", "sheet-laptop")
    code = added["recovery_code"]
    printed = owner.types("recovery-sheets")
    assert printed.exit_code == 0, printed.output
    part = printed.stdout.split("COMPUTER sheet-laptop\n")[1]
    assert f"ends in {code.rpartition('-')[2]}" in part
    assert code not in printed.stdout
    assert added["code"] not in printed.stdout
    assert owner.stack.api_url in printed.stdout
    target = tmp_path / "owner.html"
    said = owner.types("recovery-sheets", "--output", str(target))
    assert "ready to print" in said.stdout
    assert target.read_text().startswith("<!DOCTYPE html>")
    assert code not in target.read_text()
    [machine] = [
        part for part in owner.asks("recovery-sheets")["machines"] if part["machine"] == "sheet-laptop"
    ]
    assert {"name": "Passphrase is at", "value": None} in machine["kept_at"]


def test_a_file_that_cannot_be_written_is_one_sentence(owner: Owner, tmp_path: Path) -> None:
    said = owner.types("recovery-sheets", "--output", str(tmp_path / "none" / "page.txt"))
    assert said.exit_code != 0
    assert "cannot be written: No such file or directory." in str(said.exception)
