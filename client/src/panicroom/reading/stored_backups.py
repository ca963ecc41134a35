"""A job's backups as far as they can be read: the listing, the chains in it, and their metadata."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone

from panicroom.api import Api
from panicroom.duplicity_files.signatures import read_signatures
from panicroom.duplicity_files.stored_sets import Chain, StoredChains, StoredSet, all_sets, chains
from panicroom.exit_codes import ExitCode, Problem
from panicroom.reading.history import SetEntries
from panicroom.secrets import token_of
from panicroom.settings import JobSettings, Settings
from panicroom.stored.chain import chain_at
from panicroom.stored.metadata import SIGNATURES, Event, MetadataCache, Part, SetMetadata
from panicroom.stored.origins import OriginReader
from panicroom.stored.times import parse_time


@dataclass
class StoredBackups:
    """The sets of one job but for ``false_sets``, which somebody else made. ``unopened`` fills as sets are read."""

    api: Api
    stored: StoredChains
    cache: MetadataCache
    false_sets: frozenset[str]
    unopened: list[SetMetadata] = field(default_factory=list)

    def chain(self, time: str | None) -> Chain:
        """The chain up to ``time`` as people write it, else up to the newest set. A Problem as ``chain_at`` raises."""
        moment = None if time is None else parse_time(time, datetime.now(timezone.utc))
        return chain_at(self.stored, moment)

    def at_hand(self, chain: Chain, parts: tuple[Part, ...]) -> dict[str, SetMetadata]:
        """The metadata of the chain; a Problem that names the first set of it that cannot be opened."""
        found = self.cache.at_hand(chain.sets, parts)
        self.cache.check_key(found.values())
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
        found = self.cache.at_hand(chosen, SIGNATURES)
        self.cache.check_key(found.values())
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


@contextmanager
def open_backups(
    settings: Settings, job: JobSettings, on_event: Callable[[Event], None] = lambda _event: None
) -> Iterator[StoredBackups]:
    """Asks the service what is stored. Raises ``Problem`` after eight seconds if it cannot be reached; what follows is
    more patient. ``on_event``: see ``MetadataCache``."""
    with Api(settings.url, token_of(settings)) as api:
        listing = api.files(job.job)
        api.outlast_the_network(lambda seconds: on_event({"event": "waiting", "seconds": seconds}))
        false = OriginReader(settings, job.job, api, listing).leave_out_false(all_sets(chains(listing)))
        cache = MetadataCache(settings, job.job, api, on_event)
        yield StoredBackups(api, chains(listing, false), cache, false)
