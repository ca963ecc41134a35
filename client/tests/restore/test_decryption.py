"""Files of metadata are decrypted as gpg would, with the passphrase stretched here."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from panicroom.duplicity_files import openpgp
from panicroom.duplicity_files.decryption import Decryption, NotOpened, stretching_of

PASSPHRASE = 'with "quotes", spaces and ünï '


@pytest.fixture(autouse=True)
def gpg_home(gnupg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GNUPGHOME", str(gnupg))


def gpg(*options: str, passphrase: str = PASSPHRASE) -> str:
    """Runs gpg; what it writes to standard error."""
    secret = ("--pinentry-mode", "loopback", "--passphrase-fd", "0")
    ended = subprocess.run(
        ["gpg", "--batch", *secret, *options], input=passphrase.encode(), capture_output=True, check=True
    )
    return ended.stderr.decode()


def encrypted(tmp_path: Path, data: bytes, *options: str) -> Path:
    plain, path = tmp_path / "plain", tmp_path / "file.gpg"
    plain.write_bytes(data)
    path.unlink(missing_ok=True)
    gpg(*options, "--output", str(path), "--symmetric", str(plain))
    return path


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--cipher-algo", "AES"),
        ("--cipher-algo", "CAST5", "--s2k-digest-algo", "SHA512"),
        ("--s2k-digest-algo", "SHA256", "--s2k-count", "65536"),
        ("--s2k-digest-algo", "RIPEMD160"),
        ("--s2k-mode", "1"),
        ("--s2k-mode", "0"),
        ("--compress-algo", "none"),
    ],
)
def test_whatever_way_gpg_stretched_the_passphrase_the_file_opens(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    data = os.urandom(30_000)
    target = tmp_path / "opened"
    Decryption(PASSPHRASE).decrypt(encrypted(tmp_path, data, *options), target)
    assert target.read_bytes() == data


@pytest.fixture
def starts_of_gpg(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The arguments of each start of gpg from here on."""
    started: list[list[str]] = []
    run = subprocess.run

    def recording(arguments: list[str], **more: Any) -> Any:
        started.append(arguments)
        return run(arguments, **more)

    monkeypatch.setattr(subprocess, "run", recording)
    return started


@pytest.mark.parametrize(("options", "size_bytes"), [((), 1_500_000), (("--cipher-algo", "CAST5"), 100)])
def test_gpg_gets_the_key_of_what_is_not_opened_here_and_stretches_nothing(
    tmp_path: Path, starts_of_gpg: list[list[str]], options: tuple[str, ...], size_bytes: int
) -> None:
    """A large file, and one of another cipher."""
    data = os.urandom(size_bytes)
    path = encrypted(tmp_path, data, *options)
    starts_of_gpg.clear()
    assert Decryption("another", older=(PASSPHRASE,)).decrypt(path, tmp_path / "opened") == PASSPHRASE
    assert (tmp_path / "opened").read_bytes() == data
    assert all("--override-session-key-fd" in arguments for arguments in starts_of_gpg)
    assert starts_of_gpg


def test_what_unpacks_to_more_than_memory_should_hold_is_left_to_gpg(
    tmp_path: Path, starts_of_gpg: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytes(100_000)
    path = encrypted(tmp_path, data)
    starts_of_gpg.clear()
    for most_bytes, starts in ((len(data) + 100, 0), (len(data) - 1, 1)):
        monkeypatch.setattr(openpgp, "_MOST_UNPACKED_BYTES", most_bytes)
        target = tmp_path / f"opened-{starts}"
        Decryption(PASSPHRASE).decrypt(path, target)
        assert target.read_bytes() == data
        assert len(starts_of_gpg) == starts


@pytest.mark.parametrize(
    "options", ["", "--cipher-algo AES", "--s2k-digest-algo SHA512", "--s2k-count 65536"]
)
def test_the_key_computed_here_is_gpgs(tmp_path: Path, options: str) -> None:
    path = encrypted(tmp_path, b"data", *options.split())
    stretching = stretching_of(path.read_bytes()[:32])
    assert stretching is not None
    shown = gpg("--show-session-key", "--output", "/dev/null", "--decrypt", str(path))
    key = stretching.key(PASSPHRASE.encode()).hex().upper()
    assert f"{stretching.cipher}:{key}'" in shown


def test_a_file_for_a_key_and_a_passphrase_is_left_to_gpg(tmp_path: Path) -> None:
    """What follows the count there is a key, encrypted with the one that could be computed here."""
    assert stretching_of(b"\x8c\x2e\x04\x09\x03\x02" + b"saltsalt" + b"\xff" + b"k" * 33) is None
    assert stretching_of(b"\x85\x01\x0c") is None
    assert stretching_of(b"") is None
    assert stretching_of(b"no gpg file at all") is None


def test_a_wrong_passphrase_is_known_from_damage(tmp_path: Path) -> None:
    path = encrypted(tmp_path, b"data")
    with pytest.raises(NotOpened) as wrong:
        Decryption("another").decrypt(path, tmp_path / "opened")
    assert wrong.value.wrong_key
    assert not (tmp_path / "opened").exists()
    path.write_bytes(b"rubbish" * 50)
    with pytest.raises(NotOpened) as rubbish:
        Decryption(PASSPHRASE).decrypt(path, tmp_path / "opened")
    assert not rubbish.value.wrong_key


@pytest.mark.parametrize("place", [40, 200, -1])
def test_a_flipped_bit_never_passes(tmp_path: Path, place: int) -> None:
    path = encrypted(tmp_path, os.urandom(2000))
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)
    with pytest.raises(NotOpened):
        Decryption(PASSPHRASE).decrypt(path, tmp_path / "opened")
    assert not (tmp_path / "opened").exists()


def test_a_reason_never_has_the_key_in_it(tmp_path: Path) -> None:
    path = encrypted(tmp_path, os.urandom(2000))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(NotOpened) as cut:
        Decryption(PASSPHRASE).decrypt(path, tmp_path / "opened")
    assert "seskey" not in str(cut.value)


def test_where_a_signature_is_wanted_an_unsigned_file_is_refused(tmp_path: Path) -> None:
    path = encrypted(tmp_path, b"data")
    with pytest.raises(NotOpened, match="not signed"):
        Decryption(PASSPHRASE, sign_key="A" * 40).decrypt(path, tmp_path / "opened")
    assert not (tmp_path / "opened").exists()
