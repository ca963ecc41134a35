"""What became of one line, variable or option of a script."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from dataclasses import dataclass

from panicroom.shown import shown


@dataclass(frozen=True)
class ImportedLine:
    """What it is called, whether it was taken, and where to or why not.

    ``needed``: what it says is nowhere else, so the file has to stay if it was not taken.
    """

    name: str
    taken: bool
    why: str
    needed: bool = True

    def __str__(self) -> str:
        return shown(f"{'taken    ' if self.taken else 'not taken'}  {self.name}: {self.why}")
