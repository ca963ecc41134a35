"""The executable. Started by itself for duplicity (see duplicity_run/child), it is duplicity."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Ctrl-C while the rest is imported ends us, without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import NoReturn

from panicroom.exit_codes import ExitCode
from panicroom.private_files import PRIVATE_UMASK
from panicroom.terminal import interruption

_USUAL_PATH = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"
"""Where cron or a container gives none; gpg has to be found."""


def main() -> NoReturn:
    interruption.end_at_once()  # the commands take a moment to load
    prepare()
    if "PANICROOM_CHILD" in os.environ:
        interruption.as_usual()
        from panicroom.duplicity_run.child.main import main as duplicity_main

        duplicity_main()
    from panicroom.cli import run

    try:
        interruption.raise_interrupts()
        exit_code = int(run())
    except KeyboardInterrupt:  # a second one, while the first was answered
        exit_code = ExitCode.INTERRUPTED
    interruption.end_at_once()
    if exit_code == ExitCode.INTERRUPTED:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        interruption.end_process(exit_code)
    sys.exit(exit_code)


def prepare() -> None:
    """Makes a bare or odd environment (cron, containers, old servers) one that everything after can rely on."""
    _speak_utf8()
    os.umask(PRIVATE_UMASK)  # duplicity's files, and all that we write, are nobody else's business
    for descriptor, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: the next file that is opened would take its place, and get what we print
            os.open(os.devnull, mode)
    sys.stdin = sys.stdin or open(0, encoding="utf-8")  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if not os.environ.get("PATH"):
        os.environ["PATH"] = _USUAL_PATH
    try:
        Path.cwd()
    except OSError:  # the folder that we were started in is gone
        os.chdir("/")


def _speak_utf8() -> None:
    """Starts again in Python's UTF-8 mode where the locale has another encoding: names of files, arguments and the
    passphrase are bytes to everybody else, and must be the same bytes whatever the locale."""
    if sys.flags.utf8_mode or sys.getfilesystemencoding() == "utf-8":
        return
    environment = {**os.environb, b"PYTHONUTF8": b"1"}
    arguments = [os.fsencode(word) for word in sys.orig_argv[1:]]
    program = os.fsencode(sys.executable)
    os.execve(program, [program, b"-X", b"utf8", *arguments], environment)  # noqa: S606


if __name__ == "__main__":
    main()
