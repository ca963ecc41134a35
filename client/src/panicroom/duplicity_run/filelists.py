"""The file list of a job as duplicity gets it: one line an entry, whatever editor saved it.

duplicity and we must read the same lines, or the count of what is to be stored is another than what is stored.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from pathlib import Path

from panicroom.exit_codes import ExitCode, Problem
from panicroom.private_files import write_private


def filelist_lines(path: Path) -> list[str]:
    """The lines, without a byte order mark. A Problem names the line that is not UTF-8."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Problem(f"the file list {path} cannot be read: {error.strerror}", ExitCode.SETTINGS) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1
        raise Problem(
            f"the file list {path} is not UTF-8 text in line {number}; save it as UTF-8", ExitCode.SETTINGS
        ) from None
    if "\0" in text:
        raise Problem(f"the file list {path} is no text; save it as UTF-8", ExitCode.SETTINGS)
    return text_lines(text)


def text_lines(text: str) -> list[str]:
    """They end with LF, CR LF or CR, and with no other character: U+2028 and U+0085 may be in names and passphrases.
    Some editors of DOS end a file with Ctrl-Z."""
    return text.rstrip("\x1a").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def plain_filelist(path: Path, folder: Path) -> Path:
    """A copy of the list in ``folder`` (the job's state), as duplicity reads it."""
    copy = folder / "filelist"
    write_private(copy, "\n".join(filelist_lines(path)))
    return copy
