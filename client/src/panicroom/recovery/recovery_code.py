"""Recovery codes: what is printed on paper, and typed years later on a borrowed keyboard.

The service (``chalicelib/recovery_code.py``) and the client (``panicroom/recovery/recovery_code.py``) ship this same
file, and a test keeps the two identical. It uses the standard library only.

A code is six groups of five: four characters of Crockford's base32 (no U; I and L are read as 1, O as 0) and a check
character over GF(32), weighted by the character's place in the code. So any one wrong character, any two neighbours
swapped and any two groups swapped are noticed, and the group is named. 24 free characters are 120 bits.
"""

# SPDX-License-Identifier: MIT

from __future__ import annotations

import secrets
from collections.abc import Sequence

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
GROUPS = 6
FREE = 4
"""Characters of a group without its check."""

_READ_AS = str.maketrans("ILO", "110")
_FIELD = 0b100101
"""x^5 + x^2 + 1: with it the powers of x are all 31 elements of GF(32) but zero."""


class MistypedCode(ValueError):
    """A text that is no recovery code; ``str(error)`` says where, without the code itself."""


def _times(one: int, other: int) -> int:
    """In GF(32)."""
    product = 0
    while other:
        if other & 1:
            product ^= one
        one <<= 1
        if one & 32:
            one ^= _FIELD
        other >>= 1
    return product


def _powers() -> list[int]:
    found = [1]
    while len(found) < 31:
        found.append(_times(found[-1], 2))
    return found


_POWERS = _powers()


def _check(values: Sequence[int], group: int) -> int:
    sum_of_group = _POWERS[group * (FREE + 1) % 31]
    for place, value in enumerate(values):
        sum_of_group ^= _times(value, _POWERS[place + 1])
    return sum_of_group


def new_recovery_code() -> str:
    groups = []
    for group in range(GROUPS):
        values = [secrets.randbelow(32) for _ in range(FREE)]
        groups.append("".join(ALPHABET[value] for value in (*values, _check(values, group))))
    return "-".join(groups)


def read_recovery_code(typed: str) -> str:
    """The code in its one form, however it was cased and spaced. Raises ``MistypedCode``."""
    letters = "".join(letter for letter in typed.upper() if letter.isalnum()).translate(_READ_AS)
    length = GROUPS * (FREE + 1)
    if len(letters) != length:
        raise MistypedCode(f"a recovery code has {length} characters, and this has {len(letters)}")
    groups = [letters[start : start + FREE + 1] for start in range(0, length, FREE + 1)]
    for number, group in enumerate(groups):
        if any(letter not in ALPHABET for letter in group):
            raise MistypedCode(f"group {number + 1} has a character that no recovery code has")
        values = [ALPHABET.index(letter) for letter in group]
        if _check(values[:FREE], number) != values[FREE]:
            raise MistypedCode(f"group {number + 1} is mistyped")
    return "-".join(groups)


def last_group(code: str) -> str:
    """What sheets may show of a code: 20 of its 120 bits."""
    return code.rpartition("-")[2]
