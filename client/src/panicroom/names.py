"""The file names that duplicity writes, as this client sets its prefixes (``data_``, ``meta_``).

``duplicity.file_naming`` is the authority; a test compares the two. This module exists because importing
duplicity takes a second, and because the service must be able to reason in the same words.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

ARCHIVE_PREFIX = "data_"
METADATA_PREFIX = "meta_"

_TIME = r"\d{8}T\d{6}Z"
_SET = rf"(?P<set>full\.{_TIME}|inc\.{_TIME}\.to\.{_TIME})"
_SUFFIX = r"(?P<part>\.part)?(?P<suffix>\.gpg|\.gz)?"
_PATTERNS = {
    "volume": re.compile(rf"{ARCHIVE_PREFIX}duplicity-{_SET}\.vol(?P<volume>[1-9]\d*)\.difftar{_SUFFIX}"),
    "manifest": re.compile(rf"{METADATA_PREFIX}duplicity-{_SET}\.manifest{_SUFFIX}"),
    "jsonstat": re.compile(rf"{METADATA_PREFIX}duplicity-{_SET}\.jsonstat{_SUFFIX}"),
    "signatures": re.compile(
        rf"{METADATA_PREFIX}duplicity-(?P<sigkind>full|new)-signatures"
        rf"\.(?P<times>{_TIME}|{_TIME}\.to\.{_TIME})\.sigtar{_SUFFIX}"
    ),
}


@dataclass(frozen=True)
class FileName:
    """What a name says. ``kind`` is volume, manifest, jsonstat or signatures; ``set`` is
    ``full.<T>`` or ``inc.<T0>.to.<T1>``; ``partial`` marks a local file of a set being written."""

    kind: str
    set: str
    volume: int | None = None
    partial: bool = False


def parse_name(name: str) -> FileName | None:
    """The meaning of ``name``, or None for a file that duplicity would not write here."""
    for kind, pattern in _PATTERNS.items():
        match = pattern.fullmatch(name)
        if match is None:
            continue
        found = match.groupdict()
        if kind == "signatures":
            word = {"full": "full", "new": "inc"}[found["sigkind"]]
            if (word == "inc") != (".to." in found["times"]):
                return None
            set_name = f"{word}.{found['times']}"
        else:
            set_name = found["set"]
        volume = int(found["volume"]) if kind == "volume" else None
        return FileName(kind, set_name, volume, partial=found["part"] is not None)
    return None


def set_time(set_name: str) -> datetime:
    """The time a set stands for: when its (first) run began; aware, UTC, whole seconds."""
    stamp = set_name.rsplit(".", 1)[-1]
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)


def set_start(set_name: str) -> datetime:
    """The time of the set that this one builds on; of a full set, its own."""
    stamp = set_name.split(".")[1]
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)


def set_kind(set_name: str) -> str:
    """``full`` or ``incremental``."""
    return "full" if set_name.startswith("full.") else "incremental"


def sealed_sets(names: Iterable[str]) -> set[str]:
    """The sets whose manifest is among ``names``."""
    parsed = (parse_name(name) for name in names)
    return {item.set for item in parsed if item is not None and item.kind == "manifest" and not item.partial}
