"""Opens a small file that gpg has encrypted with a passphrase, without a start of gpg. Pure.

Only the form that gpg writes for one passphrase (RFC 4880): a packet with how the passphrase becomes the key, and one
packet with data encrypted by AES and protected by a hash. Whatever is of another form is left to gpg. A chain of a year
has hundreds of such files, and each start of gpg takes longer than all of this.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import bz2
import hashlib
import hmac
import zlib
from collections.abc import Iterator
from typing import Protocol

AES = (7, 8, 9)
"""With keys of 128, 192 and 256 bits."""

SYMMETRIC_KEY = 3
"""The packet that says how a passphrase becomes the key."""

_COMPRESSED, _LITERAL, _PROTECTED = 8, 11, 18
_BLOCK_BYTES = 16
_HASH_BYTES = 20
_HASH_PACKET = b"\xd3\x14"

_MOST_UNPACKED_BYTES = 32 * 2**20
"""What is larger unpacked is left to gpg, which writes to the disk."""


def open_message(data: bytes, key: bytes) -> bytes | None:
    """The plaintext; None if it is of another form, or not whole, or if the key is another one."""
    try:
        (stretching, _), (protected, body) = packets(data)
        if (stretching, protected) != (SYMMETRIC_KEY, _PROTECTED) or body[:1] != b"\x01":
            return None
        content = _unprotected(_decrypted(body[1:], key))
        return None if content is None else _literal(content)
    except (ValueError, IndexError, ImportError, OSError, EOFError, zlib.error):
        return None


def _decrypted(data: bytes, key: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    try:
        from cryptography.hazmat.decrepit.ciphers.modes import CFB
    except ImportError:  # before 47
        from cryptography.hazmat.primitives.ciphers.modes import CFB

    opener = Cipher(algorithms.AES(key), CFB(bytes(_BLOCK_BYTES))).decryptor()
    return opener.update(data) + opener.finalize()


def _unprotected(plain: bytes) -> bytes | None:
    """Without the random bytes at the beginning and the hash of all of it at the end, which has to be right."""
    end = len(plain) - _HASH_BYTES
    digest = hashlib.sha1(plain[:end], usedforsecurity=False).digest()
    if plain[end - len(_HASH_PACKET) : end] != _HASH_PACKET or not hmac.compare_digest(plain[end:], digest):
        return None
    return plain[_BLOCK_BYTES + 2 : end - len(_HASH_PACKET)]


def _literal(content: bytes) -> bytes | None:
    ((tag, body),) = packets(content)
    if tag == _COMPRESSED:
        ((tag, body),) = packets(_unpacked(body))
    if tag != _LITERAL:
        return None
    return body[2 + body[1] + 4 :]  # behind the form, the name and the time


def _unpacked(body: bytes) -> bytes:
    match body[0]:
        case 0:
            return body[1:]
        case 1:
            return _bounded(zlib.decompressobj(-zlib.MAX_WBITS), body[1:])
        case 2:
            return _bounded(zlib.decompressobj(), body[1:])
        case 3:
            return _bounded(bz2.BZ2Decompressor(), body[1:])
    raise ValueError("packed in an unknown way")


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, most_bytes: int, /) -> bytes: ...


def _bounded(unpacker: _Unpacker, packed: bytes) -> bytes:
    unpacked = unpacker.decompress(packed, _MOST_UNPACKED_BYTES)
    if not unpacker.eof:
        raise ValueError("it is cut, or too large")
    return unpacked


def packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and body of each packet. Raises ``ValueError`` or ``IndexError`` where they make no sense."""
    place = 0
    while place < len(data):
        head = data[place]
        if not head & 0x80:
            raise ValueError("no packet")
        if head & 0x40:
            tag, (body, place) = head & 0x3F, _new_body(data, place + 1)
        else:
            tag, (body, place) = head >> 2 & 0x0F, _old_body(data, place + 1, head & 3)
        yield tag, body


def _old_body(data: bytes, place: int, kind: int) -> tuple[bytes, int]:
    if kind == 3:  # to the end
        return data[place:], len(data)
    begin = place + (1, 2, 4)[kind]
    return _slice(data, begin, int.from_bytes(data[place:begin], "big"))


def _new_body(data: bytes, place: int) -> tuple[bytes, int]:
    """A long body comes in parts, of which the last one has a length of another kind."""
    parts = []
    while 224 <= data[place] < 255:
        part, place = _slice(data, place + 1, 1 << (data[place] & 0x1F))
        parts.append(part)
    first = data[place]
    if first < 192:
        length, begin = first, place + 1
    elif first < 224:
        length, begin = (first - 192 << 8) + data[place + 1] + 192, place + 2
    else:
        length, begin = int.from_bytes(data[place + 1 : place + 5], "big"), place + 5
    last, place = _slice(data, begin, length)
    return b"".join([*parts, last]), place


def _slice(data: bytes, begin: int, length: int) -> tuple[bytes, int]:
    if begin + length > len(data):
        raise ValueError("it is cut")
    return data[begin : begin + length], begin + length
