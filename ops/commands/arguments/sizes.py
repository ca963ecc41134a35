"""Sizes as people type them: ``500GB``, ``20TB``, ``1.5 TB``. A GB is 2^30 bytes, as AWS bills."""

from __future__ import annotations

import re
from decimal import Decimal

UNIT_BYTES = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40, "PB": 2**50}
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[KMGTP]?B)", re.IGNORECASE | re.ASCII)


def parse_size(text: str) -> int:
    """Bytes of a size. Raises ``ValueError`` with a sentence for anything else, zero and a bare number included."""
    match = _SIZE.fullmatch(text.strip())
    size_bytes = int(Decimal(match["number"]) * UNIT_BYTES[match["unit"].upper()]) if match else 0
    if size_bytes == 0:
        raise ValueError(f"“{text}” is no size: write a number and a unit, such as 500GB or 20TB.")
    return size_bytes
