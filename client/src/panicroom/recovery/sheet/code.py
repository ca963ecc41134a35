"""The recovery code on a sheet: the whole one if it is given, else boxes to write it in and which one it is."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from collections.abc import Callable

from panicroom.exit_codes import ExitCode, Problem
from panicroom.recovery.recovery_code import GROUPS, MistypedCode, last_group, read_recovery_code
from panicroom.recovery.sheet.page import Fact
from panicroom.wire import MachineStatus, RecoveryCodeStatus

VARIABLE = "RECOVERY_CODE"


def code_fact(code: str | None, valid: RecoveryCodeStatus | None, *, was_asked: bool) -> Fact:
    """``valid`` is what the service says of the code that counts; None where it has none, or could not be asked."""
    if code is not None:
        return Fact("Recovery code", code, _made(valid), typed=True)
    if valid is None and was_asked:
        return Fact(
            "Recovery code",
            None,
            "There is none now. The owner makes one: python -m ops machine recovery NAME",
        )
    if valid is None:
        return Fact("Recovery code", None, "Copy it from where enrol or the owner's command showed it.")
    blanks = "-".join(["_____"] * (GROUPS - 1))
    note = f"{_made(valid)} Write the other groups on it by hand."
    return Fact("Recovery code", f"{blanks}-{valid.last_group}", note, typed=True)


def _made(valid: RecoveryCodeStatus | None) -> str | None:
    return f"Made on {valid.made_at[:10]}; a newer one replaces it." if valid else None


def scanned_text(url: str, machine: str, code: str | None) -> str:
    """What ``panicroom recover`` takes at once, and a telephone reads off the QR code."""
    return f"{url}#{machine}" + (f"/{code}" if code else "")


def asked_code(ask: Callable[[], str] | None, say: Callable[[str], None]) -> str:
    """The code in its one form, from the variable ``RECOVERY_CODE`` or as somebody types it, until it is right.

    Raises ``Problem`` where it is wrong in the variable, or nobody can be asked.
    """
    given = os.environ.get(VARIABLE)
    if given:
        return checked_code(given, f"the variable {VARIABLE}")
    if ask is None:
        raise Problem(f"--code asks for the code; without a terminal give it in {VARIABLE}", ExitCode.USAGE)
    while True:
        try:
            return read_recovery_code(ask())
        except MistypedCode as error:
            say(f"{error}; type it again")


def checked_code(typed: str, where: str = "the recovery code") -> str:
    """The code in its one form. Raises ``Problem``, which does not show it."""
    try:
        return read_recovery_code(typed)
    except MistypedCode as error:
        raise Problem(f"{where}: {error}", ExitCode.USAGE) from None


def refuse_replaced(code: str, status: MachineStatus | None) -> None:
    """Raises ``Problem`` for a code of which the service says that another one counts, or none: such a sheet is
    worthless. A service of a version before, which names no account, says nothing of codes either."""
    if status is None or status.account is None:
        return
    valid = status.recovery_code
    if valid is None:
        raise Problem(
            "no recovery code of this machine counts now; ask the owner for one: python -m ops machine recovery NAME",
            ExitCode.USAGE,
        )
    if valid.last_group != last_group(code):
        raise Problem(
            f"this code was replaced on {valid.made_at[:10]} by one that ends in {valid.last_group}; print that one, "
            "or ask the owner for a new one: python -m ops machine recovery NAME",
            ExitCode.USAGE,
        )
