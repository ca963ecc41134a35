"""What the owner is shown of a job's chains: what becomes of each, when, and what it costs."""

from __future__ import annotations

from datetime import datetime

from chalicelib.domain.backups.machines import Job
from chalicelib.domain.retention.let_go import LetGo
from chalicelib.journeys.describe_machine import format_wire_time
from chalicelib.owner_wire import LetGoRow


def let_go_row(let_go: LetGo, job: Job, now: datetime) -> LetGoRow:
    return LetGoRow(
        let_go.machine,
        let_go.job,
        str(let_go.chain),
        tuple(map(str, let_go.sets)),
        _state(let_go, now),
        format_wire_time(let_go.begun_at),
        format_wire_time(let_go.final_at),
        let_go.size_bytes,
        let_go.files,
        job.location.bucket,
        job.location.prefix,
    )


def _state(let_go: LetGo, now: datetime) -> str:
    if let_go.dropped:
        return "dropping" if let_go.marked_at is None else "gone"
    if let_go.undone_at is not None:
        return "undoing"
    if let_go.marked_at is None:
        return "going"
    return "gone" if now >= let_go.final_at else "hidden"
