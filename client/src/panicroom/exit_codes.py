"""How ``panicroom`` ends: the exit codes, and the one exception that every expected failure becomes."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The documented exit codes; README.md has the same table, and a test compares the two."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    SETTINGS = 10
    ENROLMENT = 11
    NOT_AUTHORIZED = 12
    REFUSED = 13
    UNHEALTHY = 14
    DIFFERENT = 15
    SOURCE = 20
    GPG = 21
    PASSPHRASE = 22
    CLOCK = 23
    TARGET = 24
    NOT_FOUND = 25
    SPACE = 26
    RESTORE_INCOMPLETE = 27
    SMALLER = 28
    HOOK = 29
    DUPLICITY = 30
    DISCARD_REFUSED = 31
    LEASE_LOST = 32
    MANIFEST_GONE = 33
    RENAMED = 34
    ROTTED = 35
    START_AGAIN = 40
    TRY_LATER = 75
    INTERRUPTED = 130


EXPLANATIONS: dict[ExitCode, str] = {
    ExitCode.DONE: "done",
    ExitCode.INTERNAL: "a defect of the client; the log has the details",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.SETTINGS: "the settings are missing or wrong, or this machine is not enrolled",
    ExitCode.ENROLMENT: "the enrolment code or the recovery code was not accepted",
    ExitCode.NOT_AUTHORIZED: "the service does not accept this machine's token",
    ExitCode.REFUSED: "the service refused the request",
    ExitCode.UNHEALTHY: "the doctor found something that keeps backups from working",
    ExitCode.DIFFERENT: "the backup and the source differ",
    ExitCode.SOURCE: "the source folder is missing, empty or unreadable",
    ExitCode.GPG: "gpg is missing or failed",
    ExitCode.PASSPHRASE: "the passphrase is missing or wrong",
    ExitCode.CLOCK: "this machine's clock is wrong",
    ExitCode.TARGET: "the folder to restore to is not empty, or cannot be written",
    ExitCode.NOT_FOUND: "a path or time that was asked for is not in the backup; all else is restored",
    ExitCode.SPACE: "the disk is full",
    ExitCode.RESTORE_INCOMPLETE: "some paths are not restored as backed up; each is named, the others are right",
    ExitCode.SMALLER: "the source has lost half of its files, or more, since the last backup; nothing was stored",
    ExitCode.HOOK: "the command before the backup ([hooks] before) failed; nothing was stored",
    ExitCode.DUPLICITY: "duplicity failed; the last lines of its log are shown",
    ExitCode.DISCARD_REFUSED: "the service refused to discard files; the owner gets a report",
    ExitCode.LEASE_LOST: "another run has taken over this job",
    ExitCode.MANIFEST_GONE: "a finished backup has lost its manifest in the bucket; nothing was changed",
    ExitCode.RENAMED: "a folder of pictures has another name, which would upload it again; nothing was stored",
    ExitCode.ROTTED: "pictures are damaged on the disk; each is named, with what brings it back",
    ExitCode.START_AGAIN: "internal: duplicity has to be started afresh; never seen by people",
    ExitCode.TRY_LATER: "try again later: offline, the job is busy, or files are being thawed",
    ExitCode.INTERRUPTED: "interrupted; the next run carries on from there",
}


class Problem(Exception):
    """An expected failure. ``str(problem)`` is one sentence that says what to do."""

    def __init__(self, message: str, exit_code: ExitCode) -> None:
        super().__init__(message)
        self.exit_code = exit_code
