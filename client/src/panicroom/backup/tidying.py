"""Makes bucket, journal and duplicity's folder agree before duplicity runs: what resume.py decides is done here."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import gzip
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from panicroom.api import Api, batches
from panicroom.backup.preconditions.lease import HeldLease
from panicroom.backup.resume import Decision, decide
from panicroom.backup.trusted_sets import TrustedSets
from panicroom.exit_codes import ExitCode, Problem
from panicroom.names import parse_name, sealed_sets
from panicroom.transfer.journal import Journal, JournalState, MadeVolume
from panicroom.wire import ErrorCode, ListedFile, RunUpdate

_SEALING_PATIENCE_SECONDS = 900.0
_LOOK_AGAIN_SECONDS = 3.0


@dataclass(frozen=True)
class TidyJob:
    """``remote``: the files of trusted sets in the bucket. ``sealed``: the finished sets among them."""

    decision: Decision
    remote: tuple[ListedFile, ...]
    sealed: frozenset[str]


class Tidying:
    """Of one job. ``has_changed``: whether the file in the middle of which a volume ends is another now;
    ``on_sealed`` is called with the journal and the names of the finished sets before the journal is written anew."""

    def __init__(
        self,
        api: Api,
        job: str,
        source: str,
        archive: Path,
        journal: Journal,
        trust: TrustedSets,
        *,
        has_changed: Callable[[MadeVolume], bool],
        on_sealed: Callable[[JournalState, set[str]], None],
        on_line: Callable[[str], None],
    ) -> None:
        self._api, self._job, self._source, self._archive = api, job, source, archive
        self._journal, self._trust = journal, trust
        self._has_changed, self._on_sealed, self._on_line = has_changed, on_sealed, on_line

    def tidy(self, lease: HeldLease, *, begins_anew: bool) -> TidyJob:
        """A manifest on its way when the run before was killed keeps its set closed for a minute: waits for it.

        Raises ``Problem`` where a finished set has lost its manifest.
        """
        give_up_at = time.monotonic() + _SEALING_PATIENCE_SECONDS
        said = False
        while True:
            remote = self._trust.only_trusted(self._api.files(self._job), begins_anew=begins_anew)
            if self._trust.false_sets:
                update = RunUpdate(false_proofs=self._trust.report())
                self._api.update_run(self._job, lease.run, update)
            sealed = sealed_sets(file.name for file in remote)
            decision = self._decision(remote, sealed)
            if self._apply(decision, lease):
                return TidyJob(decision, tuple(remote), frozenset(sealed))
            if time.monotonic() > give_up_at:
                raise Problem("the last set is still being sealed; try again later", ExitCode.TRY_LATER)
            if not said:
                self._on_line("waiting for the service to close the set before")
                said = True
            time.sleep(_LOOK_AGAIN_SECONDS)

    def local_files(self) -> Mapping[str, int]:
        """duplicity's files of this job and their sizes."""
        if not self._archive.is_dir():
            return {}
        return {path.name: path.stat().st_size for path in self._archive.iterdir() if path.is_file()}

    def _decision(self, remote: list[ListedFile], sealed: set[str]) -> Decision:
        self._remove_spare_files()
        self._reopen_signatures(sealed)
        journal = self._journal.read()
        self._on_sealed(journal, sealed)
        decision = decide(remote, self.local_files(), journal, self._source, self._has_changed)
        if decision.lost:
            raise Problem(
                f"{len(decision.lost)} finished backups have lost their manifest in the bucket, the first is"
                f" {decision.lost[0]}; nothing was changed. Ask the owner to bring it back (an older version"
                " of the file may still be there)",
                ExitCode.MANIFEST_GONE,
            )
        return decision

    def _apply(self, decision: Decision, lease: HeldLease) -> bool:
        """Carries the decision out, the bucket last; False if the set there is just being sealed.

        Each step alone leaves a state from which the next run decides the same or restarts the set.
        """
        for batch in batches(decision.discard):
            refused = self._api.discards(self._job, lease.run, batch).refused
            if any(refusal.error in (ErrorCode.SET_SEALING, ErrorCode.SET_SEALED) for refusal in refused):
                return False
            if refused:
                raise Problem(
                    f"the service keeps {refused[0].name} of an unfinished set: {refused[0].message}",
                    ExitCode.DISCARD_REFUSED,
                )
        if decision.resume is not None:
            for name, size in decision.resume.cut.items():
                os.truncate(self._archive / name, size)
        for name in decision.remove:
            (self._archive / name).unlink(missing_ok=True)
        self._journal.rewrite(decision.journal)
        return True

    def _remove_spare_files(self) -> None:
        """What a killed gpg that an earlier client had started early has left; duplicity would take some for a
        manifest, by their names (``….manifest.gpg.next``)."""
        for name in self.local_files():
            if name.startswith("next-") or name.endswith(".next"):
                (self._archive / name).unlink(missing_ok=True)

    def _reopen_signatures(self, sealed: set[str]) -> None:
        """Undoes duplicity's last step but one where a kill came before the manifest was stored: it had
        packed the set's local signatures already, and a resumed run has to go on writing them."""
        for name in self.local_files():
            parsed = parse_name(name)
            if (
                parsed is None
                or parsed.kind != "signatures"
                or parsed.set in sealed
                or not name.endswith(".sigtar.gz")
            ):
                continue
            packed = self._archive / name
            if packed.with_suffix(".part").exists():
                continue  # killed while packing: the unpacked file is still whole
            fresh = packed.with_suffix(".unpacked")
            with gzip.open(packed, "rb") as source, fresh.open("wb") as target:
                shutil.copyfileobj(source, target)
            fresh.replace(packed.with_suffix(".part"))
            packed.unlink()
