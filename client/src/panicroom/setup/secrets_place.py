"""``panicroom secrets``: where token and passphrase are, and moving them."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from panicroom.exit_codes import ExitCode, Problem
from panicroom.secrets import SECRET_KINDS, SecretStore, usual_store
from panicroom.settings import Settings
from panicroom.setup.settings_file import change_settings


def where_stored(settings: Settings) -> str:
    if settings.secrets == "file":
        return f"the token and the passphrase are in the private file {settings.places.secrets_file}"
    return "the token and the passphrase are in the keyring"


def move_secrets(settings: Settings, kind: str) -> Settings:
    """Moves token and passphrase to ``kind`` (``keyring`` or ``file``); the settings then.

    They are in the new place before the settings name it, and leave the old one last.
    """
    if kind == "keyring" and usual_store() != "keyring":
        raise Problem("there is no keyring in this session; the secrets stay in the file", ExitCode.SETTINGS)
    if kind == settings.secrets:
        return settings
    old, new = (SecretStore(each, settings.places) for each in (settings.secrets, kind))
    names = [f"{settings.machine}.{kind_of}" for kind_of in SECRET_KINDS]
    for name in names:
        value = old.get(name)
        if value is not None:
            new.put(name, value)
    moved = change_settings(settings.places, {"service": {"secrets": kind}})
    for name in names:
        old.remove(name)
    return moved
