"""Volumes as a thaw names them: sets, and ranges of numbers. Pure."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Iterable, Mapping

from panicroom.names import parse_name
from panicroom.wire import ListedFile, ThawRequest, ThawVolumes

ARCHIVE_CLASSES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Storage classes whose files have to be thawed before they can be read. A thaw leaves the class as it is."""

USUAL_LINE_BYTES_A_SECOND = 12_500_000
"""What the service counts with where nobody has measured: 100 Mbit/s."""

FREE_BYTES_A_MONTH = 100 * 2**30
"""What leaves AWS for nothing: a restore of more is priced in any class."""

VolumeNumbers = Mapping[str, frozenset[int]]
"""Numbers of volumes by the name of their set."""


def is_archived(file: ListedFile) -> bool:
    """Whether its class says so; a copy that can be read may be there all the same."""
    return file.storage_class in ARCHIVE_CLASSES


def numbers_by_set(names: Iterable[str]) -> VolumeNumbers:
    """The volumes among ``names``."""
    found: dict[str, set[int]] = {}
    for name in names:
        parsed = parse_name(name)
        if parsed is not None and parsed.volume is not None:
            found.setdefault(parsed.set, set()).add(parsed.volume)
    return {name: frozenset(numbers) for name, numbers in found.items()}


def thaw_request(names: Iterable[str], line_bytes_a_second: int | None = None) -> ThawRequest:
    """The same for the same volumes. ``line_bytes_a_second``: how fast this computer downloads, if that is known."""
    by_set = numbers_by_set(names)
    volumes = tuple(ThawVolumes(name, range_text(by_set[name])) for name in sorted(by_set))
    return ThawRequest(volumes, line_bytes_a_second)


def shared_line(line_bytes_a_second: int | None, share: float) -> int | None:
    """How fast a job downloads that has this share of the line: its copies have to stay for as long as those of all
    take. None as there, for the whole line."""
    if share >= 1:
        return line_bytes_a_second
    return max(1, int((line_bytes_a_second or USUAL_LINE_BYTES_A_SECOND) * share))


def range_text(numbers: Iterable[int]) -> str:
    """``1-3,12``."""
    ranges: list[list[int]] = []
    for number in sorted(set(numbers)):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def numbers_in(text: str) -> frozenset[int]:
    """The reverse of ``range_text``. Raises ``ValueError``."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
