"""Who made the sets of a restore: those with a false proof of origin are left out, those without one are reported."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from panicroom.api import Api, ApiError
from panicroom.duplicity_files.stored_sets import StoredSet
from panicroom.exit_codes import ExitCode, Problem
from panicroom.names import sealed_sets
from panicroom.origin import Origin
from panicroom.secrets import older_passphrases_of, older_proof_keys_of, proof_key_of
from panicroom.settings import Settings
from panicroom.transfer.origins import NO_FACTS, OriginCheck, OriginMemory, memory_path
from panicroom.wire import DownloadPermit, ListedFile


def quarantine_line(machine: str, job: str, set_name: str) -> str:
    """What the owner types to hide a set from later backups."""
    return f"python -m ops set quarantine {machine} {job} {set_name}"


@dataclass
class SetOrigins:
    """Names of sets. ``false`` were made by somebody else; ``unproven`` carry no proof, or there is no key for it.

    ``key_fits`` is False where the proof key here signed none of them.
    """

    machine: str
    job: str
    false: set[str] = field(default_factory=set)
    unproven: set[str] = field(default_factory=set)
    key_fits: bool = True

    def lines(self) -> Iterator[str]:
        for name in sorted(self.false):
            yield (
                f"The set {name} was not made by this computer and is left out; somebody has this machine's token: ask "
                f"the owner to revoke it and to run: {quarantine_line(self.machine, self.job, name)}"
            )
        if not self.key_fits:
            yield (
                "The proof key here signed none of these sets, so nobody can know who made them; set PROOF_KEY to the "
                "one on the recovery sheet"
            )
        elif self.unproven:
            count = len(self.unproven)
            yield (
                f"{count} set{'s carry' if count != 1 else ' carries'} no proof of origin: made before there were "
                "proofs, or written with AWS keys"
            )


class OriginReader:
    """Checks the sets of chains as they are chosen, after their metadata could be opened."""

    def __init__(self, settings: Settings, job: str, api: Api, listing: Sequence[ListedFile]) -> None:
        self.origins = SetOrigins(settings.machine, job)
        self._listing, self._has_gpg_key = listing, settings.encrypt_key is not None
        self._had_other_passphrases = bool(older_passphrases_of(settings))
        key = proof_key_of(settings, job)
        self._check = None
        if key is not None:
            memory = OriginMemory.read(memory_path(settings, job))
            older_keys = older_proof_keys_of(settings, job)
            self._check = OriginCheck(api, settings.machine, job, key, memory, older_keys)

    def begin(self, sets: Iterable[StoredSet]) -> None:
        """Asks for the manifests of sets that ``has_new_false`` will get, while their signatures are fetched."""
        if self._check is not None:
            self._check.begin(self._listing, _checkable(sets))

    def has_new_false(self, sets: Iterable[StoredSet], facts: Mapping[str, DownloadPermit]) -> bool:
        """Whether one of the sets is false; it is among ``origins`` then, to choose again without it.

        ``facts``: what the service has said of their files already. Raises ``Problem`` where the passphrase cannot be
        that of these sets.
        """
        names = _checkable(sets)
        if self._check is None:
            self.origins.unproven = names
            return False
        has_other_key = self._check.memory.key_check is not None and not self._check.key_is_known
        found = self._ask(self._check, names, facts)
        false = {name for name in names if found.get(name) is Origin.FALSE}
        if false and not self._check.key_is_known and Origin.PROVEN not in found.values():
            if self._has_gpg_key:
                self.origins.unproven, self.origins.key_fits = names, False
                return False
            if has_other_key:
                raise Problem(
                    "this passphrase is not the one of that backup; check the one in PASSPHRASE or in the keyring",
                    ExitCode.PASSPHRASE,
                )
        self.origins.false |= false
        self.origins.unproven = {
            name for name in names if found.get(name, Origin.UNPROVEN) is Origin.UNPROVEN
        }
        return bool(false)

    def leave_out_false(self, sets: Iterable[StoredSet]) -> frozenset[str]:
        """The false ones among the sets, where there is a key that can tell; for commands that only look."""
        names = _checkable(sets)
        if self._check is None:
            return frozenset()
        found = self._ask(self._check, names, NO_FACTS)
        if self._check.key_is_known:
            self.origins.false |= {name for name in names if found.get(name) is Origin.FALSE}
        return frozenset(self.origins.false)

    def _ask(
        self, check: OriginCheck, names: Collection[str], facts: Mapping[str, DownloadPermit]
    ) -> dict[str, Origin]:
        """What was found is stored, so that nobody asks for it again."""
        known = dict(check.memory.sets)
        try:
            found = check.of(self._listing, names, facts)
            if self._has_gpg_key and not check.key_is_known:
                # A new computer has a new proof key: it says nothing unless it fits one set at least.
                check.of(self._listing, sealed_sets(file.name for file in self._listing))
        except ApiError as failure:
            raise failure.as_problem() from None
        # What was fetched was opened with the passphrase of the key.
        is_right = check.key_fits or (facts and not self._has_gpg_key and not self._had_other_passphrases)
        if is_right and check.memory.sets != known:
            check.memory.write()
        return found


def _checkable(sets: Iterable[StoredSet]) -> set[str]:
    """A set that lacks its signatures cannot be checked: it may be this computer's own, and damaged."""
    return {item.name for item in sets if item.signatures is not None}
