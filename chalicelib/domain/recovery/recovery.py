"""A machine's recovery code, as its hash, and the readers that it was turned into."""

from __future__ import annotations

import dataclasses
import hmac
from datetime import datetime, timedelta

from chalicelib.domain.backups.machines import Machine, sha256_hex
from chalicelib.recovery_code import last_group

READER_LIFE = timedelta(days=30)
"""A laptop of a terabyte is thawed by Bulk in two days and downloaded in some more."""

MAX_READERS = 5
"""Of one code at a time: one more replaces the oldest."""


@dataclasses.dataclass(frozen=True)
class Reader:
    """A token that reads, thaws and drills, and changes nothing. ``address`` is where its code was typed."""

    secret_sha256: str
    made_at: datetime
    until: datetime
    address: str = ""

    def is_live(self, now: datetime) -> bool:
        return now < self.until


@dataclasses.dataclass(frozen=True)
class Recovery:
    """The one recovery code of a machine that counts; the code itself is on paper only.

    ``uses`` counts the readers that were ever made by it. ``thawed_bytes`` are what its readers had thawed without the
    owner's approval, all of them together.
    """

    machine: str
    code_sha256: str
    made_at: datetime
    last_group: str
    readers: tuple[Reader, ...] = ()
    uses: int = 0
    thawed_bytes: int = 0

    def is_of(self, machine: Machine | None) -> bool:
        """False for one of before: the paper of a machine that was removed is worthless for another of its name."""
        return machine is not None and machine.name == self.machine and self.made_at >= machine.created_at

    def live_readers(self, now: datetime) -> tuple[Reader, ...]:
        """Oldest first."""
        return tuple(reader for reader in self.readers if reader.is_live(now))


def new_recovery(machine: str, code: str, now: datetime) -> Recovery:
    """``code`` in its one form."""
    return Recovery(machine, sha256_hex(code), now, last_group(code))


def code_matches(code: str, recovery: Recovery | None, machine: Machine | None) -> bool:
    """Compares in constant time, an unknown machine and one without a code like any other."""
    known = recovery.code_sha256 if recovery is not None and recovery.is_of(machine) else "0" * 64
    return hmac.compare_digest(sha256_hex(code), known)


def reader_with(
    recovery: Recovery | None, machine: Machine | None, secret: str, now: datetime
) -> Reader | None:
    """The live reader whose secret this is. Each is compared in constant time."""
    if recovery is None or not recovery.is_of(machine):
        return None
    return _with_hash(recovery, sha256_hex(secret), now)


def _with_hash(recovery: Recovery, secret_sha256: str, now: datetime) -> Reader | None:
    found = None
    for reader in recovery.live_readers(now):
        if hmac.compare_digest(secret_sha256, reader.secret_sha256):
            found = reader
    return found


def use(recovery: Recovery, secret_sha256: str, address: str, now: datetime) -> tuple[Recovery, Reader]:
    """The reader of that secret, and the code with it. The code is as it was where it made that reader before: the
    answer was lost."""
    known = _with_hash(recovery, secret_sha256, now)
    if known is not None:
        return recovery, known
    reader = Reader(secret_sha256, now, now + READER_LIFE, address)
    kept = recovery.live_readers(now)[-(MAX_READERS - 1) :]
    return dataclasses.replace(recovery, readers=(*kept, reader), uses=recovery.uses + 1), reader
