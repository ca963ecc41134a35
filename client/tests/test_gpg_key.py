"""A GnuPG key in the stead of a passphrase, with a real gpg: back up, restore, and say what is wrong with a key."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_service import CODE
from laptop import Laptop, next_second
from panicroom.exit_codes import ExitCode
from sheets import DIRECTLY, FROM_A_FOLDER, type_it
from test_commands import one_clear_line
from trees import differences, make_tree, snapshot


class Keyring:
    """A home of gpg's own with three keys: without a passphrase, with one, and one that has expired."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.plain = self.generate("anna@example.org", "", "0")
        self.locked = self.generate("ben@example.org", "of the key", "0")
        self.expired = self.generate(
            "carla@example.org", "", "20200101T000000", "--faked-system-time=20190101T000000"
        )

    def gpg(self, *words: str) -> str:
        command = ["gpg", "--batch", "--pinentry-mode=loopback", *words]
        environment = {"PATH": os.environ["PATH"], "GNUPGHOME": str(self.home)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    def generate(self, address: str, passphrase: str, expires: str, *options: str) -> str:
        quick = ["--passphrase", passphrase, "--quick-generate-key", address]
        self.gpg(*options, *quick, "ed25519", "sign", expires)
        fingerprint = self.fingerprint(address)
        self.gpg(
            *options, "--passphrase", passphrase, "--quick-add-key", fingerprint, "cv25519", "encr", expires
        )
        return fingerprint

    def fingerprint(self, address: str) -> str:
        listing = self.gpg("--with-colons", "--list-keys", address)
        return next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr"))


@pytest.fixture(scope="module")
def keyring() -> Iterator[Keyring]:
    with tempfile.TemporaryDirectory(prefix="gpg-") as folder:
        yield Keyring(Path(folder))
        environment = {"PATH": os.environ["PATH"], "GNUPGHOME": folder}
        subprocess.run(["gpgconf", "--kill", "all"], env=environment, capture_output=True, check=False)


@pytest.fixture
def with_key(laptop: Laptop, keyring: Keyring) -> Laptop:
    return dataclasses.replace(laptop, gnupg=keyring.home)


def enrol(laptop: Laptop, key: str, **more: str) -> None:
    laptop.succeed(
        "enrol", laptop.service.url, CODE, "--source", str(laptop.source), "--gpg-key", key, "--yes", **more
    )


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop, keyring: Keyring) -> Laptop:
    laptop = dataclasses.replace(laptop_of_file, gnupg=keyring.home)
    make_tree(laptop.source, files=3)
    enrol(laptop, "anna@example.org")
    laptop.succeed("backup")
    return laptop


@pytest.fixture
def backed_up(with_key: Laptop, made_once: Laptop) -> Laptop:
    """With a full backup for the key without a passphrase."""
    with_key.take_over(made_once)
    return with_key


def test_without_any_passphrase_it_backs_up_and_restores(backed_up: Laptop, keyring: Keyring) -> None:
    settings = (backed_up.home / "config" / "panicroom.toml").read_text()
    assert f'\nencrypt_key = "{keyring.plain}"\n' in settings
    assert "passphrase" not in (backed_up.home / "config" / "secrets.json").read_text()
    (backed_up.source / "d1" / "script").write_text("changed")
    backed_up.succeed("backup")
    shutil.rmtree(backed_up.home / "cache")
    backed_up.succeed("backup")
    assert differences(snapshot(backed_up.source), snapshot(backed_up.restore())) == []
    assert "encryption key: " + keyring.plain in backed_up.succeed("doctor")
    # The recovery sheet's words do too.
    shutil.rmtree(backed_up.home / "restored")
    (backed_up.home / "directly").mkdir()
    for pattern, folder in ((FROM_A_FOLDER, "restored"), (DIRECTLY, "directly")):
        ended = type_it(backed_up, backed_up.succeed("recovery-sheet"), pattern)
        assert ended.returncode == 0, ended.stderr
        assert differences(snapshot(backed_up.source), snapshot(backed_up.home / folder / "system")) == []


def test_a_drill_passes_with_the_secret_key_and_is_skipped_where_it_does_not_open(
    backed_up: Laptop, with_key: Laptop, keyring: Keyring
) -> None:
    backed_up.succeed("drill")
    settings = backed_up.home / "config" / "panicroom.toml"
    settings.write_text(settings.read_text().replace(keyring.plain, keyring.locked))
    backed_up.succeed("backup", "full", PASSPHRASE="of the key")
    backed_up.service.lose(backed_up.service.sealed()[0].removeprefix("full."))
    backed_up.succeed("drill", PASSPHRASE="of the key")
    subprocess.run(
        ["gpgconf", "--kill", "all"],
        env={"PATH": os.environ["PATH"], "GNUPGHOME": str(keyring.home)},
        capture_output=True,
        check=False,
    )
    ended = with_key.run("drill", PASSPHRASE="another")
    one_clear_line(ended, ExitCode.PASSPHRASE, "secret key")
    assert backed_up.service.drills.outcomes == ["passed", "passed", "skipped"]


def test_volumes_are_not_called_damaged_where_the_secret_key_is_gone(
    backed_up: Laptop, keyring: Keyring, tmp_path: Path
) -> None:
    """What is known of the backup is in the cache, decrypted: the volumes are the first that need the key."""
    home = tmp_path / "g"
    home.mkdir(mode=0o700)
    public = subprocess.run(
        ["gpg", "--homedir", str(keyring.home), "--export", keyring.plain], capture_output=True, check=True
    )
    subprocess.run(
        ["gpg", "--homedir", str(home), "--import"], input=public.stdout, capture_output=True, check=True
    )
    ended = backed_up.run("restore", "--to", str(tmp_path / "out"), GNUPGHOME=str(home))
    one_clear_line(ended, ExitCode.PASSPHRASE, "secret key")


def test_with_a_passphrase_of_its_own_and_a_signature(with_key: Laptop, keyring: Keyring) -> None:
    make_tree(with_key.source, files=3)
    enrol(with_key, keyring.locked, PASSPHRASE="of the key")
    settings = with_key.home / "config" / "panicroom.toml"
    settings.write_text(
        settings.read_text().replace('# sign_key = "fingerprint"', f'sign_key = "{keyring.locked}"')
    )
    with_key.succeed("backup")
    (with_key.source / "d1" / "script").write_text("changed")
    with_key.succeed("backup")
    assert differences(snapshot(with_key.source), snapshot(with_key.restore())) == []


def test_the_proof_key_is_made_at_enrolment_and_carried_to_a_new_computer_on_the_sheet(
    backed_up: Laptop, keyring: Keyring
) -> None:
    proof_key = backed_up.secrets["laptop.proof"]
    sheet = backed_up.succeed("recovery-sheet")
    assert proof_key in sheet
    assert "export PROOF_KEY=" in sheet
    for folder in ("config", "state", "cache"):
        shutil.rmtree(backed_up.home / folder)

    backed_up.service.secret_sha256 = None  # the owner gave a new code
    enrol(backed_up, keyring.plain)
    one_clear_line(backed_up.run("backup"), ExitCode.PASSPHRASE, "PROOF_KEY", "recovery sheet")
    assert backed_up.service.false_proofs == (), "a lost key is no thief"
    backed_up.service.secret_sha256 = None
    enrol(backed_up, keyring.plain, PROOF_KEY=proof_key)
    next_second()
    backed_up.succeed("backup")
    assert [name.split(".")[0] for name in backed_up.service.sealed()] == ["full", "inc"]


def test_where_only_the_public_half_is_backups_are_made_and_a_restore_says_what_it_lacks(
    with_key: Laptop, keyring: Keyring, tmp_path_factory: pytest.TempPathFactory
) -> None:
    make_tree(with_key.source, files=3)
    with tempfile.TemporaryDirectory(prefix="gpg-") as folder:
        public = Path(folder) / "public"
        public.write_text(keyring.gpg("--armor", "--export", keyring.plain))
        environment = {"PATH": os.environ["PATH"], "GNUPGHOME": folder}
        subprocess.run(
            ["gpg", "--batch", "--import", str(public)], env=environment, capture_output=True, check=True
        )
        server = dataclasses.replace(with_key, gnupg=Path(folder))
        enrol(server, keyring.plain)
        server.succeed("backup")
        (server.source / "d1" / "script").write_text("changed")
        server.succeed("backup")
        assert "warn  encryption key" in server.succeed("doctor")
        ended = server.run("drill")
        one_clear_line(ended, ExitCode.PASSPHRASE, "secret key", "--drill-every never")
        assert server.service.drills.outcomes == ["skipped"]
        shutil.rmtree(server.home / "cache")
        ended = server.run("restore", "--to", str(server.home / "out"))
        one_clear_line(ended, ExitCode.PASSPHRASE, "secret key", "import")
        subprocess.run(["gpgconf", "--kill", "all"], env=environment, capture_output=True, check=False)


def test_keys_that_cannot_be_used_are_named_before_the_code_is_spent(
    with_key: Laptop, keyring: Keyring
) -> None:
    arguments = ["enrol", with_key.service.url, CODE, "--source", str(with_key.source), "--yes", "--gpg-key"]
    one_clear_line(with_key.run(*arguments, "nobody@example.org"), ExitCode.GPG, "gpg has no key", "import")
    one_clear_line(with_key.run(*arguments, keyring.expired), ExitCode.GPG, "expired")
    one_clear_line(with_key.run(*arguments, "example.org"), ExitCode.GPG, "2 keys", "fingerprint")
    assert with_key.service.secret_sha256 is None


def test_a_short_id_in_the_settings_is_refused(backed_up: Laptop, keyring: Keyring) -> None:
    settings = backed_up.home / "config" / "panicroom.toml"
    settings.write_text(settings.read_text().replace(keyring.plain, keyring.plain[-8:]))
    one_clear_line(backed_up.run("backup"), ExitCode.SETTINGS, "encrypt_key", "fingerprint")


def test_a_seed_scripts_key_is_taken_over_and_used(with_key: Laptop, keyring: Keyring) -> None:
    (with_key.source / "file").write_text("content")
    with_key.enrol()
    conf = with_key.home / "BackupToCloud.conf"
    conf.write_text(f'GPG_KEY="{keyring.locked[-16:]}"\nSIGN_KEY={keyring.locked}\nPASSPHRASE="of the key"\n')
    said = with_key.succeed("import-conf", str(conf))
    assert f'taken      GPG_KEY: encrypt_key = "{keyring.locked}"' in said
    assert f'taken      SIGN_KEY: sign_key = "{keyring.locked}"' in said
    with_key.succeed("backup")
    volume = next(stored.data for name, stored in with_key.service.objects.items() if ".vol1." in name)
    (with_key.home / "volume.gpg").write_bytes(volume)
    packets = keyring.gpg("--passphrase", "of the key", "--list-packets", str(with_key.home / "volume.gpg"))
    assert "pubkey enc packet" in packets
    assert "onepass_sig packet" in packets
