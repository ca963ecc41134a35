"""A laptop for the demonstration: the client in an environment of its own, with folders of its own."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops import environments
from ops.errors import OpsError
from ops.steps import Say

PROGRAMS = Path(environments.ROOT) / environments.LAPTOP / "bin"


class Laptop:
    """Runs ``panicroom`` as machine ``name``; settings, state and cache stay below ``folder``.

    It inherits nothing of the person's environment but the PATH: no keyring, no AWS keys, no settings.
    """

    def __init__(self, name: str, folder: Path, gpg_folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.source = folder / "source"
        self._environment = {
            **laptop_environment(folder, gpg_folder),
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "LANG": os.environ.get("LANG", "C.UTF-8"),
        }

    @property
    def log_path(self) -> Path:
        return self.folder / "state" / "panicroom.log"

    def run(self, *arguments: str, say: Say, passphrase: str | None = None) -> None:
        """Runs the command to its end; ``say`` gets its lines. Raises ``OpsError`` with its last one."""
        environment = dict(self._environment)
        if passphrase is not None:
            environment["PASSPHRASE"] = passphrase
        with subprocess.Popen(
            [str(PROGRAMS / "panicroom"), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None
            last_line = ""
            for line in process.stdout:
                last_line = line.strip() or last_line
                say(f"{self.name}: {last_line}")
        if process.returncode != 0:
            raise OpsError(
                f"`panicroom {arguments[0]}` on {self.name} ended with {process.returncode}: {last_line}"
                f" (its log: {self.log_path})"
            )


def laptop_environment(folder: Path, gpg_folder: Path) -> dict[str, str]:
    """Keeps all that a client stores below ``folder``; what else the environment holds is for the caller to say."""
    return {
        "HOME": str(folder),
        "GNUPGHOME": str(gpg_folder),
        "PANICROOM_CONFIG_DIR": str(folder / "config"),
        "PANICROOM_STATE_DIR": str(folder / "state"),
        "PANICROOM_CACHE_DIR": str(folder / "cache"),
        "PANICROOM_KEYRING": "file",
    }


@contextmanager
def gpg_folder(*, is_quick: bool = False) -> Iterator[Path]:
    """A folder for gpg that has a short name: its agent's socket fits into 100 characters or so.

    For what nobody keeps it can be quick: gpg stretches a passphrase for a fifth of a second a file otherwise.
    """
    with tempfile.TemporaryDirectory(prefix="gpg-") as folder:
        if is_quick:
            (Path(folder) / "gpg.conf").write_text("s2k-count 65536\n")
        yield Path(folder)
        # The agent stays for two hours otherwise.
        subprocess.run(
            ["gpgconf", "--kill", "all"],
            env={"PATH": os.environ["PATH"], "GNUPGHOME": folder},
            capture_output=True,
            check=False,
        )
