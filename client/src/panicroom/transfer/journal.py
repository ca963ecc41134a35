"""What this machine knows of the set that it is writing: the ground on which a killed run is resumed.

One line of JSON an event, appended as it happens. For each volume: what was made (with the lengths of
duplicity's local signature and manifest files at that moment), and what S3 confirmed. duplicity resumes on
the strength of names alone; with this journal a resumed run trusts only volumes that are, by S3's ETag,
the very ones that the local files describe.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panicroom.private_files import write_private
from panicroom.transfer.checked_set import CheckedSet


@dataclass(frozen=True)
class MadeVolume:
    """A volume as duplicity finished it.

    ``signature_bytes``: the local signatures up to here describe volumes 1..``volume`` and no more.
    ``manifest_bytes``: the local manifest up to here describes volumes 1..``volume`` - 1.
    ``began_at``: when the set's first run began, in seconds since 1970: before any file was read.
    ``source``: the folder that is backed up; in another one, the same paths mean other files.
    ``open_file``: the path (hex of its bytes, relative to the source) of which this volume holds
    only the first blocks, with its ``open_identity`` then; None where the volume ends with a whole file.
    """

    name: str
    set: str
    volume: int
    signature_bytes: int
    manifest_bytes: int
    began_at: float
    source: str
    open_file: str | None = None
    open_identity: tuple[int, ...] | None = None


@dataclass(frozen=True)
class StoredFile:
    """A file that S3 confirmed; ``etag`` without quotes. ``sha256`` as S3 has it: of a file in parts,
    ``origin.digest_of_parts``."""

    name: str
    set: str
    size: int
    sha256: str
    etag: str


@dataclass(frozen=True)
class JournalState:
    """The latest word of the journal on each name. ``checked``: the set begun last, if all of it was checked."""

    volumes: dict[str, MadeVolume]
    stored: dict[str, StoredFile]
    checked: CheckedSet | None = None


class _CheckedLines:
    """Takes in the lines ``begun`` and ``skipped``. Those of another set than the one begun last do not count."""

    def __init__(self) -> None:
        self._checked: CheckedSet | None = None
        self._skipped: dict[str, None] = {}

    def take(self, event: dict[str, Any]) -> None:
        if "begun" in event:
            self._begin(CheckedSet.from_fields(event["begun"]))
        elif "skipped" in event and self._checked and self._checked.set == event["skipped"]["set"]:
            self._skipped[bytes.fromhex(event["skipped"]["path"]).hex()] = None

    def _begin(self, begun: CheckedSet) -> None:
        if self._checked is None or self._checked.set != begun.set:
            self._checked, self._skipped = begun, dict.fromkeys(begun.skipped)
        else:  # a set that is resumed was checked by change time only if both runs did
            both = self._checked.change_time and begun.change_time
            self._checked = dataclasses.replace(self._checked, change_time=both)

    def result(self) -> CheckedSet | None:
        return self._checked and dataclasses.replace(self._checked, skipped=tuple(self._skipped))


def _made(fields: dict[str, Any]) -> MadeVolume:
    identity = fields.pop("open_identity", None)
    return MadeVolume(**fields, open_identity=None if identity is None else tuple(identity))


class Journal:
    """The file; safe to append to from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def made(self, volume: MadeVolume) -> None:
        self._append({"made": dataclasses.asdict(volume)})

    def stored(self, file: StoredFile) -> None:
        self._append({"stored": dataclasses.asdict(file)})

    def begun(self, checked: CheckedSet) -> None:
        """A run of the set begins, and checks as ``checked`` says."""
        self._append({"begun": dataclasses.asdict(checked)})

    def skipped(self, set_name: str, path: bytes) -> None:
        """A path, relative to the source, could not be read for the set."""
        self._append({"skipped": {"set": set_name, "path": path.hex()}})

    def read(self) -> JournalState:
        """A volume made again is no longer stored until S3 has confirmed its new bytes."""
        volumes: dict[str, MadeVolume] = {}
        stored: dict[str, StoredFile] = {}
        checked = _CheckedLines()
        try:
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            lines = []
        for line in lines:
            try:
                event = json.loads(line)
                if "made" in event:
                    volume = _made(event["made"])
                    volumes[volume.name] = volume
                    stored.pop(volume.name, None)
                elif "stored" in event:
                    file = StoredFile(**event["stored"])
                    stored[file.name] = file
                else:
                    checked.take(event)
            except (ValueError, TypeError, KeyError):
                continue  # a line torn by a power cut; what it said is then simply not known
        return JournalState(volumes, stored, checked.result())

    def rewrite(self, state: JournalState) -> None:
        """Replaces the journal in one step."""
        events: list[dict[str, Any]] = [{"made": dataclasses.asdict(item)} for item in state.volumes.values()]
        events += [{"stored": dataclasses.asdict(item)} for item in state.stored.values()]
        if state.checked is not None:
            events.append({"begun": dataclasses.asdict(state.checked)})
        write_private(self.path, "".join(json.dumps(event) + "\n" for event in events))

    def forget_volumes(self) -> None:
        """Leaves nothing with which an unfinished set could be resumed; finished sets stay known."""
        self.rewrite(JournalState({}, self.read().stored))

    def _append(self, event: dict[str, Any]) -> None:
        line = (json.dumps(event) + "\n").encode()
        with self._lock:
            # One write, so that a kill leaves a whole line or none; opened each time, since a line a
            # volume is rare and an inherited descriptor would outlive a rewrite.
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                if os.lseek(descriptor, 0, os.SEEK_END) and not self._ends_with_newline():
                    line = b"\n" + line
                os.write(descriptor, line)
            finally:
                os.close(descriptor)

    def _ends_with_newline(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
