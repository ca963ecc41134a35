"""Fixtures: a fake service, and a laptop with folders of its own."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_service import FakeService
from laptop import Laptop


@pytest.fixture
def service() -> Iterator[FakeService]:
    fake = FakeService()
    yield fake
    fake.close()


@pytest.fixture(scope="session")
def gnupg() -> Iterator[Path]:
    """A home for gpg with a short name, as its agent's socket wants; gpg spends a quarter of a second a
    file on stretching the passphrase, but not here."""
    with tempfile.TemporaryDirectory(prefix="gpg-") as folder:
        (Path(folder) / "gpg.conf").write_text("s2k-count 65536\n")
        yield Path(folder)
        # The agent stays for two hours otherwise.
        environment = {"PATH": os.environ["PATH"], "GNUPGHOME": folder}
        subprocess.run(["gpgconf", "--kill", "all"], env=environment, capture_output=True, check=False)


@pytest.fixture
def laptop(tmp_path: Path, service: FakeService, gnupg: Path) -> Laptop:
    (tmp_path / "source").mkdir()
    return Laptop(tmp_path, gnupg, service)
