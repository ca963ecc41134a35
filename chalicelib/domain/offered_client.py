"""The client that the service offers to new computers: which file of its bucket, and with which digest.

A deploy stores the files under names of their own, then a record of them for their version, and the record of the
newest last, each as one small object: whoever asks in between gets the client of before, whole. The records of versions
stay.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

RECORD_KEY = "_service/client/newest.json"
VERSIONS = "_service/client/versions/"


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


def version_key(version: str) -> str:
    """Where the record of a version is."""
    return f"{VERSIONS}{version}.json"


def read_record(text: str | bytes) -> OfferedClient | None:
    """None of what is no such record."""
    try:
        record: Any = json.loads(text)
        return OfferedClient(
            str(record["version"]), OfferedFile(**record["wheel"]), OfferedFile(**record["requirements"])
        )
    except (ValueError, TypeError, KeyError):
        return None
