"""Proof of origin: was a set made by someone who knows this machine's passphrase (or proof key)?

The token alone lets a thief store old ciphertext under a new name; so the client signs each set that it makes. The
proof is ``x-amz-meta-proof`` of the manifest, signed into its PUT. duplicity never reads it. Pure: no I/O.

For readers, in the order in which they are needed::

    key = key_from_passphrase(passphrase, machine, job)         # or secrets.proof_key(...), which knows key mode
    made = SetEvidence(set_name, volumes, manifest_sha256, signatures_sha256)
    origin_of(key, machine, job, made, proof)                   # -> Origin.PROVEN, UNPROVEN or FALSE

``volumes``, the digests and ``proof`` come from the ``DownloadPermit`` of the manifest and of the signature file
(``volumes``, ``sha256``, ``proof``); nothing has to be downloaded for it. A reader that does download a file must check
its bytes against the same digest (``digest_of_parts`` for a file that was stored in parts).

What follows from the result: PROVEN is used. UNPROVEN (no proof at all) is used and reported: it was stored before the
first proof, or with AWS keys. FALSE is a thief's: it is left out of restores and of the chain that backups build on.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import functools
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

PROOF_HEADER = "x-amz-meta-proof"
VOLUMES_HEADER = "x-amz-meta-volumes"
"""Headers of a GET of a manifest."""

KEY_BYTES = 32

_VERSION = "panicroom proof v1"

_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**15, 8, 1
"""32 MB and a tenth of a second. Whoever can read a proof can read the files beside it, and guess at those: gpg
stretches a passphrase for a tenth of a second too, with a plain hash. More here would protect nothing."""

_SCRYPT_MEMORY_BYTES = 2 * 128 * _SCRYPT_N * _SCRYPT_R


class Origin(str, Enum):
    PROVEN = "proven"
    UNPROVEN = "unproven"
    FALSE = "false"


@dataclass(frozen=True)
class SetEvidence:
    """What a proof covers of a set, beside machine and job.

    Digests are SHA-256 in lower-case hex of the files as they are stored (encrypted). A file that was stored in parts
    has S3's form of it: the digest of the parts' digests, ``-``, and their number. ``volumes`` is N of
    ``x-amz-meta-volumes``.
    """

    set: str
    volumes: int
    manifest_sha256: str
    signatures_sha256: tuple[str, ...]


@functools.lru_cache(maxsize=16)
def key_from_passphrase(passphrase: str, machine: str, job: str) -> bytes:
    """The key of a job whose backups have a passphrase. Slow by design, so each process computes it once."""
    return hashlib.scrypt(
        passphrase.encode(errors="surrogateescape"),
        salt=f"{_VERSION}/{machine}/{job}".encode(),
        n=_SCRYPT_N,
        r=_SCRYPT_R,
        p=_SCRYPT_P,
        maxmem=_SCRYPT_MEMORY_BYTES,
        dklen=KEY_BYTES,
    )


def proof_of(key: bytes, machine: str, job: str, evidence: SetEvidence) -> str:
    """HMAC-SHA-256 over the canonical text, 64 lower-case hex digits."""
    return hmac.new(key, canonical_text(machine, job, evidence).encode(), hashlib.sha256).hexdigest()


def canonical_text(machine: str, job: str, evidence: SetEvidence) -> str:
    """One fact a line; no name and no digest can hold a newline, so that no two sets have the same text."""
    lines = [
        _VERSION,
        machine,
        job,
        evidence.set,
        evidence.manifest_sha256,
        str(len(evidence.signatures_sha256)),
        *sorted(evidence.signatures_sha256),
        str(evidence.volumes),
    ]
    return "".join(f"{line}\n" for line in lines)


def is_proof_valid(key: bytes, machine: str, job: str, evidence: SetEvidence, proof: str) -> bool:
    """Compares in constant time."""
    expected = proof_of(key, machine, job, evidence)
    return hmac.compare_digest(expected.encode(), proof.encode(errors="surrogateescape"))


def origin_of(key: bytes, machine: str, job: str, evidence: SetEvidence | None, proof: str | None) -> Origin:
    """``evidence`` is None where a set lacks what a proof covers: its number of volumes, its signatures."""
    if proof is None:
        return Origin.UNPROVEN
    if evidence is not None and is_proof_valid(key, machine, job, evidence, proof):
        return Origin.PROVEN
    return Origin.FALSE


def key_check(key: bytes) -> str:
    """Tells whether a key is the one of before, without telling the key; for the client's own state."""
    return hmac.new(key, b"panicroom key check v1", hashlib.sha256).hexdigest()


def digest_of_parts(part_sha256: Sequence[str]) -> str:
    """S3's digest of a file that was stored in parts, from the parts' own, all in lower-case hex."""
    digests = b"".join(map(bytes.fromhex, part_sha256))
    return f"{hashlib.sha256(digests).hexdigest()}-{len(part_sha256)}"
