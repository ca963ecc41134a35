"""What a script's variables mean: names differ from script to script, so the words in them decide."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
from enum import Enum


class Meaning(Enum):
    """What can be taken over; the value is how it is called in a finding."""

    SOURCE = "source"
    PASSPHRASE = "passphrase"  # noqa: S105
    VOLUME = "volume size"
    FILELIST = "filelist"
    FULL_EVERY = "age of a full backup"
    ENCRYPT_KEY = "key to encrypt for"
    SIGN_KEY = "key to sign with"
    OPTIONS = "duplicity's options"
    DEVICE_FILES = "device files"
    OTHER_FILESYSTEMS = "other file systems"


UNKNOWN = "panicroom has nothing of that name"

_MEANINGS: tuple[tuple[str, Meaning | str], ...] = (
    # What the name contains, and what it is, or the reason why it is not taken. The first that fits counts.
    (
        r"AWS.*KEY|ACCESS_?KEY|SECRET|SESSION_TOKEN|S3_KEY",
        "with AWS keys this machine could delete its backups; delete them in AWS after the first backup",
    ),
    (r"^AWS_|REGION|ENDPOINT|STORAGE_CLASS|GLACIER", "region and storage are the service's business"),
    (r"SIGN.*PASS", "the key to sign with has to open with the passphrase of the other, or by gpg's agent"),
    (r"SIGN", Meaning.SIGN_KEY),
    (r"PASSPHRASE|^PASSWORD$|GPG_?(PASS|PW)", Meaning.PASSPHRASE),
    (
        r"(GPG|ENC|ENCRYPT(ION)?|PUBLIC|RECIPIENT).*KEY|KEY_?ID|RECIPIENT|^(GPG|ENCRYPT)(_TO|_FOR)?$",
        Meaning.ENCRYPT_KEY,
    ),
    (r"GPG|ENCRYPT", "panicroom gives gpg its options itself"),
    (r"OPT|(^|_)ARG|PARAM|FLAG", Meaning.OPTIONS),
    (r"EXCL|INCL|FILE_?LIST", Meaning.FILELIST),
    (r"VOL(UME)?_?(SIZE|MB)", Meaning.VOLUME),
    (
        r"REMOVE|RETENTION|KEEP|CLEAN|PURGE|EXPIRE|^MAX_?AGE$|MAX_?FULL(S|_BACKUPS)",
        "the owner sets in the service how long backups are stored",
    ),
    (r"FULL", Meaning.FULL_EVERY),
    (r"TMP|TEMP|ARCHIVE_?DIR|CACHE", "panicroom has its own cache folder; PANICROOM_CACHE_DIR moves it"),
    (r"(^|_)LOG|VERBOS", "panicroom writes its own log"),
    (r"DEST|TARGET|BUCKET|URL|REMOTE|S3", "the service knows the bucket; its owner can adopt that one"),
    (r"PREFIX", "panicroom sets duplicity's prefixes itself: data_ and meta_"),
    (r"MAIL|NOTIFY", "the service sends the mails"),
    (
        r"(^|_)(SOURCE|SRC|ROOT|FROM)(_|$)|^(BACKUP|LOCAL|DATA)_?(DIR|PATH|FOLDER|DIRECTORY)$",
        Meaning.SOURCE,
    ),
)


def meaning_of(name: str) -> Meaning | str:
    """What the variable ``name`` is, or the reason why it is not taken."""
    for pattern, meaning in _MEANINGS:
        if re.search(pattern, name.upper()):
            return meaning
    return UNKNOWN


OPTION_MEANINGS = {
    "--exclude-device-files": Meaning.DEVICE_FILES,
    "--exclude-other-filesystems": Meaning.OTHER_FILESYSTEMS,
    "--exclude-filelist": Meaning.FILELIST,
    "--exclude-globbing-filelist": Meaning.FILELIST,
    "--volsize": Meaning.VOLUME,
    "--full-if-older-than": Meaning.FULL_EVERY,
    "--encrypt-key": Meaning.ENCRYPT_KEY,
    "--hidden-encrypt-key": Meaning.ENCRYPT_KEY,
    "--sign-key": Meaning.SIGN_KEY,
}
"""duplicity's options that panicroom has a setting for."""

SWITCHES = frozenset(["--exclude-device-files", "--exclude-other-filesystems"])
"""Of these, those without a value."""


def reason_against(option: str) -> tuple[str, bool]:
    """Why an option that is none of these is not taken, and whether what it says would be lost with the script."""
    if option in ("--exclude", "--include"):
        sign = "-" if option == "--exclude" else "+"
        return f"write it into the file of + and - lines: {sign} PATTERN", True
    if option.startswith(("--exclude-", "--include-")):
        return "panicroom has no setting for it; write + and - lines that say the same", True
    return "panicroom gives duplicity its options itself", False
