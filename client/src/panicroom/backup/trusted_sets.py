"""What a backup may build on: the sets of the bucket without those that somebody else made.

Before duplicity runs, the sets of the newest chain are checked for their proof of origin. One with a false proof is
hidden from duplicity, reported to the service (the owner gets a finding, with the line that puts it into quarantine),
and where it continues the newest trusted set already, the backup is a full one.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from panicroom.api import Api
from panicroom.exit_codes import ExitCode, Problem
from panicroom.names import parse_name, sealed_sets
from panicroom.origin import Origin
from panicroom.settings import Settings
from panicroom.transfer.origins import OriginCheck, OriginMemory, is_in_the_way, memory_path
from panicroom.wire import JobStatus, ListedFile


class TrustedSets:
    """The check of one job for the length of a command. ``false_sets`` holds what ``only_trusted`` has left out."""

    def __init__(
        self,
        settings: Settings,
        api: Api,
        status: JobStatus,
        key: bytes,
        on_line: Callable[[str], None],
    ) -> None:
        self._key_mode = settings.encrypt_key is not None
        self._job, self._on_line = status.job, on_line
        memory = OriginMemory.read(memory_path(settings, status.job))
        memory.saw_proofs_since(status.proofs_since)
        self._check = OriginCheck(api, settings.machine, status.job, key, memory)
        self.key = key
        self.false_sets: frozenset[str] = frozenset()
        self._has_checked = False

    def only_trusted(self, files: Sequence[ListedFile], *, begins_anew: bool) -> list[ListedFile]:
        """``files``, the bucket's listing, without those of sets that were found false.

        ``begins_anew``: a full backup was asked for, and so a new chain, with whatever key. Else a key that fits no
        proof is a Problem.
        """
        memory = self._check.memory
        known = dict(memory.sets)
        origins = self._check.newest_chain(files)
        if not self._check.key_is_known:
            if not begins_anew:
                raise self._other_key()
            origins = {}
        false = {name for name, (_print, origin) in memory.sets.items() if origin is Origin.FALSE}
        false |= {name for name, origin in origins.items() if origin is Origin.FALSE}
        self.false_sets = frozenset(false & sealed_sets(file.name for file in files))
        self._has_checked = True
        memory.forget_others(files)
        memory.write()
        new = origins.keys() - known.keys()
        self._show(new & self.false_sets, _late(files, origins, new, memory.proofs_since))
        return [file for file in files if _set_of(file.name) not in self.false_sets]

    def report(self) -> tuple[str, ...] | None:
        """What the service is sent as ``false_proofs``; None as long as nothing was checked."""
        return tuple(sorted(self.false_sets)) if self._has_checked else None

    def are_in_the_way(self, trusted: Collection[str]) -> bool:
        """Whether no increment can follow the newest of the ``trusted`` sets."""
        return is_in_the_way(self.false_sets, trusted)

    def sealed(self) -> None:
        """A set was sealed with this key: it is the one that counts now."""
        self._check.adopt_key()
        self._check.memory.write()

    def _show(self, false: Collection[str], late: Collection[str]) -> None:
        for name in sorted(false):
            self._on_line(
                f"{self._job}: the set {name} was not made by this computer and is left out; somebody has this "
                "machine's token: ask the owner to revoke it"
            )
        if late:
            sets = "1 set carries" if len(late) == 1 else f"{len(late)} sets carry"
            self._on_line(
                f"{self._job}: {sets} no proof of origin, though stored after the first proof (the first is "
                f"{min(late)}); ask the owner whether it was written with AWS keys"
            )

    def _other_key(self) -> Problem:
        if self._key_mode:
            return Problem(
                "the proof key here is not the one that signed the newest backups; set PROOF_KEY to the one on the "
                "recovery sheet, or begin a new chain: panicroom backup full",
                ExitCode.PASSPHRASE,
            )
        return Problem(
            "this passphrase is not the one of the newest backups; give that one, or begin a new chain with this one: "
            "panicroom backup full",
            ExitCode.PASSPHRASE,
        )


def _late(
    files: Iterable[ListedFile], origins: dict[str, Origin], new: Collection[str], since: str | None
) -> set[str]:
    """The sets without a proof that were stored after the job's first proof."""
    stored_at = {}
    for file in files:
        parsed = parse_name(file.name)
        if parsed is not None and parsed.kind == "manifest":
            stored_at[parsed.set] = file.stored_at
    return {
        name
        for name in new
        if origins[name] is Origin.UNPROVEN and since is not None and stored_at.get(name, "") > since
    }


def _set_of(name: str) -> str | None:
    parsed = parse_name(name)
    return parsed.set if parsed else None
