"""Starts the gpg of the next file while this one is written.

Before it takes any bytes, gpg stretches the passphrase: on purpose that costs a quarter of a second, for each
file anew. duplicity would stand still for as long; here the time passes on another processor. The stretching
itself stays as gpg wants it.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any


class _Spare:
    """The gpg that waits for whoever writes next; there is one at a time."""

    def __init__(self) -> None:
        self._file: Any = None
        self._profile: dict[str, Any] = {}
        self.used = 0

    def hold(self, file: Any, profile: Any) -> None:
        self._file, self._profile = file, dict(vars(profile))

    def take(self, name: bytes, profile: Any) -> Any:
        """Returns the prestarted gpg, redirected to ``name``; or None, and ends it, where it is of no use."""
        if self._file is not None and self._profile == vars(profile):
            with contextlib.suppress(OSError):
                _path(self._file).replace(os.fsdecode(name))
                file, self._file = self._file, None
                self.used += 1
                return file
        self.end()
        return None

    def end(self) -> None:
        if self._file is None:
            return
        file, self._file = self._file, None
        os.kill(file.gpg_process.pid, signal.SIGKILL)
        file.gpg_process.thread.join()
        file.gpg_input.close()
        file.stderr_fp.close()
        _path(file).unlink()


def install() -> Callable[[], None]:
    """Puts it into ``duplicity.gpg``. Call what it returns at the end: it ends the last gpg, which nobody needs,
    and logs how many files had theirs started early."""
    from duplicity import gpg, log, path

    usual: Any = gpg.GPGFile
    spare = _Spare()

    class FileAhead(usual):  # type: ignore[misc]  # duplicity carries no types
        """A file for or from gpg, as duplicity uses it; one to be written takes over the process at hand."""

        def __init__(self, encrypt: bool, encrypt_path: Any, profile: Any) -> None:
            at_hand = spare.take(encrypt_path.name, profile) if encrypt else None
            if at_hand is None:
                super().__init__(encrypt, encrypt_path, profile)
            else:
                self.__dict__.update(at_hand.__dict__)
                self.name = encrypt_path
            if encrypt:
                # duplicity has them inherited: a second gpg would hold the first one's input open.
                os.set_inheritable(self.gpg_input.fileno(), False)
                following = usual(True, path.Path(encrypt_path.name + b".next"), profile)
                os.set_inheritable(following.gpg_input.fileno(), False)
                spare.hold(following, profile)

    def at_end() -> None:
        spare.end()
        log.Notice(f"gpg started early for {spare.used} files")

    gpg.GPGFile = FileAhead
    return at_end


def _path(file: Any) -> Path:
    return Path(os.fsdecode(file.name.name))
