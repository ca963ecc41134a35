"""Where secrets are kept: in a keyring, in a private file, and on their way from one to the other."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from fake_service import CODE
from laptop import PASSPHRASE, Laptop
from panicroom.exit_codes import ExitCode
from panicroom.setup.schedule import Cron, Launchd, Scheduler, Systemd, session_caveat
from test_commands import one_clear_line


@pytest.fixture
def session(laptop: Laptop) -> dict[str, str]:
    """The environment of a desktop's session, which has a keyring."""
    (laptop.source / "file").write_text("content")
    return {
        "PANICROOM_KEYRING": "",
        "PYTHON_KEYRING_BACKEND": "session_keyring.SessionKeyring",
        "PYTHONPATH": str(Path(__file__).parent),
        "KEYRING_FILE": str(laptop.home / "keyring"),
    }


def enrol(laptop: Laptop, session: dict[str, str]) -> None:
    arguments = ["enrol", laptop.service.url, CODE, "--source", str(laptop.source), "--yes"]
    laptop.succeed(*arguments, **session, PASSPHRASE=PASSPHRASE)


def test_a_keyring_keeps_them_off_the_disk(laptop: Laptop, session: dict[str, str]) -> None:
    enrol(laptop, session)
    assert not (laptop.home / "config" / "secrets.json").exists()
    kept = json.loads((laptop.home / "keyring").read_text())
    assert kept["laptop.passphrase"] == PASSPHRASE
    assert "in the keyring" in laptop.succeed("secrets", **session)
    laptop.succeed("backup", **session)
    assert "ok    secrets: in the keyring" in laptop.succeed("doctor", **session)


def test_a_locked_keyring_is_one_line_that_says_what_to_do(laptop: Laptop, session: dict[str, str]) -> None:
    """A timer runs when nobody has logged in yet."""
    enrol(laptop, session)
    ended = laptop.run("backup", **session, KEYRING_LOCKED="1")
    one_clear_line(ended, ExitCode.SETTINGS, "keyring", "panicroom secrets file")


def test_they_move_to_a_private_file_and_back(laptop: Laptop, session: dict[str, str]) -> None:
    enrol(laptop, session)
    said = laptop.succeed("secrets", "file", **session)
    file = laptop.home / "config" / "secrets.json"
    assert str(file) in said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads((laptop.home / "keyring").read_text()) == {}
    laptop.succeed("backup", **session, KEYRING_LOCKED="1")
    laptop.succeed("secrets", "file", **session)
    laptop.succeed("secrets", "keyring", **session)
    assert json.loads(file.read_text()) == {}
    laptop.succeed("backup", **session)


def test_without_a_keyring_they_stay_where_they_are(laptop: Laptop) -> None:
    laptop.enrol()
    ended = laptop.run("secrets", "keyring", PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring")
    one_clear_line(ended, ExitCode.SETTINGS, "no keyring")
    laptop.succeed("status")


@pytest.mark.parametrize(
    ("chosen", "secrets", "lingers", "warned"),
    [
        (Cron(), "keyring", False, True),
        (Cron(), "file", False, False),
        (Systemd(system=False), "keyring", False, False),
        (Systemd(system=False), "keyring", True, True),
        (Systemd(system=True), "keyring", False, True),
        (Systemd(system=True), "file", True, False),
        (Launchd(system=False), "keyring", False, False),
        (Launchd(system=True), "keyring", False, True),
    ],
)
def test_a_schedule_that_runs_without_a_session_cannot_read_a_keyring(
    chosen: Scheduler, secrets: str, lingers: bool, warned: bool
) -> None:
    said = session_caveat(chosen, secrets, lingers=lambda: lingers)
    assert (said is not None) == warned
    assert said is None or "panicroom secrets file" in said
