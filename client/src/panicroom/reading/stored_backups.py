"""A job's backups as far as they can be read: the listing, the chains in it, and their metadata."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone

from panicroom.api import Api, ApiError
from panicroom.duplicity_files.signatures import read_signatures
from panicroom.exit_codes import ExitCode, Problem
from panicroom.origin import Origin
from panicroom.reading.history import SetEntries
from panicroom.restore.chain import Chain, StoredChains, StoredSet, chain_at, chains
from panicroom.restore.metadata import MetadataCache, Part, SetMetadata
from panicroom.restore.times import parse_time
from panicroom.secrets import proof_key_of, token_of
from panicroom.settings import JobSettings, Settings
from panicroom.transfer.origins import OriginCheck, OriginMemory, memory_path
from panicroom.wire import ListedFile

_SIGNATURES: tuple[Part, ...] = ("signatures",)


@dataclass
class StoredBackups:
    """The sets of one job but for ``false_sets``, which somebody else made. ``unopened`` fills as sets are read."""

    stored: StoredChains
    cache: MetadataCache
    false_sets: frozenset[str]
    on_received: Callable[[int], None]
    on_expected: Callable[[int], None]
    unopened: list[SetMetadata] = field(default_factory=list)

    def chain(self, time: str | None) -> Chain:
        """The chain up to ``time`` as people write it, else up to the newest set. A Problem as ``chain_at`` raises."""
        moment = None if time is None else parse_time(time, datetime.now(timezone.utc))
        return chain_at(self.stored, moment)

    def at_hand(self, chain: Chain, parts: tuple[Part, ...]) -> dict[str, SetMetadata]:
        """The metadata of the chain; a Problem that names the first set of it that cannot be opened."""
        found = self.cache.at_hand(
            chain.sets, parts, on_received=self.on_received, on_expected=self.on_expected
        )
        for item in found.values():
            if item.unopened:
                raise unopened_problem(item)
        return found

    def copies_here(self) -> dict[str, SetMetadata]:
        """What is here already and proved to be whole, of all sets; nothing is fetched."""
        return self.cache.here(all_sets(self.stored))

    def entries(self, sets: Iterable[StoredSet], *, with_contents: bool = False) -> Iterator[SetEntries]:
        """The entries of the sets that can be opened, one set after the other; the others go to ``unopened``.

        ``with_contents`` gives the signatures of files as well.
        """
        chosen = list(sets)
        found = self.cache.at_hand(
            chosen, _SIGNATURES, on_received=self.on_received, on_expected=self.on_expected
        )
        for item in chosen:
            signatures = found[item.name].signatures
            if signatures is None:
                self.unopened.append(found[item.name])
            else:
                yield SetEntries(
                    item.name,
                    item.end,
                    item.kind,
                    stored_bytes(item),
                    read_signatures(signatures, with_contents=with_contents),
                )


def stored_bytes(item: StoredSet) -> int:
    """What a set takes up in the bucket."""
    files = [*item.volumes.values(), item.manifest, item.signatures]
    return sum(file.size for file in files if file is not None)


def unopened_problem(item: SetMetadata) -> Problem:
    file = item.unopened[0]
    code = ExitCode.TRY_LATER if file.archived else ExitCode.RESTORE_INCOMPLETE
    return Problem(
        f"the set {item.set.name} cannot be opened ({file.reason}); choose a --time before it, and ask the owner of "
        "the service to put it into quarantine",
        code,
    )


def _nothing(_bytes: int) -> None:
    pass


@contextmanager
def open_backups(
    settings: Settings,
    job: JobSettings,
    on_received: Callable[[int], None] = _nothing,
    on_expected: Callable[[int], None] = _nothing,
) -> Iterator[StoredBackups]:
    """Asks the service what is stored. Raises ``Problem`` after eight seconds if it cannot be reached."""
    api = Api(settings.url, token_of(settings))
    try:
        listing = api.files(job.job)
        false = _false_sets(settings, job.job, api, listing)
        yield StoredBackups(
            chains(listing, false),
            MetadataCache(settings, job.job, api),
            false,
            on_received,
            on_expected,
        )
    except ApiError as failure:
        raise failure.as_problem() from None
    finally:
        api.close()


def _false_sets(settings: Settings, job: str, api: Api, listing: list[ListedFile]) -> frozenset[str]:
    """The sets with a false proof of origin, if there is a key that can tell."""
    key = proof_key_of(settings, job)
    if key is None:
        return frozenset()
    check = OriginCheck(api, settings.machine, job, key, OriginMemory.read(memory_path(settings, job)))
    found: dict[str, Origin] = {}
    for chain in chains(listing).chains:
        found |= check.of(listing, {item.name for item in chain.sets})
    if not check.key_is_known:
        return frozenset()
    return frozenset(name for name, origin in found.items() if origin is Origin.FALSE)


def all_sets(stored: StoredChains) -> list[StoredSet]:
    """The sets of all chains, each once, in the order in which they build on each other."""
    return list({item.name: item for chain in stored.chains for item in chain.sets}.values())
