"""What the client hands to its duplicity process: a ``ChildPlan``, as JSON in an environment variable."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from typing import Any

from panicroom.duplicity_run.source_watch import SourceMark
from panicroom.transfer.journal import MadeVolume

PLAN_VARIABLE = "PANICROOM_CHILD"
TOKEN_VARIABLE = "PANICROOM_TOKEN"  # noqa: S105
PROOF_VARIABLE = "PANICROOM_PROOF_KEY"
"""The key that signs the set, in hex."""

WITHOUT_VARIABLE = "PANICROOM_WITHOUT"
"""Names of speed-ups to leave out, with commas between them: for measuring what each saves."""


def left_out_patches() -> list[str]:
    return os.environ.get(WITHOUT_VARIABLE, "").split(",")


@dataclass(frozen=True)
class ResumePoint:
    """Where a resumed set goes on: the last volume that is kept ends here."""

    set: str
    began_at: float
    open_file: str | None
    open_identity: tuple[int, ...] | None

    @staticmethod
    def after(volume: MadeVolume) -> ResumePoint:
        return ResumePoint(volume.set, volume.began_at, volume.open_file, volume.open_identity)


@dataclass(frozen=True)
class Search:
    """Where an increment searches for changes that duplicity's comparison misses.

    ``since``: seconds since 1970; None stands for the start of the set before, less the margin.
    ``unread_file`` has the set before (a ``CheckedSet``) with the paths that it skipped; too many for a plan.
    ``known_files``: where the files of the set before are, and those of this set go (known_files.py).
    ``leave_out``: paths that this run has found unreadable, relative to the source, in hex. ``read_first``: read each
    file to its end before anything of it is stored.
    """

    since: float | None = None
    change_time: bool = True
    unread_file: str | None = None
    known_files: str | None = None
    leave_out: tuple[str, ...] = ()
    read_first: bool = False

    @staticmethod
    def from_fields(fields: dict[str, Any]) -> Search:
        return Search(**{**fields, "leave_out": tuple(fields["leave_out"])})


@dataclass(frozen=True)
class ChildPlan:
    """No secrets; those are in the environment. ``run`` is None for a command that only reads.

    ``hidden_sets`` are left out of what duplicity sees of the bucket: their proof of origin is false.
    ``restore`` is the path of a ``ChildRestore``.
    """

    url: str
    job: str
    source: str | None = None
    run: str | None = None
    journal: str | None = None
    spool: str | None = None
    upload_threads: int = 4
    max_upload_rate: int | None = None
    speed_up: bool = True
    resume: ResumePoint | None = None
    hidden_sets: tuple[str, ...] = ()
    search: Search | None = None
    mark: SourceMark | None = None
    restore: str | None = None
    events_descriptor: int | None = None
    lock_descriptor: int | None = None

    def to_text(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def from_text(text: str) -> ChildPlan:
        data = json.loads(text)
        if data["search"] is not None:
            data["search"] = Search.from_fields(data["search"])
        if data["resume"] is not None:
            identity = data["resume"]["open_identity"]
            data["resume"]["open_identity"] = None if identity is None else tuple(identity)
            data["resume"] = ResumePoint(**data["resume"])
        data["hidden_sets"] = tuple(data["hidden_sets"])
        if data["mark"] is not None:
            identity, mounts = data["mark"].pop("identity"), data["mark"].pop("mounts")
            mounts = tuple((path, device) for path, device in mounts)
            data["mark"] = SourceMark(**data["mark"], identity=tuple(identity), mounts=mounts)
        return ChildPlan(**data)
