"""GnuPG keys to encrypt for, instead of a passphrase: found by whatever names them, stored by fingerprint."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from panicroom.exit_codes import ExitCode, Problem

_TROUBLES = {"r": "is revoked", "d": "is disabled", "i": "is not valid"}
"""Field 2 of a key's line in ``gpg --with-colons``, see GnuPG's doc/DETAILS."""

_EXPIRED = "has expired; extend it: gpg --quick-set-expire {key} 2y (and {key} 2y '*' for its subkeys)"

_VALIDITY, _FINGERPRINT, _CAPABILITIES = 1, 9, 11
_SECONDS = 30


def key_fingerprint(wanted: str, ability: str = "E") -> str:
    """The fingerprint of the one key in gpg's keyring that ``wanted`` (a fingerprint, an id or an address)
    names, if it can encrypt (``E``) or sign (``S``); else a ``Problem``."""
    fingerprints: list[str] = []
    trouble = ""
    for key in _keys(wanted):
        fault = _fault(key, ability)
        if fault:
            trouble = f"the key {wanted} {fault}"
        else:
            fingerprints.append(key.fingerprint)
    if len(fingerprints) > 1:
        raise Problem(f"{wanted} names {len(fingerprints)} keys; give the fingerprint of one", ExitCode.GPG)
    if not fingerprints:
        raise Problem(trouble or f"gpg has no key {wanted}; import it: gpg --import FILE", ExitCode.GPG)
    return fingerprints[0]


@dataclass
class _Key:
    """A key in gpg's listing. ``expired``: the abilities (``e``, ``s``) of its subkeys that have expired."""

    validity: str
    abilities: str
    fingerprint: str = ""
    expired: str = ""


def _keys(wanted: str) -> list[_Key]:
    keys: list[_Key] = []
    for line in _listing("--list-keys", wanted):
        fields = line.split(":")
        if fields[0] == "pub":
            keys.append(_Key(fields[_VALIDITY][:1], fields[_CAPABILITIES]))
        elif fields[0] == "sub" and keys and fields[_VALIDITY][:1] == "e":
            keys[-1].expired += fields[_CAPABILITIES]
        elif fields[0] == "fpr" and keys and not keys[-1].fingerprint:
            keys[-1].fingerprint = fields[_FINGERPRINT]
    return keys


def _fault(key: _Key, ability: str) -> str:
    """Why the key cannot be used; empty if it can."""
    expired = _EXPIRED.format(key=key.fingerprint)
    if key.validity == "e":
        return expired
    if key.validity in _TROUBLES:
        return _TROUBLES[key.validity]
    if ability in key.abilities:
        return ""
    if ability.lower() in key.expired:
        return expired
    return f"cannot {'encrypt' if ability == 'E' else 'sign'}"


def check_keys(encrypt_key: str | None, sign_key: str | None) -> None:
    """A Problem that says what to do if one of them cannot be used, before a backup begins."""
    if encrypt_key:
        key_fingerprint(encrypt_key)
    if sign_key:
        key_fingerprint(sign_key, "S")


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
