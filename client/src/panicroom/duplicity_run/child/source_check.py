"""Counts what duplicity meets of the source, and refuses to seal a set when the source went away meanwhile."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import Any

from panicroom.duplicity_run.events import Events
from panicroom.duplicity_run.source_watch import SourceMark, fault_of
from panicroom.exit_codes import ExitCode

_AWAY = frozenset(
    {
        errno.EIO,
        errno.ENODEV,
        errno.ENXIO,
        errno.ESTALE,
        errno.ENOTCONN,
        errno.EHOSTDOWN,
        errno.ETIMEDOUT,
        errno.ENOENT,
    }
)
"""Errors of a file whose disk or share is gone. That we may not read a file is no sign of it."""


def install(mark: SourceMark, events: Events) -> Callable[[], None]:
    """Patches duplicity to count; returns what is called before the manifest is uploaded: it ends the process where
    the set must not be sealed."""
    from duplicity import diffdir

    met = 0
    collate, give_up = diffdir.collate2iters, diffdir.delta_iter_error_handler

    def counting_collate(first: Any, second: Any) -> Iterator[tuple[Any, Any]]:
        nonlocal met
        for now, before in collate(first, second):
            if now and now.type and not now.isdir():
                met += 1
            yield now, before

    def counting_give_up(error: Exception, *more: Any) -> Any:
        nonlocal met
        if isinstance(error, OSError) and error.errno in _AWAY:
            met -= 1
        return give_up(error, *more)

    def check() -> None:
        fault = fault_of(mark, met)
        if fault is not None:
            raise events.stop(
                ExitCode.SOURCE,
                f"{fault}; the backup was not finished, so the last good one stays the newest",
            )

    diffdir.collate2iters = counting_collate
    diffdir.delta_iter_error_handler = counting_give_up
    return check
