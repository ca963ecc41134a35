"""The mail before a linter that knows what mail clients show (caniemail), and before a real browser.

Both are large: ``make soak`` fetches the one, and leaves out what this computer lacks."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from ops.functions.package import PROJECT
from tests.mail_scenes import SCENES, WIDTHS, measured_width, write_scenes

LINTER = PROJECT / "tests" / "caniemail"
OLD_OUTLOOK = ["outlook.windows", "outlook.windows-mail"]

NOT_SHOWN = {
    # What is lost, and why that is well: none of it is content.
    "<body> element": ["outlook.macos"],  # a div stands for it; the colours are those of the table in it
    "<style> element": [
        "gmail.mobile-webmail"
    ],  # all that matters is inlined; no dark colours, no wider cells
    "@media": ["gmail.mobile-webmail", *OLD_OUTLOOK],  # the same
    "border-radius": OLD_OUTLOOK,  # square corners
    "overflow": OLD_OUTLOOK,  # of bars that are as high as their cell anyway
    # Gmail and the newer Outlooks break long words by word-break, which stands beside it.
    "overflow-wrap": [
        *("gmail.android", "gmail.desktop-webmail", "gmail.ios"),
        *("outlook.android", "outlook.ios", *OLD_OUTLOOK),
    ],
    "role attribute": ["outlook.windows-mail"],  # it reads tables as tables
    "table-layout": OLD_OUTLOOK,  # a long command may widen the mail on a desktop
    "white-space": OLD_OUTLOOK,  # a long line may wrap
    "word-break": ["outlook.windows-mail"],  # a long command may widen the mail on a desktop
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder, pictures=False)
    return sorted(folder.glob("*.html"))


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no Node.js here")
def test_gmail_apple_mail_and_outlook_show_all_but_what_is_listed(pages: list[Path], tmp_path: Path) -> None:
    for path in LINTER.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=tmp_path, check=True)
    ended = subprocess.run(
        ["node", "check.mjs", *map(str, pages)], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert json.loads(ended.stdout) == NOT_SHOWN


@pytest.mark.soak
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scene", SCENES)
def test_nothing_is_wider_than_the_screen(pages: list[Path], scene: str, width: int, tmp_path: Path) -> None:
    [page] = [path for path in pages if path.stem == scene]
    measured = measured_width(page.read_text(), tmp_path / "frame.html", width)
    if measured is None:
        pytest.skip("there is no Chromium here")
    assert measured <= width
