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
from collections.abc import Callable, Iterator

from panicroom import origin
from panicroom.exit_codes import ExitCode, Problem
from panicroom.places import Places
from panicroom.private_files import write_private
from panicroom.settings import Settings

_KEYRING_SERVICE = "panicroom"

SECRET_KINDS = ("secret", "reader", "passphrase", "proof", "passphrases-before")
"""What is stored of a machine, as ``<machine>.<kind>``. ``reader`` is the secret of a recovery code's token, apart from
that of a machine that is enrolled. The last is a JSON list, newest first: backups made before a change of the
passphrase open with the one of their time."""


def store_kind(settings: Settings | None) -> str:
    """Where secrets are written: ``keyring`` or ``file``. The one place that decides it.

    A machine that has settings goes on with what they say, unless they say keyring and there is none now, or
    ``PANICROOM_KEYRING=file`` asks for the file: whoever writes there has to write that into the settings too.
    """
    if settings is not None and settings.secrets == "file":
        return "file"
    return usual_store()


def usual_store() -> str:
    """``keyring`` if this machine has one that stores secrets, else ``file``."""
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

    def __init__(self, kind: str, places: Places) -> None:
        self.kind = kind
        self._file = places.secrets_file

    def get(self, name: str) -> str | None:
        if self.kind == "file":
            return self._read().get(name)
        import keyring
        from keyring.errors import KeyringError

        try:
            return keyring.get_password(_KEYRING_SERVICE, name)
        except KeyringError as error:
            raise Problem(
                f"the keyring cannot be read ({error}); unlock it, or move the secrets to a private file: "
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
        """Removes ``name``; no error if it is not there."""
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


def token_of(settings: Settings) -> str:
    """``<machine>.<secret>``, what the service asks for as bearer token."""
    kind = "reader" if settings.reader else "secret"
    secret = SecretStore(settings.secrets, settings.places).get(f"{settings.machine}.{kind}")
    if secret is None:
        again = "type the recovery code again: panicroom recover"
        advice = again if settings.reader else "ask the owner for a code and enrol again"
        raise Problem(f"the token of this machine is gone; {advice}", ExitCode.SETTINGS)
    return f"{settings.machine}.{secret}"


def passphrase_of(settings: Settings) -> str | None:
    """The passphrase of this machine's backups, or that of its GnuPG key; None if that key has none that is
    known here: gpg's agent then answers for it."""
    given = passphrase_variable()
    passphrase = given or stored_passphrase(settings)
    if not passphrase and settings.encrypt_key is None:
        raise Problem("the passphrase is missing; give it in the variable PASSPHRASE", ExitCode.PASSPHRASE)
    return passphrase or None


def older_passphrases_of(settings: Settings) -> tuple[str, ...]:
    """Those that this machine had before ``passphrase_of``, newest first: older backups open with them."""
    if settings.encrypt_key is not None:
        return ()
    present = passphrase_of(settings)
    return tuple(passphrase for passphrase in passphrases_before(settings) if passphrase != present)


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
    return checked_proof_key(given, "PROOF_KEY") if given else None


def checked_proof_key(text: str, where: str = "the proof key") -> str:
    if re.fullmatch(rf"[0-9a-f]{{{2 * origin.KEY_BYTES}}}", text) is None:
        raise Problem(f"{where} must be the 64 digits of the recovery sheet", ExitCode.USAGE)
    return text


def stored_proof_key(settings: Settings) -> str | None:
    """The key of ``make_proof_key`` in hex, from ``PROOF_KEY`` or as it is stored; None if there is none."""
    store = SecretStore(settings.secrets, settings.places)
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


def older_proof_keys_of(settings: Settings, job: str) -> Iterator[bytes]:
    """The keys that signed the job's sets before the passphrase was changed, newest first; a tenth of a second each."""
    for passphrase in older_passphrases_of(settings):
        yield origin.key_from_passphrase(passphrase, settings.machine, job)


def signing_key_of(settings: Settings, job: str, on_line: Callable[[str], None]) -> bytes:
    """``proof_key_of`` for a backup: a machine that was enrolled before there were proofs gets its key now."""
    key = proof_key_of(settings, job)
    if key is None:
        make_proof_key(SecretStore(settings.secrets, settings.places), settings.machine)
        key = proof_key_of(settings, job)
        on_line("this machine has a proof key now; print the recovery sheet again: panicroom recovery-sheet")
    assert key is not None
    return key


def replace_passphrase(settings: Settings, new: str) -> None:
    """Stores the new passphrase; the old one stays in the store, as the older backups need it."""
    store = SecretStore(settings.secrets, settings.places)
    old, history = stored_passphrase(settings), passphrases_before(settings)
    if old is not None and old not in history:
        store.put(f"{settings.machine}.passphrases-before", json.dumps([old, *history]))
    store.put(f"{settings.machine}.passphrase", checked_passphrase(new))


def add_older_passphrase(settings: Settings, passphrase: str) -> None:
    """Stores a passphrase that some older backups open with."""
    known = passphrases_before(settings)
    if passphrase not in known:
        store = SecretStore(settings.secrets, settings.places)
        store.put(
            f"{settings.machine}.passphrases-before", json.dumps([*known, checked_passphrase(passphrase)])
        )


def passphrases_before(settings: Settings) -> list[str]:
    """Passphrases that this machine had before its present one, newest first."""
    store = SecretStore(settings.secrets, settings.places)
    return list(json.loads(store.get(f"{settings.machine}.passphrases-before") or "[]"))


def stored_passphrase(settings: Settings) -> str | None:
    return SecretStore(settings.secrets, settings.places).get(f"{settings.machine}.passphrase")


def passphrase_variable() -> str | None:
    """The variable ``PASSPHRASE``, None where it is not set or empty; a Problem for one that gpg would cut
    or that is no text."""
    given = os.environ.get("PASSPHRASE") or None
    return None if given is None else checked_passphrase(given, "the variable PASSPHRASE")


def checked_passphrase(text: str, where: str = "the passphrase") -> str:
    """``text``, unless gpg would use less of it than was given, as it reads one line, or it is no text."""
    if not text:
        raise Problem(f"{where} is empty", ExitCode.PASSPHRASE)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise Problem(
            f"{where} has bytes that are no UTF-8 text, which not every terminal can type again; give another",
            ExitCode.PASSPHRASE,
        )
    if any(character in text for character in "\n\r\0"):
        raise Problem(
            f"{where} has a line break, and gpg reads one line only; give it without", ExitCode.PASSPHRASE
        )
    return text
