"""A keyring for tests, as a desktop's session has one: locked where ``KEYRING_LOCKED`` is set."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked


class SessionKeyring(KeyringBackend):
    priority = 5.0

    def _file(self) -> Path:
        if "KEYRING_LOCKED" in os.environ:
            raise KeyringLocked("locked")
        return Path(os.environ["KEYRING_FILE"])

    def _read(self) -> dict[str, str]:
        file = self._file()
        return json.loads(file.read_text()) if file.exists() else {}

    def get_password(self, service: str, username: str) -> str | None:
        return self._read().get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        self._file().write_text(json.dumps({**self._read(), username: password}))

    def delete_password(self, service: str, username: str) -> None:
        self._file().write_text(json.dumps({k: v for k, v in self._read().items() if k != username}))
