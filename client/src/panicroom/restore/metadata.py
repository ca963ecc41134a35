"""Manifests and signatures of sets at hand: local copies that are proved to be whole, and the others fetched.

The bucket is the truth and the cache a convenience: a copy whose digest is not the recorded one is removed and
fetched again. Fetching and decrypting goes on side by side. A set that cannot be opened is reported by its name,
and the others are there all the same.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from panicroom.api import Api, ApiError
from panicroom.duplicity_files.copies import CopyRecords, LocalCopy, local_name, sha256_of
from panicroom.duplicity_files.decryption import Decryption, NotOpened
from panicroom.duplicity_files.manifest import Manifest, ManifestUnreadable, parse_manifest
from panicroom.duplicity_files.signatures import SignaturesUnreadable, check_head
from panicroom.duplicity_files.work_folder import work_folder
from panicroom.exit_codes import ExitCode, Problem
from panicroom.names import parse_name, sealed_sets
from panicroom.private_files import private_folder
from panicroom.restore.chain import StoredSet
from panicroom.secrets import passphrase_of
from panicroom.settings import Settings
from panicroom.transfer.downloader import Downloader, NotReadable
from panicroom.wire import ErrorCode, ListedFile

_AT_ONCE = 16
"""Files being fetched and decrypted: enough to keep four processors busy, or a line with 100 ms of delay."""

_PROOF_HEADER = "x-amz-meta-proof"

Part = Literal["manifest", "signatures"]


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


class MetadataCache:
    """The local copies of one job: duplicity's own folder, shared with backups. Safe while a backup runs."""

    def __init__(self, settings: Settings, job: str, api: Api) -> None:
        self._job, self._api = job, api
        self.folder = settings.archive(job)
        self._work = settings.job_cache(job)
        self._records = CopyRecords(settings.job_state(job) / "metadata.json")
        self._decryption = Decryption(
            passphrase_of(settings), encrypt_key=settings.encrypt_key, sign_key=settings.sign_key
        )

    def at_hand(
        self,
        sets: Iterable[StoredSet],
        parts: Collection[Part] = ("manifest", "signatures"),
        on_received: Callable[[int], None] = lambda _bytes: None,
        on_expected: Callable[[int], None] = lambda _bytes: None,
    ) -> dict[str, SetMetadata]:
        """The metadata of ``sets`` by their names, fetched where no whole copy is here.

        ``on_expected`` gets the bytes that have to be fetched, before the first is, and 0 when all have come;
        ``on_received`` gets those that come.

        Raises ``Problem`` if the service cannot be reached, the disk is full, or the passphrase opens nothing.
        """
        chosen = list(sets)
        wanted = dict(_wanted(chosen, parts))
        known = self._records.read()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            whole = dict(
                zip(wanted, pool.map(lambda file: self._whole(file, known), wanted.values()), strict=True)
            )
        missing = [wanted[name] for name, copy in whole.items() if copy is None]
        if missing:
            on_expected(sum(file.size for file in missing))
        try:
            fetched = self._fetch(missing, on_received)
        finally:
            if missing:
                on_expected(0)
        copies = {name: copy for name, copy in whole.items() if copy is not None}
        new = {name: item for name, item in fetched.items() if isinstance(item, LocalCopy)}
        self._records.add(new.values())
        unopened = {name: item for name, item in fetched.items() if isinstance(item, Unopened)}
        if unopened and not copies and not new and any(item.wrong_key for item in unopened.values()):
            raise self._decryption.wrong_key_problem()
        copies.update(new)
        return {item.name: self._of_set(item, parts, copies, unopened) for item in chosen}

    def here(self, sets: Iterable[StoredSet]) -> dict[str, SetMetadata]:
        """The whole copies that are here already, by the names of their sets."""
        known = self._records.read()
        found = {}
        for item in sets:
            files: dict[Part, ListedFile | None] = {"manifest": item.manifest, "signatures": item.signatures}
            copies = {
                part: copy
                for part, file in files.items()
                if file is not None and (copy := self._whole(file, known)) is not None
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
        self, files: list[ListedFile], on_received: Callable[[int], None]
    ) -> dict[str, LocalCopy | Unopened]:
        if not files:
            return {}
        by_name = {file.name: file for file in files}
        try:
            private_folder(self.folder)
            with (
                work_folder(self._work, "metadata") as work,
                closing(
                    Downloader(self._api, self._job, lambda _name: work / "ahead", on_received)
                ) as downloader,
                ThreadPoolExecutor(_AT_ONCE) as pool,
            ):
                begun = {
                    name: pool.submit(self._fetch_file, by_name[name], download, work)
                    for name, download in downloader.prepare(list(by_name))
                }
                try:
                    return {name: future.result() for name, future in begun.items()}
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
        except ApiError as failure:
            raise failure.as_problem() from None
        except OSError as error:
            raise Problem(
                f"the cache folder {self.folder} cannot be written: {error.strerror or error}", ExitCode.SPACE
            ) from None

    def _fetch_file(
        self, file: ListedFile, download: Callable[[Path], Mapping[str, str]], work: Path
    ) -> LocalCopy | Unopened:
        encrypted, opened = work / file.name, work / f"{file.name}.opened"
        try:
            headers = download(encrypted)
            packed = self._open(encrypted, opened)
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
        copy = LocalCopy(
            name=file.name,
            size=encrypted.stat().st_size,
            etag=headers.get("etag", "").strip('"') or file.etag,
            sha256=sha256_of(encrypted),
            local_name=local_name(file.name),
            local_size=packed.stat().st_size,
            local_sha256=sha256_of(packed),
            proof=headers.get(_PROOF_HEADER),
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


def _wanted(sets: Iterable[StoredSet], parts: Collection[Part]) -> Iterator[tuple[str, ListedFile]]:
    for item in sets:
        for part in parts:
            file = _file(item, part)
            if file is not None:
                yield file.name, file


def _file(item: StoredSet, part: Part) -> ListedFile | None:
    return item.manifest if part == "manifest" else item.signatures
