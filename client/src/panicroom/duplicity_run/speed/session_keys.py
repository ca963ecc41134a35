"""Gives gpg the session keys of a restore's volumes, so that it stretches no passphrase.

gpg takes a fifth to half a second of processor time for that, and duplicity waits for it at the beginning of each
volume; OpenSSL does the same in a fifth of the time (``duplicity_files.decryption``).
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import copy
import functools
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from panicroom.duplicity_files.decryption import SESSION_KEY_OPTION, stretching_in
from panicroom.duplicity_run.plan import left_out_patches

NAME = "session-keys"


@contextmanager
def session_key_of(path: Path) -> Iterator[None]:
    """What duplicity starts meanwhile to decrypt ``path`` is given its session key in place of the passphrase, where
    that can be: a file for a passphrase alone, and a gpg that takes one."""
    from duplicity import config, gpginterface

    profile = config.gpg_profile
    stretching = stretching_in(path) if profile.passphrase and not config.use_agent else None
    if stretching is None or NAME in left_out_patches() or not _gpg_takes_session_keys():
        yield
        return
    options = gpginterface._fd_options
    usual = options["passphrase"]
    config.gpg_profile = copy.copy(profile)
    config.gpg_profile.passphrase = stretching.session_key(profile.passphrase)
    options["passphrase"] = SESSION_KEY_OPTION
    try:
        yield
    finally:
        config.gpg_profile, options["passphrase"] = profile, usual


@functools.cache
def _gpg_takes_session_keys() -> bool:
    listed = subprocess.run(["gpg", "--dump-options"], capture_output=True, text=True, check=False)
    return SESSION_KEY_OPTION in listed.stdout.split()
