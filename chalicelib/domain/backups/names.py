"""Names: of machines and jobs, of keys in the bucket, and of the files that duplicity writes.

The forms are those of duplicity 3.2.1 (its ``file_naming`` module is the oracle in the tests), with the file
prefixes that panicroom sets: ``data_`` for volumes, ``meta_`` for manifests, signatures and jsonstat::

    data_duplicity-full.<T>.vol<N>.difftar[.gpg|.p7m|.gz]
    data_duplicity-inc.<T0>.to.<T1>.vol<N>.difftar[.gpg|.p7m|.gz]
    meta_duplicity-{full.<T>|inc.<T0>.to.<T1>}.manifest[.gpg|.p7m]
    meta_duplicity-full-signatures.<T>.sigtar[.gpg|.p7m|.gz]
    meta_duplicity-new-signatures.<T0>.to.<T1>.sigtar[.gpg|.p7m|.gz]
    meta_duplicity-{full.<T>|inc.<T0>.to.<T1>}.jsonstat[.gpg|.p7m|.gz]
"""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime, timezone
from enum import Enum

VOLUME_PREFIX = "data_"
METADATA_PREFIX = "meta_"
SERVICE_PREFIX = "_service/"
"""Keys of the service's own; no machine can be called so."""

_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")

_TIME = r"[0-9]{8}T[0-9]{6}Z"
_TIME_PARTS = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z")
_FILE = re.compile(
    rf"""
    (?P<prefix> (?:data_|meta_)? )
    duplicity-
    (?:
        (?: full\.(?P<full>{_TIME}) | inc\.(?P<inc_start>{_TIME})\.to\.(?P<inc_end>{_TIME}) )
        \. (?: vol(?P<volume>[1-9][0-9]{{0,7}})\.difftar | (?P<manifest>manifest) | (?P<jsonstat>jsonstat) )
      |
        (?: full-signatures\.(?P<full_sig>{_TIME})
          | new-signatures\.(?P<new_sig_start>{_TIME})\.to\.(?P<new_sig_end>{_TIME}) )
        \. sigtar
    )
    (?P<suffix> (?:\.gpg|\.p7m|\.gz)? )
    """,
    re.VERBOSE,
)


def is_identifier(text: str) -> bool:
    """Whether ``text`` can be the name of a machine or of a job."""
    return _IDENTIFIER.fullmatch(text) is not None


class FileKind(str, Enum):
    VOLUME = "volume"
    MANIFEST = "manifest"
    SIGNATURES = "signatures"
    JSONSTAT = "jsonstat"


@dataclasses.dataclass(frozen=True)
class SetId:
    """Which set of a job: a full backup has no ``start``; an increment goes from ``start`` to ``end``.

    The times are those of the names, by the laptop's clock: they order the sets of a chain, and nothing else. Age goes
    by S3's time.
    """

    start: datetime | None
    end: datetime

    @property
    def kind(self) -> str:
        return "full" if self.start is None else "inc"

    @property
    def is_full(self) -> bool:
        return self.start is None

    def __str__(self) -> str:
        if self.start is None:
            return f"full.{format_time(self.end)}"
        return f"inc.{format_time(self.start)}.to.{format_time(self.end)}"

    @staticmethod
    def parse(text: str) -> SetId:
        """The reverse of ``str``; raises ``ValueError``."""
        kind, _, times = text.partition(".")
        start, separator, end = times.partition(".to.")
        if kind == "full" and not separator:
            return SetId(None, parse_time(start))
        if kind == "inc" and separator:
            return SetId(parse_time(start), parse_time(end))
        raise ValueError(f"{text!r} names no set")


@dataclasses.dataclass(frozen=True)
class BackupFile:
    """A file that duplicity wrote, parsed from its name. ``volume`` counts from 1, for volumes only."""

    set_id: SetId
    kind: FileKind
    volume: int | None = None
    prefix: str = METADATA_PREFIX
    suffix: str = ".gpg"

    @property
    def expected_prefix(self) -> str:
        return VOLUME_PREFIX if self.kind is FileKind.VOLUME else METADATA_PREFIX

    @property
    def is_under_right_prefix(self) -> bool:
        return self.prefix == self.expected_prefix

    @property
    def name(self) -> str:
        return f"{self.stem}{self.suffix}"

    @property
    def stem(self) -> str:
        """The name without the suffix of its encryption or compression."""
        if self.kind is FileKind.SIGNATURES:
            family = "full" if self.set_id.is_full else "new"
            times = str(self.set_id).removeprefix("full.").removeprefix("inc.")
            return f"{self.prefix}duplicity-{family}-signatures.{times}.sigtar"
        ending = f"vol{self.volume}.difftar" if self.kind is FileKind.VOLUME else self.kind.value
        return f"{self.prefix}duplicity-{self.set_id}.{ending}"


def volume_file(set_id: SetId, number: int) -> BackupFile:
    return BackupFile(set_id, FileKind.VOLUME, number, VOLUME_PREFIX)


def manifest_file(set_id: SetId) -> BackupFile:
    return BackupFile(set_id, FileKind.MANIFEST)


def signatures_file(set_id: SetId) -> BackupFile:
    return BackupFile(set_id, FileKind.SIGNATURES)


def parse_file_name(name: str) -> BackupFile | None:
    """What duplicity's file ``name`` is; ``None`` if duplicity, run as panicroom runs it, never wrote it.

    The prefix is returned, not checked: a volume under ``meta_`` is *misplaced*, not a stray.
    """
    match = _FILE.fullmatch(name)
    if match is None:
        return None
    part = match.groupdict()
    start, end = (
        part["inc_start"] or part["new_sig_start"],
        part["inc_end"] or part["new_sig_end"] or part["full"] or part["full_sig"],
    )
    try:
        set_id = SetId(parse_time(start) if start else None, parse_time(end))
    except ValueError:  # February 30th
        return None
    if part["volume"]:
        kind = FileKind.VOLUME
    elif part["manifest"]:
        kind = FileKind.MANIFEST
    elif part["jsonstat"]:
        kind = FileKind.JSONSTAT
    else:
        kind = FileKind.SIGNATURES
    if kind is FileKind.MANIFEST and part["suffix"] == ".gz":
        return None  # duplicity never compresses a manifest by itself
    volume = int(part["volume"]) if part["volume"] else None
    return BackupFile(set_id, kind, volume, part["prefix"], part["suffix"])


def is_manifest(name: str) -> bool:
    file = parse_file_name(name)
    return file is not None and file.kind is FileKind.MANIFEST


def parse_time(text: str) -> datetime:
    """A time as duplicity's names carry it, ``20261122T205000Z``; raises ``ValueError``.

    duplicity knows the years 1901 to 2099, and takes the epoch itself for "no time".
    """
    match = _TIME_PARTS.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time of duplicity's")
    time = datetime(*map(int, match.groups()), tzinfo=timezone.utc)  # type: ignore[arg-type,misc]
    if not 1900 < time.year < 2100 or time.timestamp() == 0:
        raise ValueError(f"duplicity writes no names of {text}")
    return time


def format_time(time: datetime) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ")


@dataclasses.dataclass(frozen=True)
class Location:
    """Where a job keeps its files: ``bucket`` and a key prefix that ends with ``/`` or is empty."""

    bucket: str
    prefix: str

    def key(self, name: str) -> str:
        return f"{self.prefix}{name}"

    def has_file(self, key: str) -> bool:
        """Whether it is one of duplicity's, directly here: of an adopted bucket nothing else is a job's."""
        return key.startswith(self.prefix) and parse_file_name(key.removeprefix(self.prefix)) is not None


def own_location(bucket: str, machine: str, job: str) -> Location:
    """A job's place in the service's own bucket."""
    return Location(bucket, f"{machine}/{job}/")


def prefixes_overlap(prefix: str, other: str) -> bool:
    """Whether a key can have both: one of them begins with the other."""
    return prefix.startswith(other) or other.startswith(prefix)


def split_key(key: str) -> tuple[str, str, str] | None:
    """``(machine, job, file name)`` of a key in the shared bucket; ``None`` if it has not that form."""
    machine, _, rest = key.partition("/")
    job, _, name = rest.partition("/")
    if is_identifier(machine) and is_identifier(job) and name and "/" not in name:
        return machine, job, name
    return None
