"""Messages that nobody receives are not composed: duplicity makes six for each file of a full backup."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any


def install() -> None:
    """``log.Debug`` and ``log.Info`` return at once where the logger does not take them; and the names that are
    composed for them even so are made in one step."""
    from duplicity import log, util

    log.Debug = _if_received(log.Debug, log.DEBUG)
    log.Info = _if_received(log.Info, log.INFO)
    util.uindex = _name_of


def _if_received(send: Callable[..., None], level: int) -> Callable[..., None]:
    from duplicity import log

    threshold = log.DupToLoggerLevel(level)

    def send_if_received(*arguments: Any, **named: Any) -> None:
        logger = log._logger
        if logger is None or logger.isEnabledFor(threshold):
            send(*arguments, **named)

    return send_if_received


def _name_of(index: tuple[bytes, ...]) -> str:
    return os.fsdecode(b"/".join(index)) if index else "."
