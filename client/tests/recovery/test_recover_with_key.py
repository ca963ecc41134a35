"""A machine whose backups a GnuPG key opens is recovered: with the key, and with what to say where it is missing."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_service import CODE as ENROLMENT_CODE
from laptop import Laptop
from panicroom.exit_codes import ExitCode
from recovery.scenes import CODE, sheet
from recovery.test_recover import one_clear_line
from trees import differences, make_tree, snapshot

KEY = "anna@example.org"


def gpg(home: Path, *words: str, given: bytes = b"") -> bytes:
    command = ["gpg", "--batch", "--pinentry-mode=loopback", "--passphrase", "", *words]
    environment = {"PATH": os.environ["PATH"], "GNUPGHOME": str(home)}
    return subprocess.run(command, env=environment, input=given, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def homes() -> Iterator[tuple[Path, Path]]:
    """gpg's of the old laptop, with a key, and of the new computer, without."""
    with tempfile.TemporaryDirectory(prefix="gpg-") as old, tempfile.TemporaryDirectory(prefix="gpg-") as new:
        gpg(Path(old), "--quick-generate-key", KEY, "rsa3072", "encr", "0")
        yield Path(old), Path(new)
        for folder in (old, new):
            environment = {"PATH": os.environ["PATH"], "GNUPGHOME": folder}
            subprocess.run(["gpgconf", "--kill", "all"], env=environment, capture_output=True, check=False)


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop, homes: tuple[Path, Path]) -> Laptop:
    laptop = dataclasses.replace(laptop_of_file, gnupg=homes[0])
    make_tree(laptop.source, files=3)
    words = ["--source", str(laptop.source), "--gpg-key", KEY, "--yes"]
    laptop.succeed("enrol", laptop.service.url, ENROLMENT_CODE, *words)
    laptop.succeed("backup")
    return laptop


def test_the_key_is_asked_for_and_its_proofs_are_checked(backed_up: Laptop, homes: tuple[Path, Path]) -> None:
    home = backed_up.home / "new"
    home.mkdir()
    backed_up.service.recovery_code = CODE
    computer = Laptop(home, homes[1], backed_up.service, folder=home)
    given = {"RECOVERY_CODE": CODE}
    ended = computer.run("recover", sheet(computer), "--gpg-key", KEY, **given)
    one_clear_line(ended, ExitCode.GPG, "gpg --import")
    gpg(homes[1], "--import", given=gpg(homes[0], "--export", KEY))
    ended = computer.run("recover", sheet(computer), "--gpg-key", KEY, **given)
    one_clear_line(ended, ExitCode.GPG, "no secret half of the key", "gpg --import secret-key-file")
    assert computer.service.tries == []
    ended = computer.run("recover", sheet(computer), PASSPHRASE="anything", **given)
    one_clear_line(ended, ExitCode.GPG, "GnuPG key", "panicroom recover --gpg-key KEY")

    gpg(homes[1], "--import", given=gpg(homes[0], "--export-secret-keys", KEY))
    proof_key = backed_up.secrets["laptop.proof"]
    ended = computer.run("recover", "--gpg-key", KEY, PROOF_KEY=proof_key)
    assert ended.returncode == 0, ended.stderr
    assert "proof" not in ended.stdout, "nothing is unproven"
    restored = home / "restored-laptop" / "system"
    assert differences(snapshot(backed_up.source), snapshot(restored)) == []
    assert computer.secrets["laptop.proof"] == proof_key

    computer.service.secret_sha256 = computer.service.recovery_code = None
    computer.succeed("enrol", computer.service.url, ENROLMENT_CODE, "--yes")
    assert computer.secrets["laptop.proof"] == proof_key
    computer.succeed("backup")
    assert [name.split(".")[0] for name in computer.service.sealed()] == ["full", "inc"]
