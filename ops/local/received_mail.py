"""The mail that the local stack received, as files that a person can open."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import datetime, timezone
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

import httpx

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
PICTURE_WIDTH, PICTURE_HEIGHT = 800, 480
PICTURE_SECONDS = 60


@dataclass(frozen=True)
class ReceivedMail:
    message_id: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    html: str
    received_at: datetime


def received_mails(endpoint: str) -> list[ReceivedMail]:
    """All mails that SES of the local stack was given, the oldest first."""
    by_account = httpx.get(f"{endpoint}/_ministack/ses/messages").raise_for_status().json()["messages"]
    messages = [message for account in by_account.values() for message in account]
    mails = [
        ReceivedMail(
            message_id=message["MessageId"],
            sender=message["Source"],
            recipients=tuple(message["To"]),
            subject=message["Subject"],
            text=_with_our_line_ends(message["BodyText"]),
            html=_with_our_line_ends(message["BodyHtml"]),
            received_at=datetime.fromtimestamp(message["Timestamp"], timezone.utc),
        )
        for message in messages
    ]
    return sorted(mails, key=lambda mail: mail.received_at)


def _with_our_line_ends(text: str) -> str:
    """A message is on its way with carriage returns, and MiniStack leaves them in."""
    return text.replace("\r\n", "\n")


def write_mail_files(mail: ReceivedMail, folder: Path) -> list[Path]:
    """Writes mail.eml, mail.html, mail.txt, and mail.png where there is a Chromium; what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    eml, html, text = (folder / f"mail.{ending}" for ending in ("eml", "html", "txt"))
    eml.write_bytes(bytes(as_message(mail)))
    html.write_text(mail.html, encoding="utf-8")
    text.write_text(mail.text, encoding="utf-8")
    picture = folder / "mail.png"
    return [eml, html, text, *([picture] if take_picture(html, picture) else [])]


def as_message(mail: ReceivedMail) -> EmailMessage:
    """The mail in the form in which programs for mail keep it."""
    message = EmailMessage()
    message["From"] = mail.sender
    message["To"] = ", ".join(mail.recipients)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(mail.received_at)
    message["Message-ID"] = f"<{mail.message_id}>"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


def take_picture(
    page: Path, picture: Path, *, width: int = PICTURE_WIDTH, height: int = PICTURE_HEIGHT
) -> bool:
    """A picture of an HTML file by a headless Chromium; false where there is none, or it fails."""
    picture.unlink(missing_ok=True)
    run_browser(page, width, height, f"--screenshot={picture.resolve()}")
    return picture.exists()


def run_browser(page: Path, width: int, height: int, *wanted: str) -> str | None:
    """What a headless Chromium prints, asked for ``wanted`` of an HTML file; None where there is none, or it fails."""
    browser = next((found for found in map(shutil.which, BROWSERS) if found), None)
    if browser is None:
        return None
    with tempfile.TemporaryDirectory() as profile:
        command = [
            browser,
            "--headless",
            "--no-sandbox",  # it opens one file of ours, and as root it starts no other way
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            f"--user-data-dir={profile}",
            f"--window-size={width},{height}",
            *wanted,
            page.resolve().as_uri(),
        ]
        try:
            ended = subprocess.run(command, capture_output=True, timeout=PICTURE_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return None
    return ended.stdout.decode(errors="replace")
