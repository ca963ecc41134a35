"""What happens to a thaw, from notices, and what can go wrong with one."""

from __future__ import annotations

from chalicelib.domain.audit.codes.code import Code, Concern, Severity

OF_THAWS = (
    Code(
        "thaw_started",
        Concern.MACHINE,
        Severity.INFO,
        "a thaw was started",
        "A machine had archived volumes brought back for a restore, within its budget for thaws. Thaws of five cents "
        "or less are not mailed.",
        "Nothing has to be done if you are restoring. If you are not, somebody may have this machine's token: "
        "revoke it.",
        is_awaited=True,
    ),
    Code(
        "thaw_waiting",
        Concern.MACHINE,
        Severity.WARNING,
        "a restore waits for your approval",
        "A restore needs archived volumes, and the machine may not have them brought back on its own: they cost more "
        "than is left of its budget for thaws this month, or a price is not known, or it would be more than ten "
        "volumes by Expedited this month.",
        "If you are restoring, approve it. If nobody is, somebody may have this machine's token: revoke it.",
        is_awaited=True,
    ),
    Code(
        "thaw_ready",
        Concern.MACHINE,
        Severity.INFO,
        "archived files can be downloaded",
        "All volumes of a thaw can be read, for some days.",
        "On that machine, type the same `panicroom restore` again: it goes on where it stopped.",
        is_awaited=True,
    ),
    Code(
        "thaw_lapsing",
        Concern.MACHINE,
        Severity.WARNING,
        "thawed files will soon be gone again",
        "The copies of a thaw lapse within a day, and not all of them were downloaded. What lapses has to be thawed "
        "and paid for again; the backup itself is not touched.",
        "On that machine, type the same `panicroom restore` again. While it downloads, the copies are kept longer, as "
        "far as the budget for thaws allows.",
        is_awaited=True,
    ),
    Code(
        "thaw_stopped",
        Concern.MACHINE,
        Severity.WARNING,
        "a thaw has ended without its files",
        "A thaw ended before all of its volumes could be downloaded: it was ended, or its copies lapsed.",
        "If the restore is still wanted, type the same `panicroom restore` again on that machine: it plans a new thaw, "
        "and shows the price first.",
        is_awaited=True,
    ),
    Code(
        "thaw_stuck",
        Concern.THAWS,
        Severity.CRITICAL,
        "a thaw does not come to its end",
        "S3 has not been asked for all volumes of a thaw within an hour, or not all of them can be read a day after "
        "the latest time that S3 names for the tier. A restore waits for it.",
        "The service goes on asking each minute. If it stays so, the log of the function `thaw` has the reason; "
        "`doctor` finds a function or a permission that is missing.",
    ),
    Code(
        "thaw_unread",
        Concern.THAWS,
        Severity.WARNING,
        "thawed files were not downloaded",
        "The copies of a thaw lapse within 24 hours, and not all of them were downloaded. What lapses has to be thawed "
        "and paid for again; the backup itself is not touched.",
        "On that machine, type the same `panicroom restore` again. If nobody needs the files any more, nothing has to "
        "be done.",
    ),
)
