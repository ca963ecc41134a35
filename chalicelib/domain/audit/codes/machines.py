"""What a machine, or somebody with its token, has done; from notices."""

from __future__ import annotations

from chalicelib.domain.audit.codes.code import Code, Concern, Severity

OF_MACHINES = (
    Code(
        "discard_refused",
        Concern.MACHINE,
        Severity.CRITICAL,
        "asked to delete finished backups",
        "A machine asked to delete files of finished backups and was refused.",
        "Nothing is lost. If nobody ran 'remove-*' there, somebody may have the machine or its token: "
        "revoke it.",
        is_safety=True,
    ),
    Code(
        "second_run",
        Concern.MACHINE,
        Severity.CRITICAL,
        "a second backup was started while one ran",
        "Two clients with one machine's token want to back up the same job at once; the second was refused.",
        "If there is no second computer with this set-up, somebody may have its token: revoke it.",
        is_safety=True,
    ),
    Code(
        "code_reused",
        Concern.MACHINE,
        Severity.CRITICAL,
        "an enrolment code was used twice",
        "Somebody typed a code that another machine had used already, and was refused.",
        "If it was not you, the code was seen by somebody else: revoke the machine and add it again.",
        is_safety=True,
    ),
    Code(
        "code_retyped",
        Concern.MACHINE,
        Severity.INFO,
        "an enrolment code was typed twice",
        "A code was typed again that had been used from the same network address within the hour. It was refused.",
        "Nothing has to be done if you typed it twice. If not, revoke the machine and add it again.",
    ),
    Code(
        "late_upload",
        Concern.MACHINE,
        Severity.CRITICAL,
        "files were added to a finished backup",
        "A permission from before the seal was used after it. What was added is hidden again, the set is "
        "whole.",
        "If no backup was interrupted, somebody may have this machine's token: revoke it.",
        is_safety=True,
    ),
    Code(
        "after_revocation",
        Concern.MACHINE,
        Severity.CRITICAL,
        "files came after a token was revoked",
        "A URL lives up to 15 minutes, also after the token that it was given to. What came by one since the "
        "revocation is hidden: files of unfinished backups are marked deleted, a backup that was finished so is in "
        "quarantine.",
        "Nothing has to be done; `machine show` lists what is in quarantine. Enrol the machine again when it is yours.",
        is_safety=True,
    ),
    Code(
        "catalogue_differed",
        Concern.MACHINE,
        Severity.WARNING,
        "the catalogue differed from the bucket",
        "The weekly reconcile found differences for which no event had come, and repaired the catalogue.",
        "Events were lost, or somebody changed the bucket by hand. If it comes again, check the dead letters.",
    ),
    Code(
        "storage_cap_reached",
        Concern.MACHINE,
        Severity.WARNING,
        "a machine may store no more",
        "A machine reached its storage cap, and its uploads are refused.",
        "Raise the cap, or find out what fills it.",
    ),
    Code(
        "download_cap_reached",
        Concern.MACHINE,
        Severity.WARNING,
        "a machine may fetch no more today",
        "A machine reached its download cap of the day.",
        "If you are restoring, raise the cap. If you are not, somebody else may be: revoke its token.",
    ),
    Code(
        "over_budget",
        Concern.MACHINE,
        Severity.WARNING,
        "the month will cost more than its budget",
        "The month's forecast is over the budget. No backup is stopped for that.",
        "The weekly mail shows which job grew, and why.",
    ),
    Code(
        "job_added",
        Concern.MACHINE,
        Severity.INFO,
        "new folders of pictures are backed up",
        "A machine has made jobs of folders that are new in a family of photos.",
        "If the folders are yours, nothing has to be done. If not, somebody may have the machine or its token: "
        "revoke it.",
    ),
)
