"""Manifests and signatures of sets at hand: local copies that are proved to be whole, and the others fetched.

The bucket is the truth and the cache a convenience: a copy whose digest is not the recorded one is removed and
fetched again. Fetching and decrypting goes on side by side. A set that cannot be opened is reported by its name,
and the others are there all the same.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import gzip
import shutil
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from panicroom.api import Api, ApiError
from panicroom.duplicity_files.copies import CopyRecords, LocalCopy, local_name, place, sha256_of
from panicroom.duplicity_files.decryption import Decryption, NotOpened
from panicroom.duplicity_files.manifest import Manifest, ManifestUnreadable, parse_manifest
from panicroom.duplicity_files.signatures import SignaturesUnreadable, check_head
from panicroom.duplicity_files.stored_sets import StoredSet
from panicroom.duplicity_files.work_folder import work_folder
from panicroom.exit_codes import ExitCode, Problem
from panicroom.names import parse_name, sealed_sets
from panicroom.private_files import private_folder
from panicroom.secrets import older_passphrases_of, passphrase_of
from panicroom.settings import Settings
from panicroom.transfer.downloader import Downloader, NotReadable, Received
from panicroom.transfer.header_facts import knows_facts
from panicroom.transfer.measured_line import MeasuredLine
from panicroom.wire import DownloadPermit, ErrorCode, ListedFile

_AT_ONCE = 16
"""Files being fetched and decrypted: enough to keep four processors busy, or a line with 100 ms of delay."""

_FIRST_FILES = 4
"""The full set's and the first increment's: nobody can have put them before all others."""

Part = Literal["manifest", "signatures"]
MANIFESTS: tuple[Part, ...] = ("manifest",)
SIGNATURES: tuple[Part, ...] = ("signatures",)
BOTH: tuple[Part, ...] = ("manifest", "signatures")

Event = dict[str, Any]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Unopened:
    """A stored file of metadata that cannot be used. ``archived``: it has to be thawed first."""

    name: str
    reason: str
    archived: bool = False
    wrong_key: bool = False


@dataclass(frozen=True)
class SetMetadata:
    """What is at hand of a set, of the parts that were asked for; the paths are of decrypted files.

    ``unopened`` has a file for each part that is not at hand; it is empty if all is well.
    """

    set: StoredSet
    folder: Path
    copies: Mapping[Part, LocalCopy]
    unopened: tuple[Unopened, ...] = ()

    @property
    def signatures(self) -> Path | None:
        copy = self.copies.get("signatures")
        return self.folder / copy.local_name if copy is not None else None

    def manifest(self) -> Manifest | None:
        """The manifest, read and parsed anew with each call."""
        copy = self.copies.get("manifest")
        return parse_manifest((self.folder / copy.local_name).read_bytes()) if copy is not None else None

    def place_in(self, archive: Path) -> None:
        """Puts the copies into a folder that duplicity takes for its own."""
        for copy in self.copies.values():
            place(self.folder / copy.local_name, archive / copy.local_name)


class MetadataCache:
    """The local copies of one job: duplicity's own folder, shared with backups. Safe while a backup runs.

    ``facts``: what the service has said of the files that were fetched, by name. ``line``: how fast they came.
    """

    def __init__(
        self,
        settings: Settings,
        job: str,
        api: Api,
        on_event: Callable[[Event], None] = lambda _event: None,
    ) -> None:
        """``on_event`` gets ``expected`` with the ``bytes`` that have to be fetched, ``received`` and ``waiting``
        as a duplicity process sends them, and ``fetched`` when all have come; nothing where nothing is missing."""
        self.machine, self.job, self._api = settings.machine, job, api
        self._on_event, self._lock = on_event, threading.Lock()
        self.folder = settings.archive(job)
        self._work = settings.job_cache(job)
        self._records = CopyRecords(settings.job_state(job) / "metadata.json")
        self._decryption = Decryption(
            passphrase_of(settings),
            encrypt_key=settings.encrypt_key,
            sign_key=settings.sign_key,
            older=older_passphrases_of(settings),
        )
        self.facts: dict[str, DownloadPermit] = {}
        self.line = MeasuredLine()

    def at_hand(
        self,
        sets: Iterable[StoredSet],
        parts: Collection[Part] = BOTH,
        on_fetching: Callable[[], None] = lambda: None,
    ) -> dict[str, SetMetadata]:
        """The metadata of ``sets`` by their names, fetched where no whole copy is here.

        ``on_fetching`` is called while most of it is fetched, from another thread, when the service has been asked for
        that; not where the key at hand opens none of it. Raises ``Problem`` if the service cannot be reached or the
        disk is full.
        """
        chosen = list(sets)
        wanted = dict(_wanted(chosen, parts))
        known = self._records.read()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            whole = pool.map(lambda file: self._whole(file, known), wanted.values())
            copies = {name: copy for name, copy in zip(wanted, whole, strict=True) if copy is not None}
        missing = [file for name, file in wanted.items() if name not in copies]
        fetched = self._fetch_all(missing, on_fetching, try_key=not copies)
        new = {name: item for name, item in fetched.items() if isinstance(item, LocalCopy)}
        self._records.add(new.values())
        copies.update(new)
        unopened = {name: item for name, item in fetched.items() if isinstance(item, Unopened)}
        return {item.name: self._of_set(item, parts, copies, unopened) for item in chosen}

    def check_key(self, metadata: Iterable[SetMetadata]) -> None:
        """Raises ``Problem`` where nothing of the metadata could be opened, for want of the passphrase or key."""
        if is_other_key(metadata):
            raise self.wrong_key_problem()

    def wrong_key_problem(self) -> Problem:
        return self._decryption.wrong_key_problem()

    def _fetch_all(
        self, files: list[ListedFile], on_fetching: Callable[[], None], *, try_key: bool
    ) -> dict[str, LocalCopy | Unopened]:
        """``try_key``: where the key at hand does not open one of the first files, the others are not fetched."""
        found: dict[str, LocalCopy | Unopened] = {}
        if try_key and len(files) > _FIRST_FILES:
            first = min(files[:_FIRST_FILES], key=lambda file: file.size)
            found = self._fetch([first], self._made_copy)
            failed = found[first.name]
            if isinstance(failed, Unopened) and failed.wrong_key:
                return {file.name: replace(failed, name=file.name) for file in files}
        rest = [file for file in files if file.name not in found]
        if not rest:
            on_fetching()
        return {**found, **self._fetch(rest, self._made_copy, on_fetching)}

    def passphrase_of(self, sets: Iterable[StoredSet]) -> str | None:
        """The passphrase of a chain. Only where this machine had several, its smallest manifest is fetched to try."""
        if self._decryption.older:
            found = self._tried(sets)
            if found is not None and not isinstance(found, Unopened):
                return found
        return self._decryption.passphrase

    def check_opens(self, sets: Iterable[StoredSet]) -> None:
        """Raises ``Problem`` where the passphrase or key at hand does not open the sets: their smallest manifest is
        fetched to try, as the copies here are not encrypted."""
        found = self._tried(sets)
        if isinstance(found, Unopened) and found.wrong_key:
            raise self.wrong_key_problem()

    def _tried(self, sets: Iterable[StoredSet]) -> str | Unopened | None:
        """The passphrase that opens the smallest manifest of the sets; None where there is none, or a key does it."""
        manifests = [item.manifest for item in sets if item.manifest is not None]
        if not manifests:
            return None
        smallest = min(manifests, key=lambda file: file.size)
        return self._fetch([smallest], self._opened_by)[smallest.name]

    def here(self, sets: Iterable[StoredSet]) -> dict[str, SetMetadata]:
        """The whole copies that are here already, by the names of their sets."""
        known = self._records.read()
        found = {}
        for item in sets:
            copies = {
                part: copy
                for part in BOTH
                if (file := _file(item, part)) is not None and (copy := self._whole(file, known)) is not None
            }
            found[item.name] = SetMetadata(item, self.folder, copies)
        return found

    def remove_unproved(self, files: Sequence[ListedFile]) -> None:
        """Removes copies of finished sets that are not whole, or not of what ``files`` lists."""
        known = self._records.read()
        proved = {copy.local_name for file in files if (copy := self._whole(file, known)) is not None}
        sealed = sealed_sets(file.name for file in files)
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            parsed = parse_name(path.name)
            if parsed is None or parsed.partial or parsed.kind not in ("manifest", "signatures"):
                continue
            if parsed.set in sealed and path.name not in proved:
                path.unlink(missing_ok=True)

    def record_made(self, copies: Collection[LocalCopy], listed: Collection[str]) -> None:
        """Records what this computer made and stored; forgets what is not among the names ``listed`` any more."""
        self._records.add(copies, keep={*listed, *(copy.name for copy in copies)})

    def _whole(self, file: ListedFile, known: Mapping[str, LocalCopy]) -> LocalCopy | None:
        copy = known.get(file.name)
        return copy if copy is not None and copy.is_of(file) and copy.is_whole(self.folder) else None

    def _of_set(
        self,
        item: StoredSet,
        parts: Collection[Part],
        copies: Mapping[str, LocalCopy],
        unopened: Mapping[str, Unopened],
    ) -> SetMetadata:
        found: dict[Part, LocalCopy] = {}
        failed = []
        for part in parts:
            file = _file(item, part)
            if file is None:
                failed.append(
                    Unopened(
                        item.name,
                        f"its {part} are not stored" if part == "signatures" else "it has no manifest",
                    )
                )
            elif file.name in copies:
                found[part] = copies[file.name]
            else:
                failed.append(unopened[file.name])
        return SetMetadata(item, self.folder, found, tuple(failed))

    def _fetch(
        self,
        files: list[ListedFile],
        use: Callable[[ListedFile, Path, Received], Result],
        on_fetching: Callable[[], None] = lambda: None,
    ) -> dict[str, Result | Unopened]:
        """Downloads files side by side into a folder that goes away, and has each used there."""
        if not files:
            return {}
        by_name = {file.name: file for file in files}
        self._report("expected", bytes=sum(file.size for file in files))
        try:
            private_folder(self.folder)
            with work_folder(self._work, "metadata") as work, self._downloading(work) as (downloader, pool):
                begun = {
                    name: pool.submit(self._fetch_file, by_name[name], download, work, use)
                    for name, download in downloader.prepare({file.name: file.size for file in files})
                }
                asked = downloader.after_permits(on_fetching)
                found = {name: future.result() for name, future in begun.items()}
                asked.result()
                return found
        except ApiError as failure:
            raise failure.as_problem() from None
        except OSError as error:
            raise Problem(
                f"the cache folder {self.folder} cannot be written: {error.strerror or error}", ExitCode.SPACE
            ) from None
        finally:
            self._report("fetched")

    @contextmanager
    def _downloading(self, work: Path) -> Iterator[tuple[Downloader, ThreadPoolExecutor]]:
        """Ends the downloads where one has failed, or somebody presses Ctrl-C."""
        downloader = Downloader(
            self._api,
            self.job,
            lambda _name: work / "ahead",
            lambda count: self._report("received", bytes=count),
            lambda seconds: self._report("waiting", seconds=seconds),
            self.line,
        )
        pool = ThreadPoolExecutor(_AT_ONCE)
        try:
            yield downloader, pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            downloader.close()

    def _report(self, event: str, **fields: Any) -> None:
        with self._lock:
            self._on_event({"event": event, **fields})

    def _fetch_file(
        self,
        file: ListedFile,
        download: Callable[[Path], Received],
        work: Path,
        use: Callable[[ListedFile, Path, Received], Result],
    ) -> Result | Unopened:
        try:
            received = download(work / file.name)
            _check_digest(work / file.name, received.permit.sha256)
            if knows_facts(received.permit):
                self.facts[file.name] = received.permit
            return use(file, work / file.name, received)
        except NotReadable as archived:
            state = "it is being thawed" if archived.thawing else "it is archived and has to be thawed first"
            return Unopened(file.name, state, archived=True)
        except ApiError as failure:
            if failure.code != ErrorCode.NOT_FOUND:
                raise
            return Unopened(file.name, "it is not stored any more")
        except NotOpened as failure:
            return Unopened(file.name, str(failure), wrong_key=failure.wrong_key)
        except (ManifestUnreadable, SignaturesUnreadable) as failure:
            return Unopened(file.name, str(failure))

    def _opened_by(self, _file: ListedFile, encrypted: Path, _received: Received) -> str | None:
        return self._decryption.decrypt(encrypted, encrypted.with_suffix(".opened"))

    def _made_copy(self, file: ListedFile, encrypted: Path, received: Received) -> LocalCopy:
        packed = self._open(encrypted, encrypted.with_name(f"{file.name}.opened"))
        copy = LocalCopy(
            name=file.name,
            size=encrypted.stat().st_size,
            etag=received.headers.get("etag", "").strip('"') or file.etag,
            local_name=local_name(file.name),
            local_size=packed.stat().st_size,
            local_sha256=sha256_of(packed),
        )
        packed.replace(self.folder / copy.local_name)
        encrypted.unlink()
        return copy

    def _open(self, stored: Path, opened: Path) -> Path:
        """Decrypts, checks that it is what it should be, and packs signatures as duplicity does; where it is then."""
        if stored.suffix == ".gpg":
            self._decryption.decrypt(stored, opened)
        else:
            shutil.copyfile(stored, opened)
        if ".sigtar" not in stored.name:
            parse_manifest(opened.read_bytes())
            return opened
        if stored.suffix == ".gz":
            return opened
        check_head(opened)
        packed = opened.with_suffix(".packed")
        with opened.open("rb") as source, gzip.open(packed, "wb", compresslevel=1) as target:
            shutil.copyfileobj(source, target, 2**20)
        opened.unlink()
        return packed


def is_other_key(metadata: Iterable[SetMetadata]) -> bool:
    """Whether nothing of it could be opened, and some of it for want of the right passphrase or key."""
    found = list(metadata)
    unopened = [file for item in found for file in item.unopened]
    return not any(item.copies for item in found) and any(file.wrong_key for file in unopened)


def _check_digest(path: Path, sha256: str | None) -> None:
    """Whether a download is the file of which S3 has the digest; of a file in parts it has another kind of digest."""
    if sha256 is not None and "-" not in sha256 and sha256_of(path) != sha256:
        raise NotOpened("it is not what S3 has the digest of")


def _wanted(sets: Iterable[StoredSet], parts: Collection[Part]) -> Iterator[tuple[str, ListedFile]]:
    for item in sets:
        for part in parts:
            file = _file(item, part)
            if file is not None:
                yield file.name, file


def _file(item: StoredSet, part: Part) -> ListedFile | None:
    return item.manifest if part == "manifest" else item.signatures
