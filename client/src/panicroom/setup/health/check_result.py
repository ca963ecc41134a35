"""What a check of the doctor gives."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from dataclasses import dataclass

from panicroom.shown import shown

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True)
class CheckResult:
    """The result of one check: ``verdict`` is ok, warn or fail; ``text`` says what is, and what to do."""

    check: str
    verdict: str
    text: str

    def __str__(self) -> str:
        return f"{self.verdict:<4}  {shown(self.check)}: {shown(self.text, 2000)}"
