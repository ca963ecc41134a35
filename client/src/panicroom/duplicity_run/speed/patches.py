"""Which patches there are, and putting them in."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Collection, Mapping

from panicroom.duplicity_run.speed import (
    earlier_signatures,
    early_check,
    gpg_ahead,
    quiet_log,
    scanned_paths,
    small_files,
)
from panicroom.duplicity_run.speed.use import Use

VERSION = "3.2.1"
"""Of duplicity: the one whose functions these patches know."""


def _collect_rarely() -> Use:
    """The garbage collector looks at every 50,000 new objects, not 700: a file leaves no circles behind."""
    use = _RareCollector()
    gc.set_threshold(50_000, 20, 20)
    gc.freeze()
    return use


class _RareCollector(Use):
    def end(self) -> None:
        self.times = int(gc.get_threshold()[0] == 50_000)


PATCHES: dict[str, Callable[[], Use]] = {
    "quiet-log": quiet_log.install,
    "scan": scanned_paths.install,
    "small-files": small_files.install,
    "signatures": earlier_signatures.install,
    "collector": _collect_rarely,
    "early-check": early_check.install,
    "gpg-ahead": gpg_ahead.install,
}

USED = "speed-ups used: "
"""The line of the log begins so; names and numbers follow."""


def install(without: Collection[str] = ()) -> Callable[[], None]:
    """Puts in all but ``without``, once, before duplicity runs; none for another version of duplicity.

    What it returns has to be called at the end: it logs how often each was used.
    """
    import duplicity

    if duplicity.__version__ != VERSION:
        return lambda: None
    uses = {name: put_in() for name, put_in in PATCHES.items() if name not in without}

    return functools.partial(report_uses, uses)


def report_uses(uses: Mapping[str, Use]) -> None:
    """Logs how often each was used; at the end."""
    from duplicity import log

    for use in uses.values():
        use.end()
    log.Notice(USED + ", ".join(f"{name} {use.times}" for name, use in uses.items()))
