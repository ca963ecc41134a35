"""What can be wrong with the settings of a bucket."""

from __future__ import annotations

from chalicelib.domain.audit.codes.code import Code, Concern, Severity

OF_BUCKET = (
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
        "noncurrent_piling_up",
        Concern.BUCKET,
        Severity.WARNING,
        "old versions pile up",
        "Older versions are billed like any object, and no plain listing shows them.",
        "Check what they are: a version under a delete marker may be the last copy of a file. What an unfinished or "
        "quarantined set takes goes with `ops retention drop`. To remove others that nobody needs, tag those versions "
        "`panicroom-let-go=yes`, and have a lifecycle rule remove old versions with that tag, as panicroom's own does. "
        "Never have a rule remove old versions without it: what is deleted by mistake could not be brought back.",
    ),
    Code(
        "uploads_piling_up",
        Concern.BUCKET,
        Severity.WARNING,
        "unfinished uploads pile up",
        "Parts of uploads that were never finished are billed, and no listing shows them.",
        "Abort them; nothing that can be read goes.",
    ),
)
