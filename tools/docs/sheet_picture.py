"""``python -m tools.docs.sheet_picture`` makes the picture of a recovery sheet in ``docs/images``, by a Chromium."""

from __future__ import annotations

import tempfile
from pathlib import Path

from panicroom.recovery.sheet.facts import sheet_page
from panicroom.recovery.sheet.html import as_html
from panicroom.recovery.sheet.known import Known, PlacedJob
from panicroom.recovery.sheet.page import Page

from ops.functions.package import PROJECT
from ops.local.received_mail import take_picture

PICTURE = Path("docs/images/recovery-sheet.png")
WIDTH, HEIGHT = 800, 1090


def example_page() -> Page:
    """Of a computer that nobody has; the code is one that no service knows."""
    bucket = "panicroom-home-111122223333-eu-central-1"
    known = Known(
        url="https://abcdefghij.execute-api.eu-central-1.amazonaws.com/api",
        machine="annas-laptop",
        jobs=(
            PlacedJob("system", "/home/anna", bucket, "annas-laptop/system/", "2026-11-29T19:00:00Z"),
            PlacedJob("photos", "/srv/photos", bucket, "annas-laptop/photos/", is_archived=True),
        ),
        account="111122223333",
        region="eu-central-1",
        stage="home",
    )
    price = "about $5.20 for everything (120.3 GB thawed by Bulk and downloaded), on the AWS account's bill"
    return sheet_page(known, "2026-11-30", "01230-4567K-89ABV-CDEF2-GHJKV-MNPQS", price)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "sheet.html"
        page.write_text(as_html(example_page()), encoding="utf-8")
        if not take_picture(page, PROJECT / PICTURE, width=WIDTH, height=HEIGHT):
            raise SystemExit("There is no Chromium, or it could not print the page.")


if __name__ == "__main__":
    main()
