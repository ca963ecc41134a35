"""The folders of the client on this machine.

``PANICROOM_CONFIG_DIR``, ``PANICROOM_STATE_DIR`` and ``PANICROOM_CACHE_DIR`` override the platform's
folders: for tests, for servers, and for several machines on one host.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True)
class Places:
    """The folders of this client: settings, what must survive (state), what can be made again (cache)."""

    config: Path
    state: Path
    cache: Path

    @property
    def settings_file(self) -> Path:
        return self.config / "panicroom.toml"

    @property
    def secrets_file(self) -> Path:
        return self.config / "secrets.json"

    @property
    def log_file(self) -> Path:
        return self.state / "panicroom.log"


SYSTEM_PLACES = Places(Path("/etc/panicroom"), Path("/var/lib/panicroom"), Path("/var/cache/panicroom"))
"""The folders of a server's own backups: for root, and for ``schedule install --system``."""


def places() -> Places:
    """The folders, from the environment or the platform's custom; nothing is created.

    For root those are the system's own, once /etc/panicroom exists.
    """
    usual = Places(
        config=Path(platformdirs.user_config_dir("panicroom")),
        state=Path(platformdirs.user_state_dir("panicroom")),
        cache=Path(platformdirs.user_cache_dir("panicroom")),
    )
    if os.geteuid() == 0 and SYSTEM_PLACES.config.is_dir():
        usual = SYSTEM_PLACES

    def place(variable: str, otherwise: Path) -> Path:
        return Path(os.path.abspath(os.environ.get(variable) or otherwise))  # noqa: PTH100

    return Places(
        config=place("PANICROOM_CONFIG_DIR", usual.config),
        state=place("PANICROOM_STATE_DIR", usual.state),
        cache=place("PANICROOM_CACHE_DIR", usual.cache),
    )
