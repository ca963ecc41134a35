"""What can be wrong with one object in a bucket."""

from __future__ import annotations

from chalicelib.domain.audit.codes.code import Code, Concern, Severity

OF_OBJECTS = (
    Code(
        "stray",
        Concern.OBJECTS,
        Severity.WARNING,
        "a stray object in the bucket",
        "An object is no duplicity file of a known job. It costs money, and nobody knows what it is for.",
        "Find out who put it there; if nobody needs it, remove it. If it is a backup's file, its name was "
        "changed.",
    ),
    Code(
        "backup_unmanaged",
        Concern.OBJECTS,
        Severity.WARNING,
        "backup files that the service does not manage",
        "duplicity may have written this file with other settings, or an older version of it: without the "
        "prefixes data_ and meta_, with short names, with times in an old form, or below another prefix.",
        "Leave it: it may be part of somebody's only backup, which plain duplicity restores. Find out whose "
        "it is.",
    ),
    Code(
        "unknown_job",
        Concern.OBJECTS,
        Severity.WARNING,
        "backup files of no known job",
        "Files of duplicity's lie where a job would keep them, and there is no such machine or job. "
        "Nobody watches them.",
        "Add the machine again to have them watched, or leave them: plain duplicity restores them.",
    ),
    Code(
        "wrong_prefix",
        Concern.OBJECTS,
        Severity.CRITICAL,
        "a backup's file is under the wrong prefix",
        "A volume is not under data_, or a manifest, signature or jsonstat is not under meta_. duplicity "
        "does not find it there, and the lifecycle rules treat it as what it is not.",
        "Copy it to its right name.",
    ),
    Code(
        "misplaced_copy",
        Concern.OBJECTS,
        Severity.WARNING,
        "a copy of a backup's file under the wrong prefix",
        "A file of a backup is there under its right name, and once more under the wrong prefix. The copy is billed, "
        "and does no harm.",
        "Nothing has to be done. Once a restore has proved the set, the copy may go.",
    ),
    Code(
        "metadata_archived",
        Concern.OBJECTS,
        Severity.CRITICAL,
        "metadata is in an archive class",
        "A manifest or signature cannot be read before a thaw: no backup and no restore of this job works "
        "until it can. Repositories break so weeks after the rule was written.",
        "Thaw it, wait until it can be read (hours), copy it onto itself in Standard, and end the rule "
        "that moved it.",
    ),
    Code(
        "wrong_class",
        Concern.OBJECTS,
        Severity.WARNING,
        "a file is in another storage class than it should be",
        "A volume is in a class that its job's policy does not name, or metadata is not in Standard. It "
        "costs other than was planned, or takes a thaw that nobody planned.",
        "Copy it onto itself in the right class (thaw it first if it cannot be read), and end the rule "
        "that moved it.",
    ),
    Code(
        "wrong_tag",
        Concern.OBJECTS,
        Severity.WARNING,
        "a file has the wrong storage tag",
        "The tag of a volume chooses the lifecycle rule that archives it: without a known one it stays in "
        "Standard for ever. Metadata with a tag will be archived.",
        "Set the tag right.",
    ),
)
