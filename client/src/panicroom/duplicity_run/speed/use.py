"""Whether a patch does its work: it counts, and the log says how often. A dead one would change no result."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations


class Use:
    """Of one patch in one run of duplicity."""

    def __init__(self) -> None:
        self.times = 0

    def end(self) -> None:
        """Called once, when duplicity has come to its end."""
