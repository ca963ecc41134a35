"""What is known of the local copies of manifests and signatures: of which stored file each is, and its digest.

The bucket is the truth: a local copy counts only while it has the digest recorded when it was made or fetched, and
while the bucket lists the very file that it is a copy of. A power failure can leave any file empty or cut.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panicroom.private_files import private_folder, write_private
from panicroom.wire import ListedFile

_CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class LocalCopy:
    """A decrypted file in the cache. ``name``, ``size`` and ``etag`` are of the stored file, as it is encrypted;
    ``local_name``, ``local_size`` and ``local_sha256`` of the copy."""

    name: str
    size: int
    etag: str
    local_name: str
    local_size: int
    local_sha256: str

    def is_of(self, file: ListedFile) -> bool:
        return (self.name, self.size, self.etag) == (file.name, file.size, file.etag)

    def is_whole(self, folder: Path) -> bool:
        """Reads the copy; False also if it is not there."""
        path = folder / self.local_name
        try:
            return path.stat().st_size == self.local_size and sha256_of(path) == self.local_sha256
        except OSError:
            return False


class CopyRecords:
    """The file with a record for each copy, by the name of the stored file. Processes may share it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, LocalCopy]:
        """What is recorded; a file that is missing or damaged records nothing, and all is fetched again."""
        try:
            data = json.loads(self._path.read_text(encoding="utf-8"))
            copies = [_copy(fields) for fields in data["copies"]]
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return {copy.name: copy for copy in copies}

    def add(self, copies: Collection[LocalCopy], keep: Collection[str] | None = None) -> None:
        """Adds records, or replaces those of the same names; drops others than ``keep``, the names listed now."""
        if not copies and keep is None:
            return
        with self._locked():
            known: Mapping[str, LocalCopy] = self.read()
            if keep is not None:
                known = {name: copy for name, copy in known.items() if name in keep}
            merged = {**known, **{copy.name: copy for copy in copies}}
            data = {"copies": [dataclasses.asdict(copy) for copy in merged.values()]}
            write_private(self._path, json.dumps(data) + "\n")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        private_folder(self._path.parent)
        descriptor = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _copy(fields: dict[str, Any]) -> LocalCopy:
    known = {field.name for field in dataclasses.fields(LocalCopy)}
    return LocalCopy(**{name: value for name, value in fields.items() if name in known})


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def local_name(name: str) -> str:
    """What duplicity calls its local copy of a stored manifest or of signatures."""
    bare = name.removesuffix(".gpg").removesuffix(".gz")
    return f"{bare}.gz" if bare.endswith(".sigtar") else bare


def place(source: Path, target: Path) -> None:
    """Links a file, or copies it where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
