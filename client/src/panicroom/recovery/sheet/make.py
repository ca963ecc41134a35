"""Makes a recovery sheet of this machine, and writes it where somebody wants it."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

from panicroom.exit_codes import ExitCode, Problem
from panicroom.private_files import write_private
from panicroom.recovery.sheet.code import refuse_replaced
from panicroom.recovery.sheet.facts import sheet_page
from panicroom.recovery.sheet.html import as_html
from panicroom.recovery.sheet.known import what_is_known
from panicroom.recovery.sheet.page import Page
from panicroom.recovery.sheet.price import price_of_everything
from panicroom.recovery.sheet.text import as_text
from panicroom.secrets import stored_proof_key
from panicroom.settings import Settings
from panicroom.terminal.status import fetch_status
from panicroom.wire import MachineStatus


def make_sheet(
    settings: Settings, today: date, code: str | None = None, on_blank: Callable[[str], None] = print
) -> Page:
    """``code`` is the recovery code where the sheet is to have it; a Problem if the service knows a newer one.
    ``on_blank`` gets a sentence where the service cannot be asked: what it would say is then a blank."""
    try:
        status = fetch_status(settings)
    except Problem as problem:
        on_blank(f"{problem}; what the service would say is left blank")
        status = None
    return sheet_of(settings, status, today, code)


def sheet_of(settings: Settings, status: MachineStatus | None, today: date, code: str | None = None) -> Page:
    """``status`` is the service's answer, None where it could not be asked."""
    if code is not None:
        refuse_replaced(code, status)
    proof_key = stored_proof_key(settings) if settings.encrypt_key else None
    known = what_is_known(settings, status, proof_key)
    price = price_of_everything(settings) if status is not None else None
    return sheet_page(known, today.isoformat(), code, price)


def enrolled_sheet(settings: Settings, output: Path, code: str | None) -> None:
    """Writes the sheet of a machine that was just enrolled, with the ``code`` that its enrolment brought. Raises
    ``Problem`` where the file cannot be written."""
    write_sheet(make_sheet(settings, datetime.now().astimezone().date(), code), output)


def write_sheet(page: Page, output: Path) -> None:
    """As HTML where the file's name ends so, else as text; only its owner can read it. Raises ``Problem``."""
    text = as_html(page) if output.suffix.lower() in (".html", ".htm") else as_text(page)
    try:
        if output.exists() and not output.is_file():  # /dev/stdout, a pipe
            output.write_text(text, encoding="utf-8")
        else:
            write_private(output.resolve(), text)
    except OSError as error:
        raise Problem(
            f"{output} cannot be written: {os.strerror(error.errno or 0)}", ExitCode.TARGET
        ) from None
