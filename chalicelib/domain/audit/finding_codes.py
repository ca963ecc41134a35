"""The table of finding codes: severity, meaning, advice."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum


class Severity(str, Enum):
    """Critical: something cannot be restored, or will not be. Warning: it costs money, or hides what happens. Info:
    to know."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Concern(str, Enum):
    """What a rule checks, and so who updates its findings."""

    SETS = "sets"
    OBJECTS = "objects"
    BUCKET = "bucket"
    MACHINE = "machine"
    """From notices, not stored: ``chalicelib.domain.audit.notices``."""


@dataclasses.dataclass(frozen=True)
class Code:
    """One kind of finding. ``title`` goes into a mail's subject."""

    code: str
    concern: Concern
    severity: Severity
    title: str
    meaning: str
    advice: str
    is_safety: bool = False


MOST_ALIKE = 100
"""The most findings of one code and job that are stored: a hundred thousand strays must not fill the table."""


CODES: Mapping[str, Code] = {
    kind.code: kind
    for kind in (
        # ---------------------------------------------------------------- sets
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
            "A machine was added longer ago than its job's period and grace, and nothing of that job has "
            "arrived.",
            "Enrol the machine and start 'panicroom backup' there, or remove it if it is not wanted.",
        ),
        # ---------------------------------------------------------------- objects
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
            "Copy it to its right name. Once a restore has proved the set, the misplaced one can go.",
        ),
        Code(
            "manifest_vanished",
            Concern.OBJECTS,
            Severity.CRITICAL,
            "a finished backup's manifest was deleted",
            "Somebody deleted the manifest of a finished set, by hand or with AWS keys. Without it the set cannot be "
            "restored, and the laptop takes it for one that was never finished.",
            "Bring the manifest back now, from its older version. Then find out who has AWS keys to this bucket.",
            is_safety=True,
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
        # ---------------------------------------------------------------- buckets
        Code(
            "versioning_off",
            Concern.BUCKET,
            Severity.CRITICAL,
            "a bucket keeps no versions",
            "What is deleted or overwritten in this bucket is gone for good.",
            "Turn versioning on. It costs nothing until something is deleted or overwritten.",
        ),
        Code(
            "public",
            Concern.BUCKET,
            Severity.CRITICAL,
            "a bucket is public",
            "The bucket's policy or its access list allows anybody in.",
            "Block public access now; then check what the policy is for.",
            is_safety=True,
        ),
        Code(
            "public_access_not_blocked",
            Concern.BUCKET,
            Severity.WARNING,
            "public access is not blocked",
            "Nobody can read the bucket from outside today, but one careless policy would change that.",
            "Block public access.",
        ),
        Code(
            "encryption_off",
            Concern.BUCKET,
            Severity.WARNING,
            "a bucket has no default encryption",
            "S3 does not encrypt what it stores by default. The backups are encrypted before they leave the "
            "machine; names and strays are not.",
            "Turn default encryption on; it costs nothing.",
        ),
        Code(
            "wrong_region",
            Concern.BUCKET,
            Severity.CRITICAL,
            "a bucket is in another region",
            "The bucket is in another region than the service: its events cross no border, so that nothing in "
            "it is noticed.",
            "Deploy a stage of the service in the bucket's region, or copy the backup into a bucket in the "
            "service's.",
        ),
        Code(
            "notifications_missing",
            Concern.BUCKET,
            Severity.CRITICAL,
            "a bucket sends no events",
            "The service's queue gets no events of this place, or not all kinds: the catalogue is blind "
            "there, and learns of changes only in the weekly reconcile.",
            "Configure the bucket to send its events to the service's queue.",
        ),
        Code(
            "notifications_elsewhere",
            Concern.BUCKET,
            Severity.CRITICAL,
            "a bucket's events go to somebody else",
            "Another receiver gets the events that the service needs, and S3 takes one for each kind of event "
            "and prefix.",
            "Let EventBridge send events to the other receiver, or remove that notification if nobody needs it.",
        ),
        Code(
            "setting_unreadable",
            Concern.BUCKET,
            Severity.WARNING,
            "a bucket's setting could not be read",
            "The audit may not read one of the bucket's settings, so it cannot check it.",
            "Allow the audit to read it. For an adopted bucket, adding the machine again does that.",
        ),
        Code(
            "rule_matches_nothing",
            Concern.BUCKET,
            Severity.WARNING,
            "a lifecycle rule matches no object",
            "A lifecycle rule is on, and nothing in the bucket has the prefix, tag or size that it asks for: "
            "what it was written for never happens, and S3 does not report it.",
            "Correct the rule's filter, or remove the rule.",
        ),
        Code(
            "rule_archives_metadata",
            Concern.BUCKET,
            Severity.CRITICAL,
            "a lifecycle rule archives metadata",
            "A rule moves manifests and signatures to a class that cannot be read without a thaw: from then "
            "on neither backup nor restore works.",
            "Have the rule ask for the prefix of the volumes only.",
        ),
        Code(
            "rule_expires_full",
            Concern.BUCKET,
            Severity.CRITICAL,
            "a lifecycle rule deletes a full backup under its increments",
            "Expiry goes by the age of each object, and a full backup is older than the increments that need "
            "it: when it goes, all of them are worthless.",
            "Take the expiry out of the rule. Old backups go chain by chain, never by the age of their files.",
        ),
        Code(
            "rule_expires_backup",
            Concern.BUCKET,
            Severity.CRITICAL,
            "a lifecycle rule deletes files of a backup",
            "Expiry goes by the age of each object. It takes increments, manifests and signatures that newer sets "
            "need, one by one.",
            "Take the expiry out of the rule. Old backups go chain by chain, never by the age of their files.",
        ),
        Code(
            "rule_moves_metadata",
            Concern.BUCKET,
            Severity.WARNING,
            "a lifecycle rule moves metadata",
            "A rule moves manifests and signatures out of Standard. Each run reads them: it costs more, and in "
            "Intelligent-Tiering an archive tier can put them out of reach.",
            "Limit the rule to the prefix of the volumes.",
        ),
        Code(
            "rule_archives_volumes",
            Concern.BUCKET,
            Severity.WARNING,
            "a lifecycle rule archives volumes",
            "A rule moves volumes to a class that cannot be read before a thaw. Every restore then waits for "
            "hours and costs extra, and this version does not thaw by itself.",
            "Use Glacier Instant Retrieval: it costs little more and can be read at once.",
        ),
        Code(
            "versions_expire_soon",
            Concern.BUCKET,
            Severity.WARNING,
            "old versions are removed too soon",
            "A rule removes the old versions of backup files within a month: what was deleted or overwritten by "
            "mistake is then gone for good, versioning or not.",
            "Have the rule wait 30 days at least.",
        ),
        Code(
            "tiers_archive",
            Concern.BUCKET,
            Severity.CRITICAL,
            "Intelligent-Tiering archives backup files",
            "The bucket has archive tiers of Intelligent-Tiering on. Files in that class that nobody reads sink "
            "into them, and then cannot be read before a thaw.",
            "Turn the archive tiers off. What has sunk already needs a thaw.",
        ),
        Code(
            "no_archive_rule",
            Concern.BUCKET,
            Severity.WARNING,
            "no lifecycle rule moves a job's volumes",
            "The job's storage policy wants its volumes in a cheaper class, and no rule moves them there: "
            "they stay in Standard.",
            "Write the rule.",
        ),
        Code(
            "transition_overdue",
            Concern.BUCKET,
            Severity.WARNING,
            "volumes were not moved in time",
            "A rule should have moved these volumes days ago, and they are still in Standard.",
            "S3 takes a day or two, and holds nothing under 128 KB for worth moving. If it lasts, check the "
            "rule in the console: it may be new, off, or meant for other keys.",
        ),
        Code(
            "noncurrent_piling_up",
            Concern.BUCKET,
            Severity.WARNING,
            "old versions pile up",
            "Older versions are billed like any object, and no plain listing shows them.",
            "Check what they are: a version under a delete marker may be the last copy of a file. Those that "
            "nobody needs can go by a rule that expires noncurrent versions.",
        ),
        Code(
            "uploads_piling_up",
            Concern.BUCKET,
            Severity.WARNING,
            "unfinished uploads pile up",
            "Parts of uploads that were never finished are billed, and no listing shows them.",
            "Abort them; nothing that can be read goes.",
        ),
        # ---------------------------------------------------------------- machines, from notices
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
            "Two clients with one machine's token want to back up the same job at once; the second was "
            "refused.",
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
    )
}
