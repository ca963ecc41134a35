"""What a run's duplicity processes reported, and what the service and the user are sent of it."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from panicroom.backup.local_metadata import StoredMetadata, stored_metadata
from panicroom.duplicity_run.process import Event
from panicroom.exit_codes import EXPLANATIONS, ExitCode
from panicroom.names import parse_name
from panicroom.terminal.run_totals import RunTotals
from panicroom.wire import RunUpdate


@dataclass
class RunTally:
    """Sums over the processes of one run. ``renamed_files`` of its source have another name than in the set before:
    duplicity counts them as deleted and as new."""

    renamed_files: int = 0
    volumes: int = 0
    sealed: str = ""
    sent_bytes: int = 0
    statistics: dict[str, float] = field(default_factory=dict)
    metadata: list[StoredMetadata] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    """Paths that could not be read, and why; in the order in which duplicity came by."""

    def take(self, event: Event) -> None:
        match event["event"]:
            case "sent":
                self.sent_bytes += event["bytes"]
            case "stored":
                parsed = parse_name(event["name"])
                self.volumes += bool(parsed and parsed.kind == "volume")
                if stored := stored_metadata(event):
                    self.metadata.append(stored)
                if parsed and parsed.kind == "manifest":
                    self.sealed = parsed.set
            case "skipped":
                self.skipped[event["path"]] = event["reason"]
            case "statistics":
                self.statistics = {**event["numbers"], "RenamedFiles": self.renamed_files}

    def update(self, exit_code: ExitCode, false_proofs: tuple[str, ...] | None) -> RunUpdate:
        """What the service gets: numbers, and no more of a failure than its kind, since duplicity's messages may name
        files, and their names are encrypted for a reason."""
        return RunUpdate(
            exit_code=int(exit_code),
            volumes=self.volumes,
            uploaded_bytes=self.sent_bytes,
            files_skipped=len(self.skipped),
            message=None if exit_code == ExitCode.DONE else EXPLANATIONS[exit_code],
            statistics=self.statistics or None,
            false_proofs=false_proofs,
        )

    def totals(
        self, job: str, kind: str, *, resumed: bool, seconds: float, sockets: int, log_file: str
    ) -> RunTotals:
        """What the user sees at the end; ``sockets`` were left out."""
        numbers = self.statistics
        return RunTotals(
            job=job,
            kind=kind,
            resumed=resumed,
            new=int(numbers.get("NewFiles", 0)),
            changed=int(numbers.get("ChangedFiles", 0)),
            deleted=int(numbers.get("DeletedFiles", 0)),
            read_again=int(numbers.get("ReadAgainFiles", 0)),
            read_again_changed=int(numbers.get("ReadAgainChangedFiles", 0)),
            volumes=self.volumes,
            sent_bytes=self.sent_bytes,
            seconds=seconds,
            skipped=tuple(self.skipped),
            sockets=sockets,
            log_file=log_file,
        )


def changes_text(statistics: Mapping[str, float]) -> str:
    """``3 new, 1 changed, 0 deleted``, of duplicity's statistics."""
    words = ("NewFiles", "new"), ("ChangedFiles", "changed"), ("DeletedFiles", "deleted")
    return ", ".join(f"{int(statistics.get(key, 0))} {word}" for key, word in words)
