"""Which of a job's sets this machine made: proofs of origin, from the service's answers about stored files.

Nothing is downloaded, and no quota counts: the service answers with S3's digest of a file, and of a manifest with the
proof. What was found once is stored (``OriginMemory``), since a sealed set never changes: a backup asks about the
newest set only.

A restore calls ``OriginCheck.of(files, sets)`` with the sets that it wants to read, leaves out those that are
``Origin.FALSE``, and chooses again. A backup calls ``OriginCheck.newest_chain(files)``.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from panicroom.api import Api, ApiError, batches
from panicroom.duplicity_files.stored_sets import chains
from panicroom.names import parse_name, sealed_sets, set_kind, set_time
from panicroom.origin import Origin, SetEvidence, key_check, origin_of
from panicroom.private_files import write_private
from panicroom.settings import Settings
from panicroom.wire import DownloadPermit, ErrorCode, ListedFile

NO_FACTS: Mapping[str, DownloadPermit] = MappingProxyType({})
_METADATA = ("manifest", "signatures")
_REQUESTS_AT_ONCE = 4
_REQUESTS_BESIDE_DOWNLOADS = 1
"""The answers are there before the files are, and no further Lambda function has to start for them."""


def facts_of(
    api: Api, job: str, names: Sequence[str], requests_at_once: int = _REQUESTS_AT_ONCE
) -> dict[str, DownloadPermit]:
    """What the service knows of the files, by name. Raises ``ApiError``."""
    with ThreadPoolExecutor(requests_at_once) as pool:
        answers = pool.map(lambda batch: api.downloads(job, batch, facts_only=True), batches(names))
        return {permit.name: permit for answer in answers for permit in answer.files}


class _FactsAsked:
    """``facts_of`` in a thread of its own, for whoever asks for the answer later, or never."""

    def __init__(self, api: Api, job: str, names: Sequence[str]) -> None:
        self._answer: Future[dict[str, DownloadPermit]] = Future()
        threading.Thread(target=self._work, args=(api, job, names), name="facts", daemon=True).start()

    def answer(self) -> dict[str, DownloadPermit]:
        """Raises ``ApiError``."""
        return self._answer.result()

    def _work(self, api: Api, job: str, names: Sequence[str]) -> None:
        try:
            self._answer.set_result(facts_of(api, job, names, _REQUESTS_BESIDE_DOWNLOADS))
        except BaseException as failure:  # it belongs to whoever waits
            self._answer.set_exception(failure)


def _origins(
    metadata: Mapping[str, Sequence[str]],
    permits: Mapping[str, DownloadPermit],
    evaluate: Callable[[SetEvidence | None, str | None], Origin],
) -> dict[str, Origin]:
    """The origin of each set of ``metadata``; a set that has been taken away since is left out.

    Raises ``ApiError``: where a set cannot be checked, nothing may be built on it.
    """
    origins = {}
    for set_name, of_set in metadata.items():
        answered = [permits[name] for name in of_set if name in permits]
        if len(answered) == len(of_set) and not any(_is_gone(permit) for permit in answered):
            origins[set_name] = evaluate(*_evidence_of(set_name, answered))
    return origins


def _is_gone(permit: DownloadPermit) -> bool:
    if permit.error is None or permit.error == ErrorCode.NOT_FOUND:
        return permit.error is not None
    raise ApiError(permit.error, permit.message or permit.error)


def _evidence_of(set_name: str, permits: Iterable[DownloadPermit]) -> tuple[SetEvidence | None, str | None]:
    """What a proof covers, or None where the set lacks some of it; and the proof that the manifest carries."""
    by_kind: dict[str, list[DownloadPermit]] = defaultdict(list)
    for permit in permits:
        parsed = parse_name(permit.name)
        assert parsed is not None
        by_kind[parsed.kind].append(permit)
    manifest = by_kind["manifest"][0]
    signatures = tuple(permit.sha256 for permit in by_kind["signatures"] if permit.sha256 is not None)
    complete = bool(signatures) and len(signatures) == len(by_kind["signatures"])
    if manifest.sha256 is None or manifest.volumes is None or not complete:
        return None, manifest.proof
    return SetEvidence(set_name, manifest.volumes, manifest.sha256, signatures), manifest.proof


def _metadata_names(
    files: Iterable[ListedFile], sets: Collection[str], kinds: Collection[str] = _METADATA
) -> dict[str, list[str]]:
    """The manifest and signature files of each set."""
    names: dict[str, list[str]] = defaultdict(list)
    for file in files:
        parsed = parse_name(file.name)
        if parsed is not None and parsed.set in sets and parsed.kind in kinds:
            names[parsed.set].append(file.name)
    return names


def is_in_the_way(false_sets: Iterable[str], trusted_sets: Collection[str]) -> bool:
    """Whether a false set already continues the newest trusted one: the service takes no second increment there."""
    newest = max(trusted_sets, key=set_time, default=None)
    if newest is None:
        return False
    return any(set_kind(name) != "full" and _times(name)[0] == _times(newest)[1] for name in false_sets)


def _times(set_name: str) -> tuple[str, str]:
    """Start and end as the name has them; a full set starts where it ends."""
    times = set_name.partition(".")[2].split(".to.")
    return times[0], times[-1]


@dataclass
class OriginMemory:
    """``origins.json`` of a job: the origin of each set by the files that it was found with.

    ``proofs_since`` is the earliest that the service has ever given: a service that lost its table must not make a set
    without a proof look older than the first proof. ``key_check`` tells whether the key is the one of then.
    """

    path: Path
    key_check: str | None = None
    proofs_since: str | None = None
    sets: dict[str, tuple[str, Origin]] = field(default_factory=dict)

    @staticmethod
    def read(path: Path) -> OriginMemory:
        """What is stored; nothing where the file is missing or damaged: everything is then checked anew."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            sets = {name: (found[0], Origin(found[1])) for name, found in data["sets"].items()}
            return OriginMemory(path, data["key_check"], data["proofs_since"], sets)
        except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
            return OriginMemory(path)

    def write(self) -> None:
        data = {"key_check": self.key_check, "proofs_since": self.proofs_since, "sets": self.sets}
        write_private(self.path, json.dumps(data) + "\n")

    def saw_proofs_since(self, time: str | None) -> None:
        """``time`` is ISO 8601 in UTC, so that texts sort as times do."""
        self.proofs_since = min(filter(None, (self.proofs_since, time)), default=None)

    def forget_others(self, files: Iterable[ListedFile]) -> None:
        """Drops results about sets that are not stored any more."""
        there = sealed_sets(file.name for file in files)
        self.sets = {name: found for name, found in self.sets.items() if name in there}


class OriginCheck:
    """Checks sets of one job with its key, and asks the service about those only that were never checked.

    Results are stored once the key is known to be right: a set is proven by it, or no set has a proof yet. Until then
    a false proof may as well mean a mistyped passphrase. ``older_keys``: those of passphrases before, which sets of
    older chains may be signed with; made only where they are needed.
    """

    def __init__(
        self,
        api: Api,
        machine: str,
        job: str,
        key: bytes,
        memory: OriginMemory,
        older_keys: Iterable[bytes] = (),
    ) -> None:
        self._api, self._machine, self._job, self._key = api, machine, job, key
        self._keys_to_make = older_keys
        self.memory = memory
        self._asked: _FactsAsked | None = None
        self.key_fits = False
        """Whether a set was found that the key has signed."""

    @property
    def key_is_known(self) -> bool:
        return self.memory.key_check == key_check(self._key)

    def adopt_key(self) -> None:
        """From now on this key counts; results of another are dropped."""
        if not self.key_is_known:
            self.memory.key_check = key_check(self._key)
            self.memory.sets.clear()

    def of(
        self,
        files: Sequence[ListedFile],
        sets: Collection[str],
        facts: Mapping[str, DownloadPermit] = NO_FACTS,
    ) -> dict[str, Origin]:
        """The origin of each of ``sets``, sealed sets in the listing ``files``, from memory where that is possible.

        ``facts``: what the service has said of some of their files already. A set that has been taken away since is
        left out. Raises ``ApiError``: where a set cannot be checked, nothing may be built on it.
        """
        prints = _fingerprints(files, sets)
        known = self._known(prints)
        metadata = _metadata_names(files, prints.keys() - known.keys())
        at_hand = {**(self._asked.answer() if self._asked else {}), **facts}
        names = [name for of_set in metadata.values() for name in of_set if name not in at_hand]
        found = _origins(metadata, {**at_hand, **facts_of(self._api, self._job, names)}, self._origin_of)
        is_new = self.memory.key_check is None
        if self.key_fits or (is_new and set(found.values()) == {Origin.UNPROVEN}):
            self.adopt_key()
        if self.key_is_known:
            self.memory.sets.update({name: (prints[name], origin) for name, origin in found.items()})
        return known | found

    def begin(self, files: Sequence[ListedFile], sets: Collection[str]) -> None:
        """Asks for the manifests of those that ``of`` will be asked for, while something else is done."""
        prints = _fingerprints(files, sets)
        metadata = _metadata_names(files, prints.keys() - self._known(prints).keys(), kinds=("manifest",))
        manifests = [name for of_set in metadata.values() for name in of_set]
        self._asked = _FactsAsked(self._api, self._job, manifests) if manifests else None

    def _known(self, prints: Mapping[str, str]) -> dict[str, Origin]:
        """What is remembered of sets whose files are those of then."""
        if not self.key_is_known:
            return {}
        stored = self.memory.sets
        return {
            name: stored[name][1] for name in prints if name in stored and stored[name][0] == prints[name]
        }

    def _origin_of(self, evidence: SetEvidence | None, proof: str | None) -> Origin:
        origin = origin_of(self._key, self._machine, self._job, evidence, proof)
        self.key_fits |= origin is Origin.PROVEN
        if origin is not Origin.FALSE or evidence is None:
            return origin
        older = (origin_of(key, self._machine, self._job, evidence, proof) for key in self._older_keys)
        return Origin.PROVEN if Origin.PROVEN in older else Origin.FALSE

    @cached_property
    def _older_keys(self) -> list[bytes]:
        return list(self._keys_to_make)

    def newest_chain(self, files: Sequence[ListedFile]) -> dict[str, Origin]:
        """The origin of the sets of the newest chain without a false set, and of the false ones that lie above it.

        Where ``key_is_known`` is False afterwards, no proof fits the key: a wrong one explains that better than a
        thief does.
        """
        origins: dict[str, Origin] = {}
        left_out: set[str] = set()
        while family := chains(files, left_out).newest_family:
            names = {item.name for item in family}
            origins |= self.of(files, names)
            false = {name for name in names if origins.get(name) is Origin.FALSE}
            if not false:
                break
            left_out |= false
        if self.memory.key_check is None and not sealed_sets(file.name for file in files):
            self.adopt_key()
        return origins


def _fingerprints(files: Iterable[ListedFile], sets: Collection[str]) -> Mapping[str, str]:
    """Tells for each sealed set whether its manifest or signatures are the files of before."""
    facts: dict[str, list[str]] = {name: [] for name in sets}
    for file in files:
        parsed = parse_name(file.name)
        if parsed is not None and parsed.set in facts and parsed.kind in _METADATA:
            facts[parsed.set].append(f"{file.name} {file.size} {file.etag} {file.stored_at}")
    return {
        name: hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest() for name, lines in facts.items()
    }


def memory_path(settings: Settings, job: str) -> Path:
    """Where the origins of a job's sets are remembered."""
    return settings.job_state(job) / "origins.json"
