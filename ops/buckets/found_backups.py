"""What duplicity has stored in a bucket, counted before it is adopted: by folder and by the form of names."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from chalicelib.adapters.s3_buckets import Buckets
from chalicelib.domain.backups.foreign_names import NameForm, form_of
from chalicelib.domain.backups.names import Location, SetId, is_manifest, parse_file_name
from chalicelib.domain.mail.phrases import count, format_bytes
from ops.errors import OpsError

CHAINS_SHOWN = 10
"""The newest ones; somebody who makes a full backup each month has 36 of them after three years."""

MOST_KEYS = 1_000_000
"""A thousand requests, half a cent: enough for 25 TB in volumes of 25 MB."""


@dataclasses.dataclass
class FoundBackups:
    """The backups in one folder of a bucket."""

    forms: Counter[NameForm] = dataclasses.field(default_factory=Counter)
    sets: set[SetId] = dataclasses.field(default_factory=set)
    size_bytes: int = 0

    @property
    def can_be_continued(self) -> bool:
        return self.forms[NameForm.PREFIXED] > 0

    @property
    def sentence(self) -> str:
        """``3 full and 5 incremental backups (2024-02-01 to 2026-11-28, 156.2 MB)``"""
        fulls = sum(set_id.is_full for set_id in self.sets)
        ends = sorted(set_id.end for set_id in self.sets)
        dates = f"{ends[0]:%Y-%m-%d} to {ends[-1]:%Y-%m-%d}, " if ends else ""
        kinds = f"{fulls} full and {len(self.sets) - fulls} incremental backups"
        return f"{kinds} ({dates}{format_bytes(self.size_bytes)})"

    @property
    def chains(self) -> list[str]:
        """A line each, newest first: ``full backup of 2026-11-01, 2 increments until 2026-11-28``."""
        lines = [_chain_line(full, self._increments_of(full)) for full in self._fulls()]
        left_out = len(lines) - CHAINS_SHOWN
        return lines[:CHAINS_SHOWN] + ([f"and {count(left_out, 'older chain')}"] if left_out > 0 else [])

    def _fulls(self) -> list[SetId]:
        return sorted(
            (backup_set for backup_set in self.sets if backup_set.is_full),
            key=lambda one: one.end,
            reverse=True,
        )

    def _increments_of(self, full: SetId) -> list[SetId]:
        """Those that go on from it, one after the other, by the times in their names."""
        after = {
            backup_set.start: backup_set
            for backup_set in self.sets
            if backup_set.start is not None and backup_set.end > backup_set.start
        }
        chain, end = [], full.end
        while end in after:
            chain.append(after[end])
            end = chain[-1].end
        return chain


def _chain_line(full: SetId, increments: Sequence[SetId]) -> str:
    line = f"full backup of {full.end:%Y-%m-%d}"
    if not increments:
        return line
    return f"{line}, {count(len(increments), 'increment')} until {increments[-1].end:%Y-%m-%d}"


def count_backups(objects: Iterable[tuple[str, int]]) -> dict[str, FoundBackups]:
    """By folder, ``""`` or with its slash at the end; ``objects`` are keys and sizes in bytes."""
    found: dict[str, FoundBackups] = {}
    for key, size in objects:
        form = form_of(key)
        if form is None:
            continue
        folder, slash, name = key.rpartition("/")
        of_folder = found.setdefault(folder + slash, FoundBackups())
        of_folder.forms[form] += 1
        of_folder.size_bytes += size
        file = parse_file_name(name)
        if file is not None and is_manifest(name):
            of_folder.sets.add(file.set_id)
    return found


def backups_to_adopt(s3: Any, bucket: str, prefix: str, *, may_be_empty: bool = False) -> list[str]:
    """Lines about what is at the place that is to be adopted. Raises ``OpsError`` with the reason where nothing there
    can be continued, and with the prefix that was probably meant. ``may_be_empty``: a new backup is to begin there."""
    found = _backups_below(s3, bucket, prefix)
    here = found.get("", FoundBackups())
    place = f"s3://{bucket}/{prefix}"
    others = [
        f"{count(number, 'backup file')} {form.value}"
        for form, number in here.forms.items()
        if form is not NameForm.PREFIXED
    ]
    if here.can_be_continued:
        left = [f"Not managed by the service, and left as they are: {line}." for line in others]
        return [f"Found {here.sentence} in {place}.", *(f"  - {line}" for line in here.chains), *left]
    if others:
        raise OpsError(
            f"{place} has {', '.join(others)}. panicroom cannot continue such a chain: it needs the prefixes data_ and"
            " meta_ from the first full backup on. Leave it as it is: plain duplicity restores it. Add the machine"
            " without --bucket, or with an empty prefix and --empty, to begin a new chain."
        )
    elsewhere = {} if may_be_empty else (_backups_below(s3, bucket, "") if prefix else found)
    if elsewhere:
        meant = shlex.quote(_probable_prefix(prefix, list(elsewhere)))
        also = ", ".join(repr(folder) for folder in sorted(elsewhere)[:5])
        raise OpsError(
            f"No backup was found in {place}. Did you mean --prefix {meant}? Backups are below: {also}."
            " To begin a new backup at the prefix that you gave, add --empty."
        )
    return [f"No backup was found in {place}: the first one there will be a full backup."]


def _backups_below(s3: Any, bucket: str, prefix: str) -> dict[str, FoundBackups]:
    files = itertools.islice(Buckets(s3).list_files(Location(bucket, prefix)), MOST_KEYS)
    return count_backups((file.name, file.size) for file in files)


def _probable_prefix(prefix: str, folders: Sequence[str]) -> str:
    """``laptop`` and ``/Laptop/`` mean ``laptop/``."""
    by_letters = {folder.casefold().strip("/"): folder for folder in folders}
    close = difflib.get_close_matches(prefix.casefold().strip("/"), list(by_letters), 1, cutoff=0.0)
    return by_letters[close[0]] if close else folders[0]
