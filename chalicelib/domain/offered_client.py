"""The client that the service offers to new computers: which file of its bucket, and with which digest.

A deploy stores the files under names of their own and this record of them last, as one small object: whoever asks in
between gets the client of before, whole.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

RECORD_KEY = "_service/client/newest.json"


@dataclasses.dataclass(frozen=True)
class OfferedFile:
    """``sha256`` is the digest of its bytes in hex."""

    key: str
    sha256: str


@dataclasses.dataclass(frozen=True)
class OfferedClient:
    """The wheel, and the versions and digests of all that it needs (pip's ``requirements.txt``)."""

    version: str
    wheel: OfferedFile
    requirements: OfferedFile

    def as_text(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"


def read_record(text: str | bytes) -> OfferedClient | None:
    """None of what is no such record."""
    try:
        record: Any = json.loads(text)
        return OfferedClient(
            str(record["version"]), OfferedFile(**record["wheel"]), OfferedFile(**record["requirements"])
        )
    except (ValueError, TypeError, KeyError):
        return None
