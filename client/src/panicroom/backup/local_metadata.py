"""duplicity's local manifests and signatures, made ready before a backup reads them.

duplicity believes what it finds there. A file that a power failure has emptied would end every backup, or leave
changes out of one. So each is checked against its record first; what is missing is fetched with many others at once,
where duplicity fetches one after the other.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from panicroom.api import Api
from panicroom.duplicity_files.copies import LocalCopy, local_name, sha256_of
from panicroom.duplicity_files.stored_sets import chains
from panicroom.exit_codes import ExitCode, Problem
from panicroom.names import parse_name, set_kind, set_start
from panicroom.settings import Settings
from panicroom.stored.metadata import SIGNATURES, MetadataCache, SetMetadata
from panicroom.wire import ListedFile


@dataclass(frozen=True)
class StoredMetadata:
    """A manifest or signatures as this run stored them: name and size of the encrypted file, S3's ETag."""

    name: str
    size: int
    etag: str


class LocalMetadata:
    """The folder of one job, for the length of a backup. ``unopened``: the sets that could not be opened."""

    def __init__(self, settings: Settings, job: str, api: Api, on_line: Callable[[str], None]) -> None:
        self._machine, self._job, self._on_line = settings.machine, job, on_line
        self._cache = MetadataCache(settings, job, api)
        self.unopened: frozenset[str] = frozenset()
        self.blocks_increments = False
        self._listed: list[str] = []

    def make_ready(self, files: Sequence[ListedFile]) -> None:
        """Has whole copies of the newest chain's files, and no others of finished sets.

        A set that cannot be opened is left out, and what builds on it; ``blocks_increments`` then tells whether only
        a full backup can follow.
        """
        self._listed = [file.name for file in files]
        self._cache.remove_unproved(files)
        left_out: set[str] = set()
        while (chain := chains(files, left_out).newest) is not None:
            # Of the manifests, duplicity reads that of the newest set only.
            at_hand = {
                **self._cache.at_hand(chain.sets[:-1], SIGNATURES),
                **self._cache.at_hand(chain.sets[-1:]),
            }
            self._cache.check_key(at_hand.values())
            unopened = [item for item in at_hand.values() if item.unopened]
            if not unopened:
                break
            for item in unopened:
                self._report(item)
            left_out |= {item.set.name for item in unopened}
        if left_out:
            stored = chains(files, left_out)
            left_out |= {item.name for item in stored.orphans}
            end = max((chain.end for chain in stored.chains), default=None)
            self.blocks_increments = any(
                set_kind(name) == "incremental" and set_start(name) == end for name in left_out
            )
        self.unopened = frozenset(left_out)

    def record(self, stored: Iterable[StoredMetadata]) -> None:
        """Records the copies of what this run has made and stored."""
        made = []
        for file in stored:
            path = self._cache.folder / local_name(file.name)
            if path.is_file():
                made.append(
                    LocalCopy(
                        name=file.name,
                        size=file.size,
                        etag=file.etag,
                        local_name=path.name,
                        local_size=path.stat().st_size,
                        local_sha256=sha256_of(path),
                    )
                )
        self._cache.record_made(made, self._listed)

    def _report(self, item: SetMetadata) -> None:
        file = item.unopened[0]
        if file.archived:
            raise Problem(f"{file.name}: {file.reason}; try again later", ExitCode.TRY_LATER)
        self._on_line(
            f"{self._job}: the set {item.set.name} cannot be opened ({file.reason}) and is left out; ask the owner to "
            f"run: python -m ops set quarantine {self._machine} {self._job} {item.set.name}"
        )


def stored_metadata(event: Mapping[str, object]) -> StoredMetadata | None:
    """What an event ``stored`` says of a manifest or of signatures; None for any other file."""
    parsed = parse_name(str(event["name"]))
    if parsed is None or parsed.kind not in ("manifest", "signatures"):
        return None
    return StoredMetadata(str(event["name"]), int(str(event["size"])), str(event["etag"]))
