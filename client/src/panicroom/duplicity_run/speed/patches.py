"""Which patches there are, and putting them in."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Collection

from panicroom.duplicity_run.speed import (
    earlier_signatures,
    early_check,
    gpg_ahead,
    quiet_log,
    scanned_paths,
    small_files,
)

VERSION = "3.2.1"
"""Of duplicity: the one whose functions these patches know."""


def _collect_rarely() -> None:
    """The garbage collector looks at every 50,000 new objects, not 700: a file leaves no circles behind."""
    gc.set_threshold(50_000, 20, 20)
    gc.freeze()


PATCHES: dict[str, Callable[[], Callable[[], None] | None]] = {
    "quiet-log": quiet_log.install,
    "scan": scanned_paths.install,
    "small-files": small_files.install,
    "signatures": earlier_signatures.install,
    "collector": _collect_rarely,
    "early-check": early_check.install,
    "gpg-ahead": gpg_ahead.install,
}
"""Each puts one in, and may return what has to be called at the end."""


def install(without: Collection[str] = ()) -> Callable[[], None]:
    """Puts in all but ``without``, once, before duplicity runs; call what it returns at the end. It does nothing for
    another version of duplicity."""
    import duplicity

    ends = contextlib.ExitStack()
    if duplicity.__version__ == VERSION:
        for name, put_in in PATCHES.items():
            if name not in without and (at_end := put_in()) is not None:
                ends.callback(at_end)
    return ends.close
