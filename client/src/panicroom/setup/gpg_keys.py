"""GnuPG keys to encrypt for, in the stead of a passphrase: found by whatever names them, kept by fingerprint."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import subprocess

from panicroom.exit_codes import ExitCode, Problem

_TROUBLES = {"e": "has expired", "r": "is revoked", "d": "is disabled", "i": "is not valid"}
"""Field 2 of a key's line in ``gpg --with-colons``, see GnuPG's doc/DETAILS."""

_VALIDITY, _FINGERPRINT, _CAPABILITIES = 1, 9, 11
_SECONDS = 30


def key_fingerprint(wanted: str, ability: str = "E") -> str:
    """The fingerprint of the one key in gpg's keyring that ``wanted`` (a fingerprint, an id or an address)
    names, if it can encrypt (``E``) or sign (``S``); else a ``Problem``."""
    fingerprints: list[str] = []
    trouble = ""
    key: list[str] = []
    for line in _listing("--list-keys", wanted):
        fields = line.split(":")
        if fields[0] == "pub":
            key = fields
        elif fields[0] == "fpr" and key:
            validity, abilities = key[_VALIDITY][:1], key[_CAPABILITIES]
            if validity in _TROUBLES:
                trouble = f"the key {wanted} {_TROUBLES[validity]}"
            elif ability not in abilities:
                trouble = f"the key {wanted} cannot {'encrypt' if ability == 'E' else 'sign'}"
            else:
                fingerprints.append(fields[_FINGERPRINT])
            key = []
    if len(fingerprints) > 1:
        raise Problem(f"{wanted} names {len(fingerprints)} keys; give the fingerprint of one", ExitCode.GPG)
    if not fingerprints:
        raise Problem(trouble or f"gpg has no key {wanted}; import it: gpg --import FILE", ExitCode.GPG)
    return fingerprints[0]


def has_secret_key(fingerprint: str | None = None) -> bool:
    """Whether gpg has the secret half of the key, or of any key: without it one can back up, not restore."""
    return any(line.startswith("sec:") for line in _listing("--list-secret-keys", fingerprint))


def _listing(command: str, name: str | None) -> list[str]:
    words = ["gpg", "--batch", "--with-colons", "--fixed-list-mode", command, *(["--", name] if name else [])]
    try:
        ended = subprocess.run(words, capture_output=True, timeout=_SECONDS, check=False)
    except FileNotFoundError:
        raise Problem(
            "gpg is missing; install it: apt install gnupg, or brew install gnupg", ExitCode.GPG
        ) from None
    except subprocess.TimeoutExpired:
        raise Problem("gpg does not answer; end its agent: gpgconf --kill gpg-agent", ExitCode.GPG) from None
    return ended.stdout.decode(errors="replace").splitlines()
