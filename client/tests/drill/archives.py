"""Archives made up: sets with their signatures and manifests, without a byte of content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from hypothesis import strategies as st
from panicroom.drill.choice import DrillVolume
from panicroom.duplicity_files.contents import SetContents
from panicroom.duplicity_files.manifest import PathIndex, VolumeRange
from panicroom.duplicity_files.signatures import SignatureEntry
from panicroom.wire import ListedFile

VOLUME_BYTES = 25 * 2**20


def file_entry(path: str, size_bytes: int | None) -> SignatureEntry:
    """A file, or a folder where there is no size."""
    kind = "folder" if size_bytes is None else "file"
    return SignatureEntry((path.encode(),), kind, 0o644, size_bytes=size_bytes or 0, block_bytes=512)  # type: ignore[arg-type]


def _set(
    name: str, time: int, entries: Sequence[SignatureEntry], volume_of: Mapping[PathIndex, int]
) -> SetContents:
    ranges, stored = {}, {}
    for number in sorted(set(volume_of.values())):
        paths = sorted(path for path, volume in volume_of.items() if volume == number)
        ranges[number] = VolumeRange(number, paths[0], paths[-1], None, None, {})
        stored[number] = ListedFile(
            f"{name}.vol{number}", VOLUME_BYTES, "e", "2026-11-29T00:00:00Z", "STANDARD"
        )
    by_path = {entry.path: entry for entry in entries}
    digests = {path: b"d" for path, entry in by_path.items() if entry.kind == "file"}
    return SetContents(name, time, ranges, stored, by_path, digests)


def chain_of(
    sets: Sequence[Sequence[tuple[str, int | None]]], volume_of: Mapping[str, int]
) -> list[SetContents]:
    """A chain: of each set the paths with their sizes, None for a folder; ``volume_of`` a path is so in all."""
    return [
        _set(
            f"set{number}",
            number,
            [file_entry(path, size) for path, size in paths],
            {(path.encode(),): volume_of[path] for path, _ in paths},
        )
        for number, paths in enumerate(sets)
    ]


@dataclass(frozen=True)
class SyntheticArchive:
    """``chains``, oldest first."""

    chains: tuple[tuple[SetContents, ...], ...]

    @cached_property
    def volume_names(self) -> set[str]:
        return {file.name for chain in self.chains for item in chain for file in item.stored.values()}

    def scopes(self) -> list[list[DrillVolume]]:
        """As ``listing_check.scopes_of`` has them."""
        everything = tuple(item for chain in self.chains for item in chain)
        return [
            [
                DrillVolume(item.name, number, file.name)
                for item in sets
                for number, file in item.stored.items()
            ]
            for sets in (self.chains[-1][-1:], self.chains[0], everything)
        ]

    def contents(self, set_name: str) -> tuple[SetContents, ...]:
        for chain in self.chains:
            for number, item in enumerate(chain, 1):
                if item.name == set_name:
                    return chain[:number]
        raise KeyError(set_name)


@st.composite
def archives(draw: st.DrawFn, most_volumes: int) -> SyntheticArchive:
    """Chains of sets, each of files in some volumes: some over several of them, some folders, some large, and volumes
    in which there is no file at all."""
    left, chains, time = draw(st.integers(1, most_volumes)), [], 0
    while left > 0:
        chain: list[SetContents] = []
        for _set_number in range(draw(st.integers(1, 4))):
            if left <= 0:
                break
            count = draw(st.integers(1, min(left, 5)))
            chain.append(_random_set(draw, f"set{time}", time, count))
            left -= count
            time += 1
        chains.append(tuple(chain))
    return SyntheticArchive(tuple(chains))


def _random_set(draw: st.DrawFn, name: str, time: int, count: int) -> SetContents:
    """Of ``count`` volumes; paths are in the order of the volumes, as duplicity writes them, and of few names, so that
    sets change each other's."""
    names = draw(st.lists(st.integers(0, 30), min_size=count, max_size=count + 6, unique=True).map(sorted))
    ends = sorted(
        draw(st.lists(st.integers(1, len(names) - 1), min_size=count - 1, max_size=count - 1, unique=True))
        if count > 1
        else []
    )
    entries, ranges, stored = {}, {}, {}
    for path in names:
        size = draw(st.sampled_from([None, 0, 512, 2**20, 2**31]))
        entry = file_entry(f"{path:02}", size)
        entries[entry.path] = entry
    for number, (begin, end) in enumerate(zip([0, *ends], [*ends, len(names)], strict=True), 1):
        first = (f"{names[begin]:02}".encode(),)
        # It may end within the file with which the next one begins.
        spans = end < len(names) and draw(st.booleans())
        last = (f"{names[end if spans else end - 1]:02}".encode(),)
        ranges[number] = VolumeRange(number, first, last, None, None, {})
        stored[number] = ListedFile(
            f"{name}.vol{number}", VOLUME_BYTES, "e", "2026-11-29T00:00:00Z", "STANDARD"
        )
    digests = {path: b"d" for path, entry in entries.items() if entry.kind == "file"}
    return SetContents(name, time, ranges, stored, entries, digests)
