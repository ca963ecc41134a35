"""What a recovery sheet says in one line: ``URL#machine/code``, or without the code. Its QR code has the same."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from dataclasses import dataclass

from panicroom.exit_codes import ExitCode, Problem
from panicroom.recovery.recovery_code import MistypedCode, read_recovery_code
from panicroom.setting_values import check_url
from panicroom.settings import MACHINE_OR_JOB
from panicroom.shown import shown


@dataclass(frozen=True)
class RecoveryAddress:
    """Where the backups of a machine are asked for, as far as it was typed; ``code`` is in its one form."""

    url: str
    machine: str | None = None
    code: str | None = None


def read_address(typed: str) -> RecoveryAddress:
    """Raises ``Problem``, which never has the code in it."""
    url, _, rest = "".join(typed.split()).partition("#")
    machine, _, code = rest.partition("/")
    return RecoveryAddress(
        check_url(url), read_machine(machine) if machine else None, read_code(code) if code else None
    )


def read_machine(typed: str) -> str:
    machine = typed.strip().lower()
    if not MACHINE_OR_JOB.fullmatch(machine):
        raise Problem(f"{shown(typed, 60)!r} is no name of a machine", ExitCode.USAGE)
    return machine


def read_code(typed: str) -> str:
    """The code in its one form. Raises ``Problem`` with the group that is mistyped."""
    try:
        return read_recovery_code(typed)
    except MistypedCode as error:
        raise Problem(f"{error}; compare it with the paper and type it again", ExitCode.ENROLMENT) from None
