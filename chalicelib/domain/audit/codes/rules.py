"""What can be wrong with the lifecycle rules of a bucket."""

from __future__ import annotations

from chalicelib.domain.audit.codes.code import Code, Concern, Severity

OF_RULES = (
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
        "A rule moves volumes to a class that cannot be read before a thaw, and that is not the job's storage policy. "
        "Every restore then waits for hours (12 in Glacier Flexible Retrieval, 48 in Deep Archive, at most) and costs "
        "extra: `panicroom restore` shows price and time first, and starts the thaw.",
        "If you want that, make it the job's policy: `python -m ops machine set NAME --job JOB --storage flexible`, or "
        "`deep`. Otherwise use Glacier Instant Retrieval: it costs little more and can be read at once.",
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
        "letgo_rule_differs",
        Concern.BUCKET,
        Severity.CRITICAL,
        "the rule that removes what was let go is missing or was changed",
        "One rule of the service's makes final what retention let go: by its tag, 30 days after it was marked deleted. "
        "Without the tag, or with fewer days, it ends the time in which a deletion can be undone. Without the rule, "
        "what was let go stays stored and is billed.",
        "Have the rule written again. If you did not change it, find out who may change the bucket's rules.",
    ),
    Code(
        "tiers_archive",
        Concern.BUCKET,
        Severity.CRITICAL,
        "Intelligent-Tiering archives backup files",
        "The bucket has archive tiers of Intelligent-Tiering on. Files in that class that nobody reads sink "
        "into them, and then cannot be read before a thaw. `panicroom restore` thaws what is in Glacier Flexible "
        "Retrieval and Deep Archive, not what is in those tiers.",
        "Turn the archive tiers off. What has sunk already needs a thaw by hand (`aws s3api restore-object`).",
    ),
    Code(
        "no_archive_rule",
        Concern.BUCKET,
        Severity.WARNING,
        "no lifecycle rule moves a job's volumes",
        "The job's storage policy, or an earlier one, wants volumes in a cheaper class, and no rule moves them: "
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
)
