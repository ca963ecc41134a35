"""What drills can show to be wrong."""

from __future__ import annotations

from chalicelib.domain.audit.codes.code import Code, Concern, Severity

OF_DRILLS = (
    Code(
        "drill_failed",
        Concern.DRILLS,
        Severity.CRITICAL,
        "a drill could not bring files back",
        "A drill restores a few files for real and compares them with what was backed up. Something was lost, came "
        "back wrong, or could not be decrypted. A failure stands until a drill of the job passes.",
        "Run the drill again on that machine, and read what it prints. If it fails again, `panicroom verify` there "
        "says what else is affected; a new full backup has whatever is still on the machine.",
    ),
    Code(
        "drill_overdue",
        Concern.DRILLS,
        Severity.WARNING,
        "no drill has passed for long",
        "Drills are wanted of this job, and none has passed for twice the time between two of them; of a job that has "
        "never been drilled, for that time and 15 days. Nobody knows whether its backups can be restored.",
        "Scheduled backups run a drill when one is due. If the machine's client is too old for that, upgrade it; then "
        "run `panicroom drill` there. If you want no drills: `python -m ops machine set NAME --drill-every never`.",
    ),
)
