"""The token's secret and the passphrase: in the keyring where there is a real one, else in a private file.

``PANICROOM_KEYRING=file`` forces the file (servers, tests). ``PASSPHRASE`` in the environment always
wins over a stored passphrase, as it does for duplicity.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import json
import os
import re
import secrets as randomness
from collections.abc import Callable
from pathlib import Path

from panicroom import origin
from panicroom.exit_codes import ExitCode, Problem
from panicroom.settings import Settings, load_settings, with_setting, write_private

_KEYRING_SERVICE = "panicroom"


def usual_store() -> str:
    """``keyring`` if this machine has one that keeps secrets, else ``file``."""
    if os.environ.get("PANICROOM_KEYRING") == "file":
        return "file"
    import keyring  # slow to import, and most commands do not need it
    from keyring.errors import KeyringError

    try:
        # The stand-ins for "no keyring" have a priority of zero or less.
        return "keyring" if keyring.get_keyring().priority >= 1 else "file"
    except (KeyringError, RuntimeError):
        return "file"


class SecretStore:
    """Texts by name, in the keyring or in ``secrets.json``; names carry the machine: keyrings are shared."""

    def __init__(self, kind: str, config: Path) -> None:
        self.kind = kind
        self._file = config / "secrets.json"

    def get(self, name: str) -> str | None:
        if self.kind == "file":
            return self._read().get(name)
        import keyring
        from keyring.errors import KeyringError

        try:
            return keyring.get_password(_KEYRING_SERVICE, name)
        except KeyringError as error:
            raise Problem(
                f"the keyring cannot be read ({error}); unlock it, or keep secrets in a private file: "
                "panicroom secrets file",
                ExitCode.SETTINGS,
            ) from None

    def put(self, name: str, value: str) -> None:
        if self.kind == "file":
            write_private(self._file, json.dumps({**self._read(), name: value}, indent=1) + "\n")
            return
        import keyring
        from keyring.errors import KeyringError

        try:
            keyring.set_password(_KEYRING_SERVICE, name, value)
        except KeyringError as error:
            raise Problem(
                f"the keyring refuses to store a secret ({error}); set PANICROOM_KEYRING=file to use a file",
                ExitCode.SETTINGS,
            ) from None

    def remove(self, name: str) -> None:
        """Forgets ``name``; no error if it is not there."""
        if self.get(name) is None:
            return
        if self.kind == "file":
            write_private(
                self._file,
                json.dumps({key: text for key, text in self._read().items() if key != name}) + "\n",
            )
            return
        import keyring

        keyring.delete_password(_KEYRING_SERVICE, name)

    def _read(self) -> dict[str, str]:
        try:
            data = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise Problem(f"{self._file} cannot be read: {error}", ExitCode.SETTINGS) from None
        return {str(name): str(text) for name, text in data.items()}


def where_kept(settings: Settings) -> str:
    if settings.secrets == "file":
        return (
            f"the token and the passphrase are in the private file {settings.places.config / 'secrets.json'}"
        )
    return "the token and the passphrase are in the keyring"


def move_secrets(settings: Settings, kind: str) -> Settings:
    """Keeps token and passphrase in ``kind`` (``keyring`` or ``file``) from now on; the settings then.

    They are in the new place before the settings say so, and leave the old one last.
    """
    if kind == "keyring" and usual_store() != "keyring":
        raise Problem("there is no keyring in this session; the secrets stay in the file", ExitCode.SETTINGS)
    if kind == settings.secrets:
        return settings
    old, new = (SecretStore(each, settings.places.config) for each in (settings.secrets, kind))
    names = [f"{settings.machine}.{kind_of}" for kind_of in ("secret", "passphrase", "proof")]
    for name in names:
        value = old.get(name)
        if value is not None:
            new.put(name, value)
    text = settings.places.settings_file.read_text(encoding="utf-8")
    write_private(settings.places.settings_file, with_setting(text, "service", "secrets", json.dumps(kind)))
    for name in names:
        old.remove(name)
    return load_settings()


def token_of(settings: Settings) -> str:
    """``<machine>.<secret>``, what the service asks for as bearer token."""
    secret = SecretStore(settings.secrets, settings.places.config).get(f"{settings.machine}.secret")
    if secret is None:
        raise Problem(
            "the token of this machine is gone; ask the owner for a code and enrol again", ExitCode.SETTINGS
        )
    return f"{settings.machine}.{secret}"


def passphrase_of(settings: Settings) -> str | None:
    """The passphrase of this machine's backups, or that of its GnuPG key; None if that key has none that is
    known here: gpg's agent then answers for it."""
    stored = SecretStore(settings.secrets, settings.places.config).get(f"{settings.machine}.passphrase")
    passphrase = os.environ.get("PASSPHRASE") or stored
    if not passphrase and settings.encrypt_key is None:
        raise Problem("the passphrase is missing; give it in the variable PASSPHRASE", ExitCode.PASSPHRASE)
    return passphrase or None


def make_proof_key(store: SecretStore, machine: str) -> None:
    """Makes the key that signs the sets of a machine with a GnuPG key, unless it has one; the sheet prints it.

    A passphrase gives that key itself (``origin.key_from_passphrase``); a GnuPG key cannot, as its public half, all
    that a backup needs, is no secret. ``PROOF_KEY`` in the environment, from the sheet, wins and is stored.
    """
    given = _given_proof_key()
    if given is not None or store.get(f"{machine}.proof") is None:
        store.put(f"{machine}.proof", given or randomness.token_hex(origin.KEY_BYTES))


def _given_proof_key() -> str | None:
    given = os.environ.get("PROOF_KEY")
    if given and re.fullmatch(rf"[0-9a-f]{{{2 * origin.KEY_BYTES}}}", given) is None:
        raise Problem("PROOF_KEY must be the 64 digits of the recovery sheet", ExitCode.USAGE)
    return given or None


def stored_proof_key(settings: Settings) -> str | None:
    """The key of ``make_proof_key`` in hex, from ``PROOF_KEY`` or as it is stored; None if there is none."""
    store = SecretStore(settings.secrets, settings.places.config)
    return _given_proof_key() or store.get(f"{settings.machine}.proof")


def proof_key_of(settings: Settings, job: str) -> bytes | None:
    """The key that signs the job's sets and checks them; None where this machine does not have it.

    Takes a tenth of a second for a passphrase. Raises ``Problem``, as ``passphrase_of`` does.
    """
    if settings.encrypt_key is None:
        passphrase = passphrase_of(settings)
        assert passphrase is not None
        return origin.key_from_passphrase(passphrase, settings.machine, job)
    stored = stored_proof_key(settings)
    return None if stored is None else bytes.fromhex(stored)


def signing_key_of(settings: Settings, job: str, on_line: Callable[[str], None]) -> bytes:
    """``proof_key_of`` for a backup: a machine that was enrolled before there were proofs gets its key now."""
    key = proof_key_of(settings, job)
    if key is None:
        make_proof_key(SecretStore(settings.secrets, settings.places.config), settings.machine)
        key = proof_key_of(settings, job)
        on_line("this machine has a proof key now; print the recovery sheet again: panicroom recovery-sheet")
    assert key is not None
    return key
