"""The pictures of the mail and of the page that the documents show, by a Chromium.

python -m tests.document_pictures
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from PIL import Image

from chalicelib.rendering import render
from ops.fleet_page.compose import fleet_page
from ops.fleet_page.html import as_html
from ops.functions.package import PROJECT
from tests.fleet_scenes import home
from tests.mail_scenes import GB, MB, Scene, chain, drilled, letting_go, photograph, pictures, weeks_before

IMAGES = PROJECT / "docs" / "images"
GAP = 24
COLOURS = 256
"""So many are enough for flat colours and letters, at half of the bytes."""


@dataclasses.dataclass(frozen=True)
class Part:
    """What is cut out of a page that is ``width`` pixels wide: from ``left`` and ``top`` on, in pixels."""

    page: str
    width: int
    left: int
    top: int
    shown: int
    is_dark: bool = False


def compose(parts: Sequence[Part], height: int, picture: Path) -> None:
    """Side by side."""
    whole = Image.new("RGB", (sum(part.shown + GAP for part in parts) - GAP, height), "white")
    left = 0
    for part in parts:
        whole.paste(_cut(part, height), (left, 0))
        left += part.shown + GAP
    whole.quantize(COLOURS).save(picture, optimize=True)


def _cut(part: Part, height: int) -> Image.Image:
    page = part.page.replace("(prefers-color-scheme: dark)", "all") if part.is_dark else part.page
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "page.png"
        photograph(page, picture, part.width)
        if not picture.exists():
            raise SystemExit("There is no Chromium, or it could not show the page.")
        with Image.open(picture) as opened:
            box = part.left, part.top, part.left + part.shown, part.top + height
            return opened.convert("RGB").crop(box)


def main() -> None:
    page = as_html(fleet_page(home()))
    compose(
        [Part(page, 1180, 0, 0, 1180), Part(page, 360, 0, 0, 360, is_dark=True)],
        1450,
        IMAGES / "fleet-page.png",
    )
    mail = render(household().report()).html
    parts = [
        Part(mail, 640, 0, 0, 640),
        Part(mail, 640, 0, 1_225, 640),
        Part(mail, 360, 0, 0, 360, is_dark=True),
    ]
    compose(parts, 1120, IMAGES / "weekly-mail.png")


def household() -> Scene:
    """A laptop that is overdue, old backups that go, nine years of pictures."""
    scene, photos = letting_go(), pictures()
    scene.add("bens-desktop", "system", chain(60, 140 * GB, 40, 300 * MB, newest=12), last_drill=drilled(40))
    scene.stored |= {job: sets for job, sets in photos.stored.items() if job.family}
    scene.with_pictures = photos.with_pictures[:1]
    scene.earlier = weeks_before(9, 1_840 * GB, "7.85", 0.004)
    scene.budget = Decimal(10)
    return scene


if __name__ == "__main__":
    main()
