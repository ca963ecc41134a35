"""A recovery code on its way to the laptop, readable only with the enrolment code that it is given together with.

The table has hashes of both: whoever reads it, or a backup of it, learns no code. XOR with a key that is used once is
enough, as nothing is trusted that does not have the hash of the machine's recovery code.
"""

from __future__ import annotations

import hashlib
import hmac

from chalicelib.recovery_code import MistypedCode, read_recovery_code

_LABEL = b"panicroom recovery code v1"


def seal(recovery_code: str, enrolment_code: str) -> str:
    """In hex; both in their one form."""
    return _xor(recovery_code.replace("-", "").encode(), enrolment_code).hex()


def unseal(sealed: str, enrolment_code: str) -> str | None:
    """``None`` where it is not what this enrolment code was given with."""
    try:
        return read_recovery_code(_xor(bytes.fromhex(sealed), enrolment_code).decode("ascii"))
    except (UnicodeDecodeError, MistypedCode):
        return None


def _xor(letters: bytes, enrolment_code: str) -> bytes:
    key = hmac.new(enrolment_code.encode(), _LABEL, hashlib.sha256).digest()
    return bytes(letter ^ pad for letter, pad in zip(letters, key, strict=False))
