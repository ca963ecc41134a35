"""What happens to a recovery code; from notices."""

from __future__ import annotations

from chalicelib.domain.audit.codes.code import Code, Concern, Severity

OF_RECOVERIES = (
    Code(
        "recovery_used",
        Concern.MACHINE,
        Severity.CRITICAL,
        "its recovery code was used",
        "Somebody typed the code of a machine's recovery sheet, and can list, download and thaw its backups for thirty "
        "days. They are encrypted: without the passphrase they cannot be read. Nothing can be changed or deleted so.",
        "If you or the machine's owner are restoring, nothing has to be done. If not, somebody has the sheet: end the "
        "code, print a new sheet, and change the passphrase if it was on the paper.",
        is_safety=True,
    ),
    Code(
        "recovery_guessed",
        Concern.MACHINE,
        Severity.WARNING,
        "wrong recovery codes were tried",
        "Ten recovery codes that were not this machine's were typed within an hour, and refused: mistyped ones are not "
        "counted.",
        "Nothing has to be done: a code cannot be guessed. If somebody is trying an old sheet, print a new one.",
    ),
    Code(
        "recovery_made",
        Concern.MACHINE,
        Severity.INFO,
        "a new recovery code was made",
        "The owner's commands made a recovery code for a machine that was there already. An older one is worthless "
        "from then on, and who read by it is refused.",
        "If it was you, put it on paper and throw the old sheet away. If not, somebody may have your AWS credentials: "
        "end the code.",
        is_awaited=True,
    ),
)
