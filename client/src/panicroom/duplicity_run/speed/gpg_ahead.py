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
from pathlib import Path
from typing import Any

from panicroom.duplicity_run.speed.use import Use


class _Spare(Use):
    """The gpg that waits for whoever writes next; there is one at a time, and nobody needs the last one."""

    def __init__(self) -> None:
        super().__init__()
        self._file: Any = None
        self._profile: dict[str, Any] = {}

    def hold(self, file: Any, profile: Any) -> None:
        self._file, self._profile = file, dict(vars(profile))

    def take(self, name: bytes, profile: Any) -> Any:
        """Returns the prestarted gpg, redirected to ``name``; or None, and ends it, where it is of no use."""
        if self._file is not None and self._profile == vars(profile):
            with contextlib.suppress(OSError):
                _path(self._file).replace(os.fsdecode(name))
                file, self._file = self._file, None
                self.times += 1
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


def install() -> Use:
    """Puts it into ``duplicity.gpg``; counts the files whose gpg was started early."""
    from duplicity import gpg, path, tempdir

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
                # Not beside the file: whatever a kill leaves there, duplicity reads as a part of the backup.
                place = path.Path(os.fsencode(tempdir.default().dir())).append("gpg-ahead")
                following = usual(True, place, profile)
                os.set_inheritable(following.gpg_input.fileno(), False)
                spare.hold(following, profile)

    gpg.GPGFile = FileAhead
    return spare


def _path(file: Any) -> Path:
    return Path(os.fsdecode(file.name.name))
