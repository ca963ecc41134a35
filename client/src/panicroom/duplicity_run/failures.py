"""Why duplicity failed, in one line for a person: from its exit code and its last lines. Pure."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path

from panicroom.exit_codes import ExitCode, Problem
from panicroom.shown import shown

_SHOWN_LINES = 6

LACKS_KEY = "No secret key"
"""What gpg says of it."""

IMPORT_KEY = (
    "gpg does not have the secret key that this backup is encrypted for; import it: gpg --import FILE"
)

_BY_TEXT: tuple[tuple[re.Pattern[str], str, ExitCode], ...] = (
    # The first that occurs in the error output counts.
    (
        re.compile(LACKS_KEY),
        IMPORT_KEY,
        ExitCode.PASSPHRASE,
    ),
    (
        re.compile(r"decryption failed|Bad session key|bad passphrase", re.IGNORECASE),
        "the passphrase does not open this backup; try another: panicroom passphrase check",
        ExitCode.PASSPHRASE,
    ),
    (
        re.compile(
            r"Unusable public key|KEYEXPIRED|[Kk]ey .{0,80}expired|INV_RECP \d+ .{0,80}\n.*KEYEXPIRED"
        ),
        (
            "the GnuPG key that encrypts the backups cannot be used or has expired; extend it: "
            "gpg --quick-set-expire KEY 2y (panicroom doctor says more)"
        ),
        ExitCode.GPG,
    ),
    (
        re.compile(r"Bad time string"),
        "that time is not understood; try 2026-11-22, 2026-11-22T20:50:00Z or 3D",
        ExitCode.USAGE,
    ),
    (
        re.compile(r"No space left on device"),
        "the disk is full; make room in the cache folder and run again",
        ExitCode.SPACE,
    ),
    (
        # gpg's own log is a temporary file on the same disk.
        re.compile(r"===== Begin GnuPG log =====\s*===== End GnuPG log ====="),
        (
            "gpg failed without a message, as it does on a full disk; make room in the cache folder and run again:"
            " a backup carries on from there"
        ),
        ExitCode.SPACE,
    ),
    (
        # duplicity takes any failure of gpg's first call for an agent that lacks an option.
        re.compile(
            r"does not allow loopback pinentry|gpg: keyblock resource|can't connect to the (gpg-)?agent"
        ),
        "gpg cannot use its home folder or its agent; what is wrong with them: panicroom doctor",
        ExitCode.GPG,
    ),
    (re.compile(r"No backup chain"), "there is no backup of that job at that time", ExitCode.NOT_FOUND),
)

_BY_CODE: dict[int, tuple[str, ExitCode]] = {
    # duplicity.log.ErrorCode
    7: ("the filelist cannot be read", ExitCode.SETTINGS),
    14: ("the filelist has a pattern outside of the source folder", ExitCode.SETTINGS),
    15: ("the filelist has a wrong pattern", ExitCode.SETTINGS),
    16: (
        "the filelist ends with an include line, which changes nothing; end it with '- **'",
        ExitCode.SETTINGS,
    ),
    11: ("the folder to restore to is not empty", ExitCode.TARGET),
    19: ("that path is not in the backup at that time", ExitCode.NOT_FOUND),
    20: ("the backup holds no files at that time", ExitCode.NOT_FOUND),
    35: ("there is too little space for volumes in the cache folder", ExitCode.SPACE),
    53: ("the disk is full", ExitCode.SPACE),
    37: ("too few files may be open at once; run: ulimit -n 1024", ExitCode.DUPLICITY),
}


def explain(
    exit_code: int, errors: tuple[str, ...], log_file: Path, environment: Mapping[str, str]
) -> Problem:
    """``errors`` are the lines of its error output. Where the kind alone is not enough, the last of them are shown."""
    text = "\n".join(errors)
    for pattern, message, code in _BY_TEXT:
        if pattern.search(text):
            return Problem(message + _about_encoding(code, environment), code)
    if exit_code in _BY_CODE:
        message, code = _BY_CODE[exit_code]
        return Problem(message, code)
    if exit_code < 0:
        name = signal.Signals(-exit_code).name
        return Problem(
            f"duplicity was ended by {name}; run again, it carries on from there", ExitCode.DUPLICITY
        )
    last = " | ".join(line.strip() for line in errors[-_SHOWN_LINES:]) or "it gave no reason"
    return Problem(
        f"duplicity failed with code {exit_code} (more in {log_file}): {shown(last, 1000)}",
        ExitCode.DUPLICITY,
    )


def _about_encoding(code: ExitCode, environment: Mapping[str, str]) -> str:
    """Clients before 0.3 gave gpg the passphrase in the encoding of the locale."""
    if code != ExitCode.PASSPHRASE or os.fsencode(environment.get("PASSPHRASE", "")).isascii():
        return ""
    return (
        "; a backup made under a locale that is not UTF-8 opens with the passphrase in its encoding: "
        "PASSPHRASE=$(printf %s 'PASSPHRASE' | iconv -t ISO-8859-1) panicroom ..."
    )
