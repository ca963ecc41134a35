"""Decrypts a file of metadata; a passphrase is stretched here, and gpg is started only where it has to be.

gpg stretches a passphrase for each file anew: with its usual settings it hashes 65 MB, for a key of 256 bits twice,
and takes half a second of processor time for that. OpenSSL does the same in a fifth of the time (measured: 0.09
instead of 0.46 seconds a file), and a chain of a year has 730 files. So the key is computed here, as RFC 4880,
section 3.7.1.3 says. A small file is opened here (``openpgp``); for any other the key is given to gpg, which does all
the rest. Whatever is not of that form, and whatever does not open in that way, is left to gpg alone.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from panicroom.duplicity_files.openpgp import AES, SYMMETRIC_KEY, open_message, packets
from panicroom.exit_codes import ExitCode, Problem

_DIGESTS = {1: "md5", 2: "sha1", 3: "ripemd160", 8: "sha256", 9: "sha384", 10: "sha512", 11: "sha224"}
"""RFC 4880, section 9.4."""

_KEY_BYTES = {2: 24, 3: 16, 4: 16, 7: 16, 8: 24, 9: 32, 10: 32, 11: 16, 12: 24, 13: 32}
"""Of the ciphers in RFC 4880, section 9.2, and RFC 5581."""

SESSION_KEY_OPTION = "--override-session-key-fd"

_HEAD_BYTES = 32
_ITERATED = 3
_HASHED_AT_ONCE = 2**20

_SMALL_BYTES = 2**20
"""Up to here a file is decrypted in memory: signatures unpack to 22 times that, and 16 files are opened at once."""

_FULL_BYTES = 64 * 1024
"""With less space than that, a gpg that fails has most likely failed for it."""

_WRONG_KEY = re.compile(r"DECRYPTION_FAILED|BAD_PASSPHRASE|NO_SECKEY|MISSING_PASSPHRASE")
_VALID_SIGNATURE = re.compile(r"^\[GNUPG:\] VALIDSIG (\S+)(?: \S+){8} (\S+)", re.MULTILINE)


class NotOpened(Exception):
    """A file cannot be used. ``wrong_key``: for want of the right passphrase or secret key, as far as gpg says."""

    def __init__(self, reason: str, *, wrong_key: bool = False) -> None:
        super().__init__(reason)
        self.wrong_key = wrong_key


@dataclass(frozen=True)
class StretchedPassphrase:
    """How a passphrase becomes the key of a file: cipher and digest by their numbers, and the bytes to be hashed."""

    cipher: int
    digest: str
    salt: bytes
    count: int

    def key(self, passphrase: bytes) -> bytes:
        """The key; of several digests side by side if one is too short, each begun with one zero byte more."""
        wanted, key = _KEY_BYTES[self.cipher], b""
        unit = self.salt + passphrase
        block = unit * (_HASHED_AT_ONCE // len(unit) + 1)
        for zero_bytes in itertools.count():
            digest = hashlib.new(self.digest, b"\0" * zero_bytes)
            left = max(self.count, len(unit))
            while left > len(block):
                digest.update(block)
                left -= len(block)
            digest.update(block[:left])
            key += digest.digest()
            if len(key) >= wanted:
                break
        return key[:wanted]

    def session_key(self, passphrase: str) -> str:
        """The key as gpg's option ``--override-session-key-fd`` takes it."""
        return f"{self.cipher}:{self.key(_encoded(passphrase)).hex().upper()}"


def stretching_in(source: Path) -> StretchedPassphrase | None:
    """How a passphrase becomes the key of a file; None where it takes anything else."""
    with source.open("rb") as file:
        return stretching_of(file.read(_HEAD_BYTES))


def stretching_of(head: bytes) -> StretchedPassphrase | None:
    """The first packet of a file that a passphrase alone encrypts; None for any other form."""
    try:
        tag, packet = next(packets(head))
    except (ValueError, IndexError, StopIteration):
        return None
    # Thirteen bytes: nothing behind the count. What follows there would be a key encrypted with this one.
    if tag != SYMMETRIC_KEY or len(packet) != 13 or packet[0] != 4 or packet[2] != _ITERATED:
        return None
    cipher, digest = packet[1], _DIGESTS.get(packet[3])
    if cipher not in _KEY_BYTES or digest is None or digest not in hashlib.algorithms_available:
        return None
    count = (16 + (packet[12] & 15)) << ((packet[12] >> 4) + 6)
    return StretchedPassphrase(cipher, digest, packet[4:12], count)


@dataclass(frozen=True)
class Decryption:
    """How this machine's files are opened. ``passphrase`` is None where gpg's agent answers for the secret key.

    ``older``: passphrases that the machine had before, tried in their turn. ``sign_key``: the fingerprint of the key by
    which every file must be signed, if any.
    """

    passphrase: str | None
    encrypt_key: str | None = None
    sign_key: str | None = None
    older: tuple[str, ...] = ()

    def decrypt(self, source: Path, target: Path) -> str | None:
        """Decrypts ``source`` into ``target``, which must not exist; the passphrase that did it. Raises ``NotOpened``,
        or ``OSError`` where the disk is full."""
        stretching = stretching_in(source)
        if stretching is not None and self._can_open_here(stretching, source.stat().st_size):
            passphrase = self._open_here(source, target, stretching)
            if passphrase is not None:
                return passphrase
            stretching = None  # its keys were tried
        failure: NotOpened | None = None
        for option, secret, passphrase in self._ways(stretching):
            try:
                self._gpg(source, target, option, secret)
            except NotOpened as error:
                target.unlink(missing_ok=True)
                failure = error
            else:
                return passphrase
        assert failure is not None
        raise failure

    @property
    def _passphrases(self) -> tuple[str, ...]:
        return () if self.passphrase is None else (self.passphrase, *self.older)

    def _can_open_here(self, stretching: StretchedPassphrase, size_bytes: int) -> bool:
        return self.sign_key is None and size_bytes <= _SMALL_BYTES and stretching.cipher in AES

    def _open_here(self, source: Path, target: Path, stretching: StretchedPassphrase) -> str | None:
        """Without gpg; the passphrase that did it."""
        data = source.read_bytes()
        for passphrase in self._passphrases:
            plain = open_message(data, stretching.key(_encoded(passphrase)))
            if plain is not None:
                target.write_bytes(plain)
                return passphrase
        return None

    def _ways(self, stretching: StretchedPassphrase | None) -> Iterator[tuple[str, str | None, str | None]]:
        """An option of gpg, the secret that it takes, and the passphrase behind that; the quick ways first."""
        if self.passphrase is None:
            yield "--passphrase-fd", None, None
        if stretching is not None:
            for passphrase in self._passphrases:
                yield SESSION_KEY_OPTION, stretching.session_key(passphrase), passphrase
        for passphrase in self._passphrases:
            yield "--passphrase-fd", passphrase, passphrase

    def wrong_key_problem(self) -> Problem:
        """What to do where none of the files can be opened with the key at hand."""
        message = "the passphrase does not open this backup; check the one in PASSPHRASE or in the keyring"
        if self.encrypt_key is not None:
            message = "gpg does not have the secret key that this backup is encrypted for; import it: gpg --import FILE"
        return Problem(message, ExitCode.PASSPHRASE)

    def _gpg(self, source: Path, target: Path, secret_option: str, secret: str | None) -> None:
        options = ["gpg", "--batch", "--no-tty", "--no-secmem-warning", "--status-fd", "2", "--always-trust"]
        handed: tuple[int, ...] = ()
        if secret is not None:
            reading, writing = os.pipe()
            os.write(writing, _encoded(secret) + b"\n")
            os.close(writing)
            handed = (reading,)
            options += ["--pinentry-mode", "loopback", secret_option, str(reading)]
        try:
            ended = subprocess.run(
                [*options, "--output", str(target), "--decrypt", str(source)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                pass_fds=handed,
                env={**os.environ, "LC_ALL": "C"},
                check=False,
            )
        finally:
            for descriptor in handed:
                os.close(descriptor)
        status = ended.stderr.decode(errors="replace")
        if ended.returncode != 0 and shutil.disk_usage(target.parent).free < _FULL_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        if ended.returncode != 0 and not _only_unsigned(status):
            raise NotOpened(_reason(status), wrong_key=_WRONG_KEY.search(status) is not None)
        if self.sign_key is not None and not _signed_by(self.sign_key, status):
            raise NotOpened("it is not signed by the key in the settings")


def _encoded(secret: str) -> bytes:
    return secret.encode("utf-8", "surrogateescape")


def _only_unsigned(status: str) -> bool:
    """Decrypted whole, with a signature that cannot be checked: whether one is wanted is another question."""
    return "[GNUPG:] DECRYPTION_OKAY" in status and "[GNUPG:] ERRSIG" in status and "BADSIG" not in status


def _signed_by(fingerprint: str, status: str) -> bool:
    return any(fingerprint in match.groups() for match in _VALID_SIGNATURE.finditer(status))


def _reason(status: str) -> str:
    """gpg's last line for people; never one with a session key, which it prints as well."""
    lines = [line.removeprefix("gpg: ") for line in status.splitlines() if line.startswith("gpg: ")]
    shown = [line for line in lines if "seskey" not in line]
    return shown[-1] if shown else "gpg failed without a message"
