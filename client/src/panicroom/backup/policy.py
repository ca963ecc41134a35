"""Whether the next backup is a full one. Pure: what is in the bucket, the source's size and the time are given."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from panicroom.names import parse_name, set_kind, set_time
from panicroom.settings import JobSettings

LONGEST_CHAIN = timedelta(days=2 * 365)
LARGEST_CHAIN = 250
"""Sets. With ``full_when`` a chain ends at the latest here: each restore of its newest set needs all of them."""

SMALLEST_SOURCE_BYTES = 256 * 1024
"""A smaller source counts as so large: what surrounds the files would outgrow it."""


@dataclass(frozen=True)
class NewestChain:
    """The newest full set and the increments on it: when the full began, sets, and bytes of volumes in the bucket."""

    began_at: datetime
    sets: int
    full_bytes: int
    stored_bytes: int


def newest_chain(finished_sets: Collection[str], sizes: Mapping[str, int]) -> NewestChain | None:
    """``sizes`` are bytes by name of everything in the bucket; None where there is no full set."""
    fulls = [name for name in finished_sets if set_kind(name) == "full"]
    if not fulls:
        return None
    full = max(fulls, key=set_time)
    members = {name for name in finished_sets if set_time(name) >= set_time(full)}
    stored = dict.fromkeys(members, 0)
    for name, size in sizes.items():
        parsed = parse_name(name)
        if parsed is not None and parsed.kind == "volume" and parsed.set in stored:
            stored[parsed.set] += size
    return NewestChain(set_time(full), len(members), stored[full], sum(stored.values()))


def kind_by_policy(chain: NewestChain | None, job: JobSettings, source_bytes: int, now: datetime) -> str:
    """``full`` where there is none yet, where the newest one is as old as ``full_every``, or where the chain has
    grown to ``full_when`` times the source (or its full set, if that is larger); else ``incremental``."""
    if chain is None:
        return "full"
    age = now - chain.began_at
    if job.full_every is not None and age >= job.full_every:
        return "full"
    if job.full_when is None:
        return "incremental"
    base_bytes = max(source_bytes, chain.full_bytes, SMALLEST_SOURCE_BYTES)
    grown = chain.sets > 1 and chain.stored_bytes >= job.full_when * base_bytes
    return "full" if grown or age >= LONGEST_CHAIN or chain.sets >= LARGEST_CHAIN else "incremental"
