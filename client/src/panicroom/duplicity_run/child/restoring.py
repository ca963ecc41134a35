"""Makes duplicity's restore write exactly the planned files, read only the volumes that they need, and name what fails.

What is replaced in duplicity 3.2.1:

- ``dup_main.restore_get_patched_rop_iter`` reads the planned volumes, set by set, whatever duplicity knows of sets: it
  takes them from a spool, where an earlier try may have left them, each opened while the one before it is read, and
  ends the process at one that is damaged. The client then plans without it. duplicity's own ``--ignore-errors`` would
  go on and write a wrong file.
- ``patchdir.difftar2path_iter`` drops all paths but the planned files: the client makes folders, links, pipes and
  devices from the signatures.
- ``patchdir.Write_ROPaths`` writes through ``restore.tree``, which follows no link, and reports each file.
- ``log.Warn`` is watched for the files that could not be put together (``given_up``).
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from panicroom.duplicity_run.child import given_up
from panicroom.duplicity_run.events import Events
from panicroom.duplicity_run.failures import IMPORT_KEY, LACKS_KEY
from panicroom.duplicity_run.plan import ChildPlan
from panicroom.duplicity_run.restore_plan import (
    UNREADABLE_DATA,
    ChildRestore,
    PlannedVolume,
    partial_path,
    to_hex,
)
from panicroom.duplicity_run.speed.patches import report_uses
from panicroom.duplicity_run.speed.session_keys import session_key_of
from panicroom.duplicity_run.speed.volumes_ahead import NAME, VolumesAhead
from panicroom.exit_codes import ExitCode
from panicroom.restored_tree.tree import DataSource, Tree

_CHUNK_BYTES = 2**20
_MOST_READ_BYTES = 512 * 2**20
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


def install(child: ChildPlan, token: str, events: Events) -> Callable[[Any], Any]:
    """Puts it all in; once, before duplicity runs. What makes the backend."""
    assert child.restore is not None
    plan = ChildRestore.read(Path(child.restore))
    _take_over_downloads(plan)
    ahead = VolumesAhead(functools.partial(_fetch_and_open, plan.spool))
    _read_planned_volumes(plan, ahead, events)
    _write_planned_files(plan, events)
    given_up.install(events, functools.partial(_end_on_full_disk, events), begin=f"{UNREADABLE_DATA}: ")

    def make_backend(parsed_url: Any) -> Any:
        from panicroom.duplicity_run.child.planned_backend import PlannedBackend

        return PlannedBackend(
            parsed_url,
            child=child,
            plan=plan,
            token=token,
            events=events,
            at_end=lambda: report_uses({NAME: ahead}),
        )

    return make_backend


def _end_on_full_disk(events: Events, error: BaseException) -> None:
    """Files are written by ``_write``; what else may be full is the disk of the cache."""
    if isinstance(error, OSError) and error.errno in _FULL_DISK:
        raise events.stop(ExitCode.SPACE, "cache")


def _take_over_downloads(plan: ChildRestore) -> None:
    """Downloads that an earlier try has finished and not used; their hashes are checked with all others."""
    for volume in plan.volumes:
        partial = partial_path(plan.spool / volume.name)
        if partial.exists() and partial.stat().st_size == volume.size:
            partial.replace(plan.spool / volume.name)


def _read_planned_volumes(
    plan: ChildRestore, ahead: VolumesAhead[PlannedVolume, Any], events: Events
) -> None:
    from duplicity import config, dup_main, patchdir

    read: list[Path] = []

    def opened(of_set: Sequence[PlannedVolume]) -> Iterator[_Volume]:
        files = ahead.of_set(of_set)
        for volume in of_set:
            _make_room(read)
            try:
                file = next(files)
            except _WrongHash:
                raise _damaged(events, volume.name, "its hash is not the one in the manifest") from None
            on_close = functools.partial(read.append, plan.spool / volume.name)
            yield _Volume(volume.name, file, events, on_close)

    def planned_paths(_collection: Any) -> Any:
        config.backend.pre_process_download_batch([os.fsencode(volume.name) for volume in plan.volumes])
        tars = [patchdir.TarFile_FromFileobjs(opened(of_set)) for of_set in plan.sets]
        return patchdir.tarfiles2rop_iter(tars, ())

    dup_main.restore_get_patched_rop_iter = planned_paths


def _make_room(read: list[Path]) -> None:
    """Removes the oldest volumes that were read to their end, as far as all of them together are too large.

    They are of use only if the restore is killed in the middle of a file that lies over several of them.
    """
    sizes: dict[Path, int] = {}
    for path in read:
        with contextlib.suppress(FileNotFoundError):  # the client removes what nobody needs any more
            sizes[path] = path.stat().st_size
    while sum(sizes.values()) > _MOST_READ_BYTES:
        oldest = next(iter(sizes))
        oldest.unlink(missing_ok=True)
        del sizes[oldest]
    read[:] = sizes


class _WrongHash(Exception):
    """Of a volume that was fetched twice."""


def _fetch_and_open(spool: Path, volume: PlannedVolume) -> Any:
    """In a thread of its own: reports nothing of the volume, as its turn has yet to come."""
    from duplicity import config

    path = spool / volume.name
    _fetch(config.backend, volume, path)
    return _opened(path)


def _fetch(backend: Any, volume: PlannedVolume, path: Path) -> None:
    """Puts the volume into the spool, unless it is there; twice if its hash is wrong the first time."""
    from duplicity import path as duplicity_path

    for _attempt in range(2):
        if not path.exists():
            partial = partial_path(path)
            backend.get(os.fsencode(volume.name), duplicity_path.Path(os.fsencode(partial)))
            partial.replace(path)
        if volume.hash is None or _hash_of(path, volume.hash[0]) == volume.hash[1]:
            return
        path.unlink()
    raise _WrongHash(volume.name)


def _hash_of(path: Path, algorithm: str) -> str:
    found = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            found.update(chunk)
    return found.hexdigest()


def _opened(path: Path) -> Any:
    """The volume decrypted, as duplicity opens it; with its check of signatures if there is a key to sign with."""
    from duplicity import config, dup_main, dup_temp, file_naming
    from duplicity import path as duplicity_path

    parsed = file_naming.parse(os.fsencode(path.name))
    with session_key_of(path):
        file = dup_temp.FileobjHooked(
            duplicity_path.DupPath(os.fsencode(path), parseresults=parsed).filtered_open("rb")
        )
    if parsed.encrypted and config.gpg_profile.sign_key:
        dup_main.restore_add_sig_check(file)
    return file


class _Volume:
    """A volume's plaintext. Whatever goes wrong with it is reported with its name, and ends the process."""

    def __init__(self, name: str, file: Any, events: Events, on_close: Callable[[], None]) -> None:
        self.name, self._file, self._events, self._on_close = name, file, events, on_close

    def read(self, length: int = -1) -> Any:
        return self._watched(self._file.read, length)

    def seek(self, offset: int) -> Any:
        return self._watched(self._file.seek, offset)

    def close(self) -> Any:
        closed = self._watched(self._file.close)
        self._on_close()
        return closed

    def tell(self) -> Any:
        return self._file.tell()

    def _watched(self, call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except Exception as error:
            text = str(error)
            if "No space left" in text or getattr(error, "errno", None) in _FULL_DISK:
                raise self._events.stop(ExitCode.SPACE, "cache") from None
            if LACKS_KEY in text:
                raise self._events.stop(ExitCode.PASSPHRASE, IMPORT_KEY) from None
            raise _damaged(self._events, self.name, "gpg cannot decrypt it") from None


def _damaged(events: Events, name: str, reason: str) -> SystemExit:
    events.send("damaged", name=name, reason=reason)
    return events.stop(ExitCode.START_AGAIN, f"{name} is damaged: {reason}")


def _write_planned_files(plan: ChildRestore, events: Events) -> None:
    from duplicity import patchdir

    paths_of = patchdir.difftar2path_iter

    def planned_only(tar: Any) -> Iterator[Any]:
        try:
            yield from (found for found in paths_of(tar) if found.index in plan.files)
        except Exception as error:  # gpg has opened it, and it is no tar of duplicity's
            raise _damaged(events, tar.current_fp.name, f"it is not readable: {error}") from None

    def write(_base: Any, found_paths: Any) -> int:
        tree = Tree(plan.tree)
        for number, found in enumerate(found_paths):
            if not number:  # a volume could be read
                _make_root(tree, events)
            if found.isreg():
                _write(tree, found, events)
        tree.close()
        return 1  # duplicity takes 0 for "nothing found"; the client has its own account

    patchdir.difftar2path_iter = planned_only
    patchdir.Write_ROPaths = write


def _make_root(tree: Tree, events: Events) -> None:
    try:
        tree.make_folder(())
    except OSError as error:
        raise events.stop(ExitCode.TARGET, f"{tree.root} cannot be made: {error.strerror}") from None


def _write(tree: Tree, found: Any, events: Events) -> None:
    path = to_hex(found.index)
    try:
        with _closing(found.open("rb")) as source:
            tree.make_file(found.index, source)
    except FileExistsError:
        events.send("unwritten", path=path, reason="a file of that name is there")
    except _UnreadableData as error:
        events.send("unwritten", path=path, reason=str(error))
    except OSError as error:
        if error.errno in _FULL_DISK:
            raise events.stop(ExitCode.SPACE, "target") from None
        events.send("unwritten", path=path, reason=error.strerror or str(error))
    else:
        events.send("written", path=path)


class _UnreadableData(Exception):
    """The data of a file cannot be put together: no failure of the target."""


class _closing:  # noqa: N801
    """A file's data as duplicity gives it; whatever goes wrong with reading is ``_UnreadableData``."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __enter__(self) -> DataSource:
        return self

    def __exit__(self, kind: object, *_more: object) -> None:
        try:
            self._file.close()
        except Exception as error:
            if kind is None:  # else it must not take the place of what ends the process at a damaged volume
                raise _UnreadableData(f"{UNREADABLE_DATA}: {error}") from None

    def read(self, length: int) -> bytes:
        try:
            return bytes(self._file.read(length))
        except Exception as error:
            raise _UnreadableData(f"{UNREADABLE_DATA}: {error}") from None
