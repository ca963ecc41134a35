"""duplicity tries gpg before it does anything, a quarter of a second; here the trial runs beside the scan."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import threading
from typing import Any

from panicroom.duplicity_run.speed.use import Use


def install() -> Use:
    """``gpg.check_gpg`` returns at once; its error is raised by the first volume that is written."""
    from duplicity import gpg

    use = Use()
    check, write = gpg.check_gpg, gpg.GPGWriteFile

    def check_beside() -> None:
        failures: list[BaseException] = []

        def run() -> None:
            try:
                check()
            except BaseException as failure:  # the thread that writes raises it
                failures.append(failure)

        use.times += 1
        checking = threading.Thread(target=run, name="gpg-check", daemon=True)
        checking.start()

        def write_after_check(*arguments: Any, **named: Any) -> Any:
            checking.join()
            if failures:
                raise failures[0]
            return write(*arguments, **named)

        gpg.GPGWriteFile = write_after_check

    gpg.check_gpg = check_beside
    return use
