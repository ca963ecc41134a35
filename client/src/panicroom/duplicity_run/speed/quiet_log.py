"""Messages that nobody receives are not composed: duplicity makes six for each file of a full backup."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from panicroom.duplicity_run.speed.use import Use


def install() -> Use:
    """``log.Debug`` and ``log.Info`` return at once where the logger does not take them; and the names that are
    composed for them even so are made in one step."""
    from duplicity import log, util

    use = Use()
    log.Debug = _if_received(log.Debug, log.DEBUG, use)
    log.Info = _if_received(log.Info, log.INFO, use)
    util.uindex = _name_of
    return use


def _if_received(send: Callable[..., None], level: int, use: Use) -> Callable[..., None]:
    from duplicity import log

    threshold = log.DupToLoggerLevel(level)

    def send_if_received(*arguments: Any, **named: Any) -> None:
        logger = log._logger
        if logger is None or logger.isEnabledFor(threshold):
            send(*arguments, **named)
        else:
            use.times += 1

    return send_if_received


def _name_of(index: tuple[bytes, ...]) -> str:
    return os.fsdecode(b"/".join(index)) if index else "."
