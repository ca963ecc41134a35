"""The volumes that a restore needs: as it asks for them, and as S3 holds them."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum

from chalicelib.domain.backups.names import (
    VOLUME_PREFIX,
    FileKind,
    SetId,
    parse_file_name,
    volume_file,
)
from chalicelib.domain.backups.objects import RestoreState
from chalicelib.domain.backups.storage import needs_thaw
from chalicelib.domain.backups.tallies import Tallies, Tally
from chalicelib.domain.ranges import format_ranges, parse_ranges
from chalicelib.domain.refusals import Refusal
from chalicelib.wire import ErrorCode, ThawVolumes

Volumes = Mapping[SetId, frozenset[int]]
"""Numbers of volumes by set."""

MAX_VOLUMES = 200_000
"""Of one plan: five terabytes in volumes of 25 MB. More are two plans."""

MAX_TEXT_BYTES = 700_000
"""Of a plan as text, which fits into a row of the table when it is packed. Ranges keep it short: only numbers that lie
apart make it grow."""

MAX_SETS = 20_000

_RANGES = re.compile(r"[1-9][0-9]{0,7}(-[1-9][0-9]{0,7})?(,[1-9][0-9]{0,7}(-[1-9][0-9]{0,7})?)*")
"""Numbers as names have them: eight digits at most."""

FEW_VOLUMES = 50
MANY_SETS = 50
PAGE_KEYS = 1000
"""Keys that S3 lists in one request."""


def read_volumes(requested: Sequence[ThawVolumes]) -> Volumes:
    """What a request names. Raises ``Refusal``; numbers are counted before they are listed."""
    if not requested or len(requested) > MAX_SETS:
        raise _bad(f"Name from 1 to {MAX_SETS} sets.")
    if sum(len(one.set) + len(one.numbers) for one in requested) > 2 * MAX_TEXT_BYTES:
        raise _too_scattered()
    if sum(_count(one.numbers) for one in requested) > MAX_VOLUMES:
        raise _bad(f"A plan has at most {MAX_VOLUMES} volumes. Make two of it.")
    volumes: dict[SetId, frozenset[int]] = {}
    for one in requested:
        set_id = _read_set(one.set)
        volumes[set_id] = volumes.get(set_id, frozenset()) | parse_ranges(one.numbers)
    check_length(volumes)
    return volumes


def check_length(*parts: Volumes) -> None:
    """Raises ``Refusal`` where they are too many ranges for a row of the table."""
    if sum(len(canonical_text(volumes)) for volumes in parts) > MAX_TEXT_BYTES:
        raise _too_scattered()


def _too_scattered() -> Refusal:
    return _bad("These are too many separate ranges of volumes. Ask for fewer at once.")


def _read_set(text: str) -> SetId:
    try:
        return SetId.parse(text)
    except ValueError:
        raise _bad("Name a set as full.20261122T205000Z or inc.<from>.to.<to>.") from None


def _count(text: str) -> int:
    if _RANGES.fullmatch(text) is None:
        raise _bad("Numbers of volumes are ranges such as 1-3,12.")
    total = 0
    for part in text.split(","):
        first, _, last = part.partition("-")
        if int(last or first) < int(first):
            raise _bad(f"The range {part} ends before it begins.")
        total += int(last or first) - int(first) + 1
    return total


def _bad(message: str) -> Refusal:
    return Refusal(ErrorCode.BAD_REQUEST, message)


def canonical_text(volumes: Volumes) -> str:
    """The same text for the same volumes, however they were asked for: a line a set, in order."""
    lines = {str(set_id): format_ranges(numbers) for set_id, numbers in volumes.items() if numbers}
    return "\n".join(f"{name} {lines[name]}" for name in sorted(lines))


def volumes_of(text: str) -> Volumes:
    """The reverse of ``canonical_text``."""
    pairs = (line.split(" ") for line in text.splitlines())
    return {SetId.parse(name): parse_ranges(numbers) for name, numbers in pairs}


def thaw_id(machine: str, job: str, volumes: Volumes) -> str:
    """The same for the same volumes of a job: a client that was killed carries on without having stored it."""
    return hashlib.sha256(f"{machine}/{job}\n{canonical_text(volumes)}".encode()).hexdigest()[:20]


def together(one: Volumes, other: Volumes) -> Volumes:
    empty = frozenset[int]()
    return {set_id: one.get(set_id, empty) | other.get(set_id, empty) for set_id in {**one, **other}}


def without_sets(volumes: Volumes, hidden: Collection[SetId]) -> Volumes:
    return {set_id: numbers for set_id, numbers in volumes.items() if set_id not in hidden}


_ID = re.compile(r"[0-9a-f]{20}")


def is_thaw_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def count_of(volumes: Volumes) -> int:
    return sum(map(len, volumes.values()))


def list_prefixes(volumes: Volumes) -> list[str]:
    """What to list, side by side, to find these volumes and little else."""
    if count_of(volumes) <= FEW_VOLUMES:
        return [_stem(set_id, number) for set_id in volumes for number in sorted(volumes[set_id])]
    if len(volumes) > MANY_SETS:
        return [VOLUME_PREFIX]
    return [prefix for set_id, numbers in volumes.items() for prefix in _prefixes_of_set(set_id, numbers)]


def _prefixes_of_set(set_id: SetId, numbers: frozenset[int]) -> list[str]:
    """S3 lists the keys below one prefix page after page: a large set in nine parts, by the first digit."""
    stem = _stem(set_id, 1).removesuffix("1.")
    if len(numbers) <= PAGE_KEYS:
        return [stem]
    return [f"{stem}{digit}" for digit in sorted({str(number)[0] for number in numbers})]


def _stem(set_id: SetId, number: int) -> str:
    """What the volume's name begins with, and no other's: whatever it is encrypted or compressed by."""
    return volume_file(set_id, number).stem.removesuffix("difftar")


# ---------------------------------------------------------------- as S3 holds them


class VolumeState(Enum):
    """``THAWING``: archived, and S3 makes a copy that can be read. ``READABLE``: by its class, or by such a copy."""

    READABLE = "readable"
    THAWING = "thawing"
    ARCHIVED = "archived"


def state_of(storage_class: str, restore: RestoreState | None, now: datetime) -> VolumeState:
    """The class of an archived object stays what it is while a copy of it can be read."""
    if not needs_thaw(storage_class):
        return VolumeState.READABLE
    if restore is not None and restore.in_progress:
        return VolumeState.THAWING
    if restore is not None and restore.readable_until is not None and now < restore.readable_until:
        return VolumeState.READABLE
    return VolumeState.ARCHIVED


@dataclasses.dataclass(frozen=True, slots=True)
class ListedVolume:
    """A file as a listing with the state of its restore has it."""

    name: str
    size_bytes: int
    storage_class: str
    restore: RestoreState | None = None


@dataclasses.dataclass(frozen=True)
class VolumesFound:
    """``listed`` and ``tallies`` of the volumes that are there, by their state; ``missing`` are not stored.

    ``readable_until`` is when the first of the copies lapses, ``None`` where nothing is read from a copy.
    """

    listed: Mapping[VolumeState, Mapping[SetId, Mapping[int, ListedVolume]]]
    tallies: Mapping[VolumeState, Tallies]
    missing: Volumes
    readable_until: datetime | None = None

    def volumes(self, state: VolumeState) -> Volumes:
        return {set_id: frozenset(numbers) for set_id, numbers in self.listed[state].items()}

    def count(self, state: VolumeState) -> int:
        return sum(tally.count for tally in self.tallies[state].values())

    def among(self, state: VolumeState, volumes: Volumes) -> list[ListedVolume]:
        """Those of ``volumes`` in that state, in the order of their numbers."""
        return [
            found[number]
            for set_id, found in self.listed[state].items()
            for number in sorted(volumes.get(set_id, frozenset()) & found.keys())
        ]

    def copies(self) -> list[ListedVolume]:
        """What can be read only because it was thawed."""
        found = self.listed[VolumeState.READABLE].values()
        return [
            volume for numbers in found for volume in numbers.values() if needs_thaw(volume.storage_class)
        ]


def find_volumes(
    wanted: Volumes, listed: Iterable[ListedVolume], now: datetime, hidden: Collection[SetId] = ()
) -> VolumesFound:
    """Which of the volumes a listing has, and whether they can be read; what else it lists is passed over, and all of
    the sets that are ``hidden``."""
    found: dict[VolumeState, dict[SetId, dict[int, ListedVolume]]] = {state: {} for state in VolumeState}
    left = {set_id: set(numbers) for set_id, numbers in wanted.items()}
    for volume in listed:
        file = parse_file_name(volume.name)
        if file is None or file.kind is not FileKind.VOLUME or not file.is_under_right_prefix:
            continue
        if file.set_id in hidden:
            continue
        number = file.volume or 0
        if number in left.get(file.set_id, ()):  # else another one, or the same with another ending
            left[file.set_id].remove(number)
            state = state_of(volume.storage_class, volume.restore, now)
            found[state].setdefault(file.set_id, {})[number] = volume
    tallies = {state: tallies_of(_each(found[state])) for state in VolumeState}
    missing = {set_id: frozenset(numbers) for set_id, numbers in left.items() if numbers}
    lapse = [
        volume.restore.readable_until
        for volume in _each(found[VolumeState.READABLE])
        if needs_thaw(volume.storage_class) and volume.restore and volume.restore.readable_until
    ]
    return VolumesFound(found, tallies, missing, min(lapse, default=None))


def _each(found: Mapping[SetId, Mapping[int, ListedVolume]]) -> Iterator[ListedVolume]:
    return (volume for numbers in found.values() for volume in numbers.values())


def tallies_of(volumes: Iterable[ListedVolume]) -> Tallies:
    counts, sums = Counter[str](), Counter[str]()
    for volume in volumes:
        counts[volume.storage_class] += 1
        sums[volume.storage_class] += volume.size_bytes
    return {name: Tally(counts[name], sums[name]) for name in counts}


MOST_MISSING_NAMED = 100


def missing_names(missing: Volumes) -> tuple[str, ...]:
    """``<set>.vol<N>``, the first hundred."""
    named: list[str] = []
    for set_id in sorted(missing, key=str):
        for number in sorted(missing[set_id]):
            if len(named) == MOST_MISSING_NAMED:
                return tuple(named)
            named.append(f"{set_id}.vol{number}")
    return tuple(named)
