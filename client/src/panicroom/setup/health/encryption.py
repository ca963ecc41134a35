"""gpg, the passphrase or key, and where secrets are."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
import shutil
import subprocess

from panicroom.duplicity_run.gpg_keys import check_keys, has_secret_key
from panicroom.exit_codes import Problem
from panicroom.places import SYSTEM_PLACES
from panicroom.private_files import open_to_others
from panicroom.secrets import passphrase_of
from panicroom.settings import Settings
from panicroom.setup.health.check_result import FAIL, OK, WARN, CheckResult
from panicroom.setup.passphrase_trial import Outcome, try_passphrase
from panicroom.setup.schedule import scheduler, session_caveat


def gpg() -> CheckResult:
    """Encrypts and decrypts a few bytes, as an installed gpg may still lack its agent or a usable home."""
    if shutil.which("gpg") is None:
        return CheckResult("gpg", FAIL, "it is missing; install it: apt install gnupg, or brew install gnupg")
    command = ["gpg", "--batch", "--quiet", "--pinentry-mode=loopback", "--passphrase=doctor"]
    try:
        encrypted = subprocess.run(
            [*command, "--symmetric", "--s2k-count=1024"],
            input=b"test",
            capture_output=True,
            timeout=30,
            check=False,
        )
        decrypted = subprocess.run(
            [*command, "--decrypt"], input=encrypted.stdout, capture_output=True, timeout=30, check=False
        )
    except subprocess.TimeoutExpired:
        return CheckResult("gpg", FAIL, "it does not answer; end its agent: gpgconf --kill gpg-agent")
    # It encrypts without a usable home as well, but says so by its exit code, and duplicity goes by that.
    if decrypted.stdout != b"test" or encrypted.returncode or decrypted.returncode:
        lines = (encrypted.stderr + decrypted.stderr).decode(errors="replace").split("\n")
        home = os.environ.get("GNUPGHOME")
        advice = f"; correct or unset GNUPGHOME={home}" if home else ""
        return CheckResult("gpg", FAIL, f"it cannot encrypt: {lines[0]}{advice}")
    return CheckResult("gpg", OK, "encrypts and decrypts")


def passphrase(settings: Settings) -> CheckResult:
    """Tries it on what is stored, as a wrong one is found else on the day of a restore."""
    if settings.encrypt_key:
        return encryption_key(settings.encrypt_key, settings.sign_key)
    try:
        known = passphrase_of(settings)
        assert known is not None, "without a key there is one, or a Problem"
        trials = try_passphrase(settings, known)
    except Problem as problem:
        return CheckResult("passphrase", FAIL, str(problem))
    wrong = [trial.job for trial in trials if trial.outcome == Outcome.WRONG]
    if wrong:
        text = f"it does not open the stored backups of {', '.join(wrong)}; run: panicroom passphrase check"
        return CheckResult("passphrase", FAIL, text)
    if "\n" in known or "\r" in known:
        text = "it has a line break, so gpg uses its first line only; run: panicroom passphrase change"
        return CheckResult("passphrase", WARN, text)
    opened = [trial.job for trial in trials if trial.outcome == Outcome.OPENS]
    tried = f"opens the stored backups of {', '.join(opened)}" if opened else "is stored"
    return CheckResult("passphrase", OK, f"{tried}; is it on your recovery sheet too?")


def encryption_key(encrypt_key: str, sign_key: str | None) -> CheckResult:
    try:
        check_keys(encrypt_key, sign_key)
    except Problem as problem:
        return CheckResult("encryption key", FAIL, str(problem))
    if not has_secret_key(encrypt_key):
        text = f"the secret half of {encrypt_key} is not here: backups are made, restores and verify are not"
        return CheckResult("encryption key", WARN, text)
    return CheckResult("encryption key", OK, f"{encrypt_key}; is a copy of the secret key elsewhere too?")


def keyring(settings: Settings) -> CheckResult:
    if settings.secrets == "file":
        file = settings.places.secrets_file
        if file.exists() and open_to_others(file):
            return CheckResult("secrets", FAIL, f"others can read {file}; run: chmod 600 {file}")
        return CheckResult("secrets", OK, f"in the private file {file}")
    import keyring as keyrings

    backend = keyrings.get_keyring()
    if backend.priority < 1:
        return CheckResult("secrets", FAIL, "the settings say keyring, but there is none in this session")
    caveat = _schedule_caveat(settings)
    if caveat is not None:
        return CheckResult("secrets", WARN, caveat)
    return CheckResult("secrets", OK, f"in the keyring ({backend.name})")


def _schedule_caveat(settings: Settings) -> str | None:
    try:
        chosen = scheduler(system=settings.places.config == SYSTEM_PLACES.config)
    except Problem:
        return None
    return session_caveat(chosen, settings.secrets) if chosen.show() else None
