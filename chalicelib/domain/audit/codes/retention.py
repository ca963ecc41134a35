"""What can be wrong with letting chains go."""

from __future__ import annotations

from chalicelib.domain.audit.codes.code import Code, Concern, Severity

OF_RETENTION = (
    Code(
        "letgo_stuck",
        Concern.RETENTION,
        Severity.WARNING,
        "an old backup could not be let go",
        "Retention stopped before or in the middle of letting a chain go: the bucket has not what the catalogue says, "
        "or some of its files could not be marked. What is hidden stays hidden; no other chain is touched.",
        "Reconcile the job; the next day's run goes on. If it comes again, the evidence says what S3 answered.",
    ),
    Code(
        "undo_impossible",
        Concern.RETENTION,
        Severity.CRITICAL,
        "a backup that was let go cannot be brought back whole",
        "The owner wanted a chain back that retention had let go, and files of it have been removed for good, or "
        "others stand in their place.",
        "All of it stays hidden. Where other files stand in their place, `ops retention undo` names each with the "
        "command that removes it, and brings the chain back after that. What is gone for good cannot come back: remove "
        "the rest with `ops retention drop`, or leave it to the bucket's rule.",
    ),
)
