"""What is reported when a set was made."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from dataclasses import dataclass

from panicroom.shown import named
from panicroom.terminal.amounts import clock_text, size_text


@dataclass(frozen=True)
class RunTotals:
    """How a set was made. ``read_again``: files that duplicity found unchanged and that were read all the same;
    ``read_again_changed`` of them had changed. ``skipped`` are files that could not be read, by full path; sockets
    hold nothing that could be stored."""

    job: str
    kind: str
    resumed: bool
    new: int
    changed: int
    deleted: int
    volumes: int
    sent_bytes: int
    seconds: float
    skipped: tuple[str, ...]
    sockets: int
    log_file: str
    read_again: int = 0
    read_again_changed: int = 0

    def lines(self) -> list[str]:
        """Sentences: what was found, what was read again, what was sent, and what was left out."""
        done = "finished" if self.resumed else "done"
        rate = f" at {size_text(self.sent_bytes / self.seconds)}/s" if self.seconds >= 1 else ""
        changes = f"{self.new} new, {self.changed} changed, {self.deleted} deleted"
        volumes = f"{self.volumes} volume{'s' if self.volumes != 1 else ''}"
        sent = f"{size_text(self.sent_bytes)} sent in {clock_text(self.seconds)}{rate}"
        return [
            f"{self.job}: {self.kind} backup {done}: {changes}",
            *self._read_again(),
            f"{self.job}: {volumes}, {sent}",
            f"{self.job}: {self._left_out()}",
        ]

    def _read_again(self) -> list[str]:
        if not self.read_again:
            return []
        return [f"{self.job}: read again: {self.read_again}, changed: {self.read_again_changed}"]

    def _left_out(self) -> str:
        said = []
        if self.skipped:
            said.append(f"{len(self.skipped)} could not be read: {named(self.skipped)}; see {self.log_file}")
        if self.sockets:
            said.append(f"{self.sockets} socket{'s' if self.sockets != 1 else ''} left out")
        return "; ".join(said) or "no files were skipped"
