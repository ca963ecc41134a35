"""What can be wrong with a set, or with the sets of a job."""

from __future__ import annotations

from chalicelib.domain.audit.codes.code import Code, Concern, Severity

OF_SETS = (
    Code(
        "gap",
        Concern.SETS,
        Severity.CRITICAL,
        "a finished backup lacks volumes",
        "A sealed set has fewer volumes than its manifest promises: the files in those that are missing "
        "cannot be restored. duplicity itself does not notice.",
        "Files in it cannot be restored. Look for a noncurrent version of the volume; otherwise make a "
        "full backup.",
        is_safety=True,
    ),
    Code(
        "no_volumes",
        Concern.SETS,
        Severity.CRITICAL,
        "a finished backup has no volumes",
        "There is a manifest, and none of the volumes that it describes. duplicity, which takes it for a "
        "set, then stops or makes increments to nothing.",
        "Nothing of it can be restored. Put it into quarantine and back up again.",
        is_safety=True,
    ),
    Code(
        "signatures_missing",
        Concern.SETS,
        Severity.CRITICAL,
        "a backup's signatures are missing",
        "Without its signatures a set can be restored, but no increment can follow it.",
        "It can be restored, but no increment can follow it. Make a full backup.",
        is_safety=True,
    ),
    Code(
        "manifest_vanished",
        Concern.SETS,
        Severity.CRITICAL,
        "a finished backup's manifest was deleted",
        "Somebody deleted the manifest of a finished set, by hand or with AWS keys, or a lifecycle rule did. Without "
        "it the set cannot be restored, and the laptop takes it for one that was never finished. The service keeps the "
        "laptop from clearing the rest away.",
        "Bring the manifest back now, from its older version. Then find out who has AWS keys to this bucket.",
        is_safety=True,
    ),
    Code(
        "base_missing",
        Concern.SETS,
        Severity.CRITICAL,
        "a backup continues one that is not there",
        "An increment holds only what changed since the set before it, and that one is not stored.",
        "It cannot be restored without it. Make a full backup.",
        is_safety=True,
    ),
    Code(
        "false_proof",
        Concern.SETS,
        Severity.CRITICAL,
        "a backup that the machine did not make",
        "The machine checked a set's proof of origin, and it is false: whoever stored that set has the "
        "machine's token, but neither its passphrase nor its proof key. The machine leaves the set out of "
        "restores and of later backups.",
        "Somebody else has this machine's token: revoke it and enrol the machine again. Then put the set "
        "into quarantine, so that plain duplicity leaves it out too.",
        is_safety=True,
    ),
    Code(
        "unproved_set",
        Concern.SETS,
        Severity.WARNING,
        "a backup without a proof of origin",
        "The machine signs its sets, and this one, stored later than the first that was signed, carries no "
        "proof. The service takes no such set, so that it was written with AWS keys.",
        "If your own script or plain duplicity wrote it, all is well. If not, somebody has AWS keys of this "
        "account: put the set into quarantine and change the keys.",
    ),
    Code(
        "fork",
        Concern.SETS,
        Severity.CRITICAL,
        "two increments continue one backup",
        "Two finished increments start from the same set. duplicity cannot know which to continue: later "
        "backups of the job fail, or restore less than they should.",
        "If nobody restored the machine from a copy, somebody may have its token: revoke it. Put the "
        "increment that came later into quarantine, then start a backup.",
        is_safety=True,
    ),
    Code(
        "full_backdated",
        Concern.SETS,
        Severity.CRITICAL,
        "a full backup is dated before one that was there",
        "A full backup was stored after others, and its name dates it before them. duplicity orders sets by their "
        "names, so it may continue the wrong chain.",
        "If the machine's clock was right, somebody may have its token: revoke it. Put this set into "
        "quarantine, then start a backup.",
        is_safety=True,
    ),
    Code(
        "stalled",
        Concern.SETS,
        Severity.WARNING,
        "a backup was begun and not finished",
        "An unfinished set has had no new file for two days.",
        "Start 'panicroom backup' on the machine: it goes on where it was.",
    ),
    Code(
        "clock_off",
        Concern.SETS,
        Severity.WARNING,
        "a machine's clock is wrong",
        "The time in a set's name is far from the time at which S3 stored it. duplicity orders sets by "
        "their names: one from the future hides those that come after it.",
        "Set the machine's clock. If increments fail, put this set into quarantine.",
    ),
    Code(
        "outsized",
        Concern.SETS,
        Severity.WARNING,
        "an increment is unusually large",
        "An increment is five times as large as this job's usually are. That is what encrypted files look "
        "like from outside.",
        "If nothing explains it, check whether the machine's files are still readable: ransomware changes "
        "all of them. Earlier sets are untouched.",
    ),
    Code(
        "source_shrank",
        Concern.SETS,
        Severity.WARNING,
        "a source has shrunk by half",
        "A run found less than half of the files or bytes that the one before it found.",
        "Check whether a disk is unplugged or a folder hidden. Earlier sets still hold everything.",
    ),
    Code(
        "written_with_keys",
        Concern.SETS,
        Severity.WARNING,
        "somebody writes backups with AWS keys",
        "Sets have arrived since the machine was added that did not come through the service: the old script "
        "still runs. Its keys can delete backups, and two writers break each other's chain.",
        "End the script on the machine, and delete its AWS keys.",
    ),
    Code(
        "no_backup_yet",
        Concern.SETS,
        Severity.WARNING,
        "no backup has arrived yet",
        "Nothing of a job has ever arrived, though its period and grace are over: since it was added, or since the "
        "end of a pause after that.",
        "Enrol the machine and start 'panicroom backup' there, or remove it if it is not wanted.",
    ),
)
