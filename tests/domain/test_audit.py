"""A bucket for each code, made as people really get it wrong, and a healthy one of which there is nothing to say."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from chalicelib.domain.audit.anomalies import find_anomalies
from chalicelib.domain.audit.bucket_audit import BucketAudit, findings_of_notices
from chalicelib.domain.audit.bucket_settings import BucketSettings, Expected, UnfinishedUpload, check_settings
from chalicelib.domain.audit.codes.code import Concern, Severity
from chalicelib.domain.audit.custody import Custody, WatchedJob
from chalicelib.domain.audit.finding_codes import CODES, MOST_ALIKE
from chalicelib.domain.audit.findings import Finding, at_stage, exit_code
from chalicelib.domain.audit.notices import Notice
from chalicelib.domain.audit.notifications import NEEDED_EVENTS, Receiver, receivers_of
from chalicelib.domain.audit.placement import check_object
from chalicelib.domain.audit.silence import find_foreign_writer, find_silence
from chalicelib.domain.audit.strays import check_stray
from chalicelib.domain.backups.machines import Job, LastRun, Machine
from chalicelib.domain.backups.names import (
    BackupFile,
    FileKind,
    Location,
    SetId,
    manifest_file,
    parse_file_name,
    signatures_file,
    volume_file,
)
from chalicelib.domain.backups.objects import ObjectRow, StoredObject
from chalicelib.domain.backups.sets import BackupSet, apply_changes
from chalicelib.domain.backups.storage import (
    DEFAULT_STORAGE_POLICY,
    LET_GO_TAG_KEY,
    LET_GO_TAG_VALUE,
    STORAGE_POLICIES,
    STORAGE_TAG_KEY,
)
from chalicelib.domain.backups.tallies import Tally

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=timezone.utc)
DAY = timedelta(days=1)
MB = 2**20
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:panicroom-home-events"
BUCKET = "panicroom-home"
MACHINE = Machine("anna-laptop", NOW - 400 * DAY, token_sha256="0" * 64)
JOB = Job("anna-laptop", "system", Location(BUCKET, "anna-laptop/system/"))
TAG = DEFAULT_STORAGE_POLICY.tag_value

OWN_RULES: tuple[dict[str, Any], ...] = (
    *(
        {
            "ID": f"panicroom-{policy.tag_value}",
            "Status": "Enabled",
            "Filter": {"Tag": {"Key": STORAGE_TAG_KEY, "Value": policy.tag_value}},
            "Transitions": [{"Days": policy.archive_after_days, "StorageClass": policy.archive_class}],
        }
        for policy in STORAGE_POLICIES
    ),
    {
        "ID": "panicroom-unfinished-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    },
    {
        "ID": "panicroom-let-go",
        "Status": "Enabled",
        "Filter": {"Tag": {"Key": "panicroom-let-go", "Value": "yes"}},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
    },
    {
        "ID": "panicroom-expired-markers",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
    },
)

CLEARING = OWN_RULES[-2:]
"""What removes what was let go, and markers with nothing behind them."""


@dataclasses.dataclass(frozen=True)
class Bucket:
    """A bucket as it is found: its settings, its keys with what they hold, the job in it."""

    settings: BucketSettings
    rows: Mapping[str, ObjectRow]
    job: Job = JOB
    custody: Custody = Custody.OWN
    expected: Expected | None = None
    elsewhere: Sequence[ObjectRow] = ()
    machine: Machine = MACHINE
    notices: Sequence[Notice] = ()

    def findings(self) -> list[Finding]:
        watched = WatchedJob(self.job, self.custody)
        sets = sets_of(self.rows.values())
        own = self.custody is Custody.OWN
        audit = BucketAudit(self.settings, {watched: sets}, self.expected, NOW, is_own_bucket=own)
        for row in self.rows.values():
            audit.add(watched, row)
        for row in self.elsewhere:
            audit.add_stray(row, None)
        return [
            *audit.findings(),
            *find_anomalies(self.job, sets, NOW),
            *find_silence(self.machine, self.job, sets, NOW),
            *(
                find_foreign_writer(self.machine, self.job, sets)
                if self.custody is not Custody.FOREIGN
                else []
            ),
            *findings_of_notices(self.notices, NOW),
        ]

    def codes(self) -> list[str]:
        return sorted(one.code for one in self.findings())

    def the(self, code: str) -> Finding:
        (found,) = [one for one in self.findings() if one.code == code]
        return found

    def with_rules(self, *rules: Mapping[str, Any]) -> Bucket:
        return dataclasses.replace(self, settings=dataclasses.replace(self.settings, lifecycle=rules))

    def with_settings(self, **changes: Any) -> Bucket:
        return dataclasses.replace(self, settings=dataclasses.replace(self.settings, **changes))

    def with_rows(self, *rows: ObjectRow) -> Bucket:
        return dataclasses.replace(self, rows={**self.rows, **{row.name: row for row in rows}})

    def without(self, name: str) -> Bucket:
        return dataclasses.replace(self, rows={key: row for key, row in self.rows.items() if key != name})

    def change(self, name: str, **changes: Any) -> Bucket:
        stored = self.rows[name].stored
        assert stored is not None
        return self.with_rows(ObjectRow(name, dataclasses.replace(stored, **changes)))


def sets_of(rows: Any) -> list[BackupSet]:
    sets: dict[SetId, BackupSet] = {}
    for row in rows:
        file = parse_file_name(row.name)
        if file is not None:
            known = sets.get(file.set_id, BackupSet(file.set_id))
            sets[file.set_id] = apply_changes(known, {}, [row])
    return [one for one in sets.values() if one.current]


def stored(days_ago: float, size: int = 25 * MB, **fields: Any) -> StoredObject:
    given = {"storage_class": "STANDARD", "storage_tag": "", **fields}
    return StoredObject(size, "etag", stored_at=NOW - days_ago * DAY, **given)


def files_of(set_id: SetId, days_ago: float, volumes: int = 2, **of_volumes: Any) -> dict[str, ObjectRow]:
    """A whole set: volumes tagged and in the class that they have by their age."""
    moved = "GLACIER_IR" if days_ago > 8 else "STANDARD"
    of_volumes = {"storage_class": moved, "storage_tag": TAG, **of_volumes}
    rows = [
        *(ObjectRow(volume_file(set_id, n + 1).name, stored(days_ago, **of_volumes)) for n in range(volumes)),
        ObjectRow(signatures_file(set_id).name, stored(days_ago, MB)),
        ObjectRow(manifest_file(set_id).name, stored(days_ago, 1000, volumes_promised=volumes)),
    ]
    return {row.name: row for row in rows}


def day(days_ago: float) -> datetime:
    return NOW - days_ago * DAY


FULL = SetId(None, day(30))
SECOND = SetId(day(30), day(10))
THIRD = SetId(day(10), day(1))
FULL_VOLUME = volume_file(FULL, 1).name
NEWEST_VOLUME = volume_file(THIRD, 1).name
MANIFEST = manifest_file(FULL).name
SIGNATURES = signatures_file(THIRD).name

HEALTHY = Bucket(
    BucketSettings(
        BUCKET,
        region="eu-central-1",
        keeps_versions=True,
        blocks_public_access=True,
        encrypts=True,
        receivers=(Receiver(QUEUE, NEEDED_EVENTS),),
        lifecycle=OWN_RULES,
        uploads=(UnfinishedUpload("anna-laptop/system/x", "u", NOW - 7 * DAY, 5 * MB),),
    ),
    {**files_of(FULL, 30), **files_of(SECOND, 10), **files_of(THIRD, 1)},
    expected=Expected("eu-central-1", QUEUE, ("",)),
)

PLAIN = dataclasses.replace(
    HEALTHY.with_settings(bucket="annas-backup"),
    job=Job("annas-backup", "/", Location("annas-backup", "")),
    custody=Custody.FOREIGN,
    expected=None,
)
"""What the posts on the web set up: a bucket by hand, files at its root, volumes as they were uploaded."""


def rule(prefix: str, **actions: Any) -> dict[str, Any]:
    return {"ID": "to-glacier", "Status": "Enabled", "Filter": {"Prefix": prefix}, **actions}


TO_GLACIER = {"Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}
TO_TIERING = {"Transitions": [{"Days": 0, "StorageClass": "INTELLIGENT_TIERING"}]}
IN_A_YEAR = {"Expiration": {"Days": 365}}
MOVED_BY_HAND = {"Transitions": [{"Days": 7, "StorageClass": "GLACIER_IR"}]}


def notice(code: str, days_ago: float = 1) -> Notice:
    return Notice(code, "anna-laptop", "system", "It happened.", NOW - days_ago * DAY)


def increments(*sizes_mb: int) -> dict[str, ObjectRow]:
    """A chain of increments of one volume, an hour apart, of these sizes."""
    rows = {}
    for index, size in enumerate(sizes_mb):
        start, end = day(1) + index * timedelta(hours=1), day(1) + (index + 1) * timedelta(hours=1)
        days_ago = (NOW - end) / DAY
        for name, row in files_of(SetId(start, end), days_ago, 1).items():
            assert row.stored is not None
            grown = (
                dataclasses.replace(row.stored, size=size * MB) if name.startswith("data_") else row.stored
            )
            rows[name] = dataclasses.replace(row, stored=grown)
    return rows


def misnamed(name: str, prefix: str) -> ObjectRow:
    row = HEALTHY.rows[name]
    return dataclasses.replace(row, name=f"{prefix}{name[5:]}")


def adopted(bucket: Bucket) -> Bucket:
    settings = {"receivers": (Receiver(QUEUE, NEEDED_EVENTS, "backups/"),)}
    job = Job("anna", "system", Location(BUCKET, "backups/"), added_at=NOW)
    expected = Expected("eu-central-1", QUEUE, ("backups/",))
    taken = dataclasses.replace(bucket, job=job, custody=Custody.ADOPTED, expected=expected)
    return taken.with_settings(**settings)


WRONG: dict[str, Bucket] = {
    # sets
    "gap": HEALTHY.without(FULL_VOLUME),
    "no_volumes": HEALTHY.without(FULL_VOLUME).without(volume_file(FULL, 2).name),
    "signatures_missing": HEALTHY.without(SIGNATURES),
    "base_missing": dataclasses.replace(HEALTHY, rows={**files_of(FULL, 30), **files_of(THIRD, 1)}),
    "unproved_set": dataclasses.replace(HEALTHY, job=dataclasses.replace(JOB, proofs_since=day(2))),
    "false_proof": dataclasses.replace(
        HEALTHY, job=dataclasses.replace(JOB, false_proofs=frozenset({str(THIRD)}))
    ).change(manifest_file(THIRD).name, proof="p"),
    "stalled": dataclasses.replace(
        HEALTHY, rows={**files_of(FULL, 30), **files_of(SetId(FULL.end, day(3)), 3)}
    ).without(manifest_file(SetId(FULL.end, day(3))).name),
    "clock_off": HEALTHY.with_rows(*files_of(SetId(THIRD.end, NOW + 300 * DAY), 0.5).values()),
    "fork": HEALTHY.with_rows(*files_of(SetId(THIRD.start, day(0.6)), 0.5).values()),
    "full_backdated": HEALTHY.with_rows(*files_of(SetId(None, FULL.end - 5 * DAY), 0.5).values()),
    "outsized": HEALTHY.with_rows(*increments(10, 10, 10, 10, 3000).values()),
    "source_shrank": dataclasses.replace(
        HEALTHY,
        job=dataclasses.replace(
            JOB, last_run=LastRun("r", "full", NOW, source_files=10, earlier_source_files=100)
        ),
    ),
    "written_with_keys": dataclasses.replace(
        HEALTHY.change(MANIFEST, volumes_promised=None),
        machine=dataclasses.replace(MACHINE, created_at=day(31)),
    ),
    "manifest_vanished": HEALTHY.with_rows(
        ObjectRow(manifest_file(THIRD).name, None, noncurrent={"STANDARD": Tally(1, 1000)})
    ),
    "no_backup_yet": dataclasses.replace(HEALTHY, rows={}),
    # objects
    "stray": dataclasses.replace(HEALTHY, elsewhere=[ObjectRow("holiday.jpg", stored(1))]),
    "backup_unmanaged": dataclasses.replace(
        HEALTHY, elsewhere=[ObjectRow("attic/duplicity-full.20120301T040000Z.vol1.difftar.gpg", stored(1))]
    ),
    "unknown_job": dataclasses.replace(
        HEALTHY, elsewhere=[ObjectRow(f"old-laptop/system/{FULL_VOLUME}", stored(1))]
    ),
    "wrong_prefix": HEALTHY.with_rows(
        ObjectRow(BackupFile(THIRD, FileKind.JSONSTAT, prefix="data_").name, stored(1))
    ),
    "misplaced_copy": HEALTHY.with_rows(misnamed(NEWEST_VOLUME, "meta_")),
    "metadata_archived": HEALTHY.change(MANIFEST, storage_class="DEEP_ARCHIVE"),
    "wrong_class": HEALTHY.change(FULL_VOLUME, storage_class="DEEP_ARCHIVE"),
    "wrong_tag": HEALTHY.change(FULL_VOLUME, storage_tag="glacier"),
    # buckets
    "versioning_off": HEALTHY.with_settings(keeps_versions=False),
    "public": HEALTHY.with_settings(blocks_public_access=False, is_public=True),
    "public_access_not_blocked": HEALTHY.with_settings(blocks_public_access=False, is_public=False),
    "encryption_off": HEALTHY.with_settings(encrypts=False),
    "wrong_region": HEALTHY.with_settings(region="us-east-1"),
    "notifications_missing": HEALTHY.with_settings(receivers=()),
    "notifications_elsewhere": HEALTHY.with_settings(
        receivers=(Receiver("arn:aws:sns:eu-central-1:123456789012:mine", ("s3:ObjectCreated:*",)),)
    ),
    "setting_unreadable": HEALTHY.with_settings(unreadable={"lifecycle rules": "AccessDenied"}),
    "rule_matches_nothing": HEALTHY.with_rules(*OWN_RULES, rule("_data", **TO_GLACIER)),
    "rule_archives_metadata": HEALTHY.with_rules(
        *OWN_RULES, {"ID": "all", "Status": "Enabled", "Filter": {}, **TO_GLACIER}
    ),
    "rule_expires_full": HEALTHY.with_rules(*OWN_RULES, rule("anna-laptop/", **IN_A_YEAR)),
    "rule_expires_backup": HEALTHY.with_rules(*OWN_RULES, rule("anna-laptop/system/meta_", **IN_A_YEAR)),
    "rule_moves_metadata": HEALTHY.with_rules(*OWN_RULES, rule("", **TO_TIERING)),
    "rule_archives_volumes": HEALTHY.with_rules(*OWN_RULES, rule("anna-laptop/system/data_", **TO_GLACIER)),
    "versions_expire_soon": HEALTHY.with_rules(
        *OWN_RULES, rule("", NoncurrentVersionExpiration={"NoncurrentDays": 1})
    ),
    "tiers_archive": adopted(HEALTHY)
    .change(FULL_VOLUME, storage_class="INTELLIGENT_TIERING")
    .with_settings(archive_tiers={"deep": 90}),
    "no_archive_rule": HEALTHY.with_rules(*CLEARING),
    "letgo_rule_differs": HEALTHY.with_rules(
        *OWN_RULES[:-2], {**CLEARING[0], "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}
    ),
    "transition_overdue": HEALTHY.change(FULL_VOLUME, storage_class="STANDARD"),
    "noncurrent_piling_up": HEALTHY.with_rows(
        dataclasses.replace(HEALTHY.rows[MANIFEST], noncurrent={"STANDARD": Tally(40, 2**30)})
    ),
    "uploads_piling_up": HEALTHY.with_settings(
        uploads=(UnfinishedUpload("anna-laptop/system/x", "u", NOW - 8 * DAY, 5 * MB),)
    ),
    # machines
    **{
        code: dataclasses.replace(HEALTHY, notices=[notice(code)])
        for code, kind in CODES.items()
        if kind.concern is Concern.MACHINE
    },
}


def test_a_healthy_bucket_has_no_finding() -> None:
    assert HEALTHY.codes() == []
    assert exit_code(HEALTHY.findings()) == 0


def test_there_is_a_bucket_for_each_code_but_those_that_are_found_in_no_bucket() -> None:
    assert WRONG.keys() == {
        code
        for code, kind in CODES.items()
        if kind.concern not in (Concern.THAWS, Concern.DRILLS, Concern.RETENTION, Concern.PHOTOS)
    }


@pytest.mark.parametrize("code", WRONG)
def test_each_mistake_is_found_for_what_it_is_and_nothing_else(code: str) -> None:
    assert WRONG[code].codes() == [code]


@pytest.mark.parametrize("code", WRONG)
def test_each_finding_tells_what_was_seen_what_it_means_and_what_to_do(code: str) -> None:
    for one in WRONG[code].findings():
        kind = CODES[code]
        assert (one.code, one.severity, one.advice) == (code, kind.severity, kind.advice)
        assert one.evidence
        assert one.message.endswith(".")
        assert one.commands or code == "setting_unreadable"
        for line in one.commands:
            assert shlex.split(line)[0] in ("aws", "python", "panicroom")
        expected = {Severity.CRITICAL: 2, Severity.WARNING: 1, Severity.INFO: 0}
        assert exit_code([one]) == expected[one.severity]
        assert one.whose in (BUCKET, "anna-laptop/system", "anna/system")


@pytest.mark.parametrize("code", CODES)
def test_each_code_says_in_general_what_it_means(code: str) -> None:
    kind = CODES[code]
    assert kind.meaning.endswith(".")
    assert kind.advice.endswith(".")
    assert kind.title == kind.title.rstrip(".")


# ---------------------------------------------------------------- the post's own set-up


AS_IN_THE_POST = PLAIN.with_settings(
    keeps_versions=False, blocks_public_access=True, receivers=(), uploads=()
).with_rules(rule("_data", **TO_GLACIER, **IN_A_YEAR))


def as_uploaded(bucket: Bucket) -> Bucket:
    for name in bucket.rows:
        bucket = bucket.change(name, storage_class="STANDARD", storage_tag=None, volumes_promised=None)
    return bucket


def test_the_set_up_of_the_post_is_told_what_its_reader_would_want_to_know() -> None:
    bucket = as_uploaded(AS_IN_THE_POST)
    assert bucket.codes() == ["rule_expires_full", "rule_matches_nothing", "versioning_off"]
    nothing, expiry = bucket.the("rule_matches_nothing"), bucket.the("rule_expires_full")
    assert "asks for the prefix _data, and no object of 12 does" in nothing.message
    assert "It probably means the prefix data_." in nothing.message
    # The full backup was stored on October 23rd at 20:00: 365 days later, rounded up to midnight.
    assert expiry.message == (
        "Once its prefix is set right to data_, the lifecycle rule to-glacier of annas-backup deletes the "
        "full backup "
        f"{FULL} of annas-backup on 2027-10-24, from under 2 increments that need it."
    )
    assert "put-bucket-versioning" in bucket.the("versioning_off").commands[0]


def configuration(line: str) -> Any:
    words = shlex.split(line)
    return json.loads(words[words.index("--lifecycle-configuration") + 1])["Rules"]


def test_the_advised_commands_leave_a_bucket_of_which_nothing_is_to_be_said() -> None:
    bucket = as_uploaded(AS_IN_THE_POST)
    (command,) = bucket.the("rule_expires_full").commands
    mended = bucket.with_rules(*configuration(command)).with_settings(keeps_versions=True)
    # The volumes that waited for a year are late now, and on their way.
    assert mended.codes() == ["transition_overdue"]
    assert bucket.the("rule_matches_nothing").commands == (command,), (
        "one command, for whichever finding it is typed"
    )


# ---------------------------------------------------------------- lifecycle rules, one condition after the other


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("_data", "data_"),
        ("data", None),
        ("data_", None),
        ("/data_", "data_"),
        ("data_*", "data_"),
        ("Data_", "data_"),
        ("dat_", "data_"),
        ("s3://annas-backup/data_", "data_"),
        ("laptop/data_", "data_"),
        ("photos/", ""),
    ],
)
def test_a_prefix_that_matches_nothing_is_told_with_the_one_that_was_meant(
    asked: str, meant: str | None
) -> None:
    bucket = PLAIN.with_rules(rule(asked, **TO_GLACIER))
    if meant is None:
        assert "rule_matches_nothing" not in bucket.codes()
        return
    said = bucket.the("rule_matches_nothing").message
    assert (f"It probably means the prefix {meant}." in said) is bool(meant)
    assert ("probably" in said) is bool(meant)


def test_where_volumes_and_metadata_begin_alike_no_prefix_is_right_for_an_archive() -> None:
    plain = bare(PLAIN, "laptop/")
    assert (
        "probably" not in plain.with_rules(rule("/laptop", **TO_GLACIER)).the("rule_matches_nothing").message
    )
    cheaper = rule("/laptop", Transitions=[{"Days": 30, "StorageClass": "STANDARD_IA"}])
    assert "the prefix laptop/." in plain.with_rules(cheaper).the("rule_matches_nothing").message


@pytest.mark.parametrize(
    ("where", "asked"),
    [
        ({"Prefix": "x"}, "the prefix x, and"),
        ({"ObjectSizeGreaterThan": 10**12}, "asks for more than 1000000000000 bytes, and"),
        ({"ObjectSizeLessThan": 1}, "asks for less than 1 bytes, and"),
        ({"And": {"Prefix": "x", "ObjectSizeLessThan": 1}}, "the prefix x and less than 1 bytes, and"),
    ],
)
def test_what_a_rule_asks_for_is_told_in_words(where: dict[str, Any], asked: str) -> None:
    one = {"Status": "Enabled", "Filter": where, **IN_A_YEAR}
    message = PLAIN.with_rules(one).the("rule_matches_nothing").message
    assert asked in message
    assert "rule without a name of annas-backup" in message
    assert "no object of 12 does" in message
    alone = dataclasses.replace(PLAIN, rows={FULL_VOLUME: PLAIN.rows[FULL_VOLUME]}).with_rules(one)
    assert "the only object does not" in alone.the("rule_matches_nothing").message


def test_in_folders_the_prefix_that_was_meant_has_its_folder() -> None:
    bucket = HEALTHY.with_rules(*OWN_RULES, rule("data_", **TO_GLACIER))
    assert "the prefix anna-laptop/system/data_." in bucket.the("rule_matches_nothing").message


@pytest.mark.parametrize("wildcard", ["backups/data_*", "backups/data_**", "/backups/data_*.gpg"])
def test_a_wildcard_takes_no_files_to_come_either_so_the_prefix_that_was_meant_is_given(
    wildcard: str,
) -> None:
    bucket = adopted(as_uploaded(HEALTHY)).with_rules(rule(wildcard, **MOVED_BY_HAND))
    assert "It probably means the prefix backups/data_." in bucket.the("rule_matches_nothing").message


def test_a_rule_for_the_first_letters_of_all_volumes_names_is_a_rule_for_them() -> None:
    bucket = adopted(as_uploaded(HEALTHY)).with_rules(rule("backups/data_duplicity-", **MOVED_BY_HAND))
    assert not {"rule_matches_nothing", "no_archive_rule"} & set(bucket.codes())


def test_a_rule_that_archives_is_never_told_to_take_the_metadata() -> None:
    archiving = PLAIN.with_rules(rule("_meta", **TO_GLACIER)).the("rule_matches_nothing")
    assert "meta_" not in archiving.message.replace("_meta", "")
    other = PLAIN.with_rules(rule("_meta", Transitions=[{"Days": 30, "StorageClass": "STANDARD_IA"}]))
    assert "It probably means the prefix meta_." in other.the("rule_matches_nothing").message


@pytest.mark.parametrize(
    ("where", "matches"),
    [
        ({"Filter": {"Prefix": "data_"}}, True),
        ({"Prefix": "data_"}, True),
        ({"Prefix": "_data"}, False),
        ({"Filter": {}}, True),
        ({"Filter": {"Tag": {"Key": "team", "Value": "x"}}}, False),
        ({"Filter": {"And": {"Prefix": "data_", "Tags": [{"Key": STORAGE_TAG_KEY, "Value": TAG}]}}}, True),
        ({"Filter": {"And": {"Prefix": "_data", "Tags": [{"Key": STORAGE_TAG_KEY, "Value": TAG}]}}}, False),
        ({"Filter": {"ObjectSizeGreaterThan": 25 * MB}}, False),
        ({"Filter": {"ObjectSizeGreaterThan": 25 * MB - 1}}, True),
        ({"Filter": {"ObjectSizeLessThan": 1000}}, False),
        ({"Filter": {"ObjectSizeLessThan": 1001}}, True),
        ({"Filter": {"And": {"Prefix": "data_", "ObjectSizeLessThan": 25 * MB}}}, False),
    ],
)
def test_every_part_of_a_filter_counts(where: dict[str, Any], matches: bool) -> None:
    one = {"ID": "mine", "Status": "Enabled", **where, **MOVED_BY_HAND}
    settings = dataclasses.replace(PLAIN.settings, lifecycle=(one,))
    watched = WatchedJob(PLAIN.job, Custody.FOREIGN)
    audit = BucketAudit(settings, {watched: sets_of(PLAIN.rows.values())}, None, NOW, is_own_bucket=False)
    for name, row in PLAIN.rows.items():
        audit.add(watched, row, {STORAGE_TAG_KEY: TAG} if name.startswith("data_") else {})
    found = [one for one in audit.findings() if one.code == "rule_matches_nothing"]
    assert (found == []) is matches
    if found and "And" in where.get("Filter", {}) and where["Filter"]["And"]["Prefix"] == "_data":
        (changed,) = configuration(found[0].commands[0])
        assert changed["Filter"]["And"] == {**where["Filter"]["And"], "Prefix": "data_"}


@pytest.mark.parametrize(
    ("where", "mended"),
    [
        ({"Prefix": "_data"}, {"Prefix": "data_"}),
        (
            {"And": {"Prefix": "_data", "ObjectSizeGreaterThan": 5}},
            {"And": {"Prefix": "data_", "ObjectSizeGreaterThan": 5}},
        ),
    ],
)
def test_a_mended_rule_keeps_the_rest_of_its_filter(where: dict[str, Any], mended: dict[str, Any]) -> None:
    one = {"ID": "mine", "Status": "Enabled", "Filter": where, **TO_GLACIER}
    (changed,) = configuration(PLAIN.with_rules(one).the("rule_matches_nothing").commands[0])
    assert changed["Filter"] == mended


@pytest.mark.parametrize(
    ("where", "mended"),
    [
        (
            {"Tag": {"Key": "a", "Value": "b"}},
            {"And": {"Prefix": "data_", "Tags": [{"Key": "a", "Value": "b"}]}},
        ),
        ({"ObjectSizeGreaterThan": 5}, {"And": {"Prefix": "data_", "ObjectSizeGreaterThan": 5}}),
        ({}, {"Prefix": "data_"}),
    ],
)
def test_a_rule_that_expires_and_archives_all_is_left_with_what_can_be_read_at_once_for_volumes(
    where: dict[str, Any], mended: dict[str, Any]
) -> None:
    one = {"ID": "mine", "Status": "Enabled", "Filter": where, **TO_GLACIER, **IN_A_YEAR}
    (changed,) = configuration(PLAIN.with_rules(one).the("rule_expires_full").commands[0])
    moved = {"Transitions": [{"Days": 1, "StorageClass": "GLACIER_IR"}]}
    assert changed == {"ID": "mine", "Status": "Enabled", "Filter": mended, **moved}


def test_tags_that_nobody_has_read_are_no_reason_to_say_that_a_rule_matches_nothing() -> None:
    by_tag = {
        "ID": "mine",
        "Status": "Enabled",
        "Filter": {"Tag": {"Key": "team", "Value": "x"}},
        **TO_GLACIER,
    }
    assert "rule_matches_nothing" not in PLAIN.with_rules(by_tag).codes()
    ours = {**by_tag, "Filter": {"Tag": {"Key": STORAGE_TAG_KEY, "Value": TAG}}}
    assert "rule_matches_nothing" not in as_uploaded(PLAIN).with_rules(ours).codes()


def test_what_the_service_did_not_tag_is_not_taken_by_its_rules_for_volumes() -> None:
    archived = STORAGE_POLICIES[1]
    bucket = dataclasses.replace(HEALTHY, job=dataclasses.replace(JOB, storage=archived))
    for name in bucket.rows:
        bucket = bucket.change(name, storage_tag=None)
    assert "rule_archives_metadata" not in bucket.codes()


def bare(bucket: Bucket, folder: str = "") -> Bucket:
    """As duplicity names its files when nobody tells it otherwise."""
    rows = [dataclasses.replace(row, name=row.name[5:]) for row in bucket.rows.values()]
    job = dataclasses.replace(bucket.job, location=Location(bucket.job.location.bucket, folder))
    return dataclasses.replace(bucket, job=job, rows={row.name: row for row in rows})


def test_metadata_that_a_rule_takes_is_seen_whatever_it_is_called() -> None:
    found = bare(PLAIN).with_rules(rule("duplicity-full.", **TO_GLACIER)).the("rule_archives_metadata")
    assert found.evidence.startswith("it takes s3://annas-backup/duplicity-full.")


def test_a_rule_without_a_prefix_meant_none() -> None:
    by_size = {"ID": "x", "Status": "Enabled", "Filter": {"ObjectSizeGreaterThan": 10**12}, **IN_A_YEAR}
    found = bare(PLAIN, "laptop/").with_rules(by_size).the("rule_matches_nothing")
    assert "probably" not in found.message


def test_rules_that_are_off_or_clear_away_what_no_listing_shows_or_meet_an_empty_bucket_are_no_finding() -> (
    None
):
    off = {**rule("_data", **TO_GLACIER), "Status": "Disabled"}
    cleaning = rule("nowhere/", NoncurrentVersionExpiration={"NoncurrentDays": 30})
    assert HEALTHY.with_rules(*OWN_RULES, off, cleaning).codes() == []
    empty = dataclasses.replace(PLAIN, rows={})
    assert empty.with_rules(rule("_data", **TO_GLACIER)).codes() == ["no_backup_yet"]


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
@pytest.mark.parametrize("prefix", ["", "anna-laptop/", "anna-laptop/system/m", "anna-laptop/system/meta_"])
def test_a_rule_that_would_move_metadata_out_of_reach_is_critical(prefix: str, storage_class: str) -> None:
    one = rule(prefix, Transitions=[{"Days": 30, "StorageClass": storage_class}])
    found = HEALTHY.with_rules(*OWN_RULES, one).the("rule_archives_metadata")
    assert storage_class in found.message
    after = configuration(found.commands[0])
    assert after[: len(OWN_RULES)] == list(OWN_RULES)
    # A rule for metadata alone has nothing left to do.
    prefixes = [rule["Filter"]["Prefix"] for rule in after[len(OWN_RULES) :]]
    assert prefixes == ([] if "/m" in prefix else ["anna-laptop/system/data_"])
    assert HEALTHY.with_rules(*after).codes() == []


def test_before_any_metadata_is_there_the_rule_is_told_all_the_same() -> None:
    young = (
        dataclasses.replace(HEALTHY, rows=files_of(THIRD, 1))
        .without(SIGNATURES)
        .without(manifest_file(THIRD).name)
    )
    assert "rule_archives_metadata" in young.with_rules(*OWN_RULES, rule("", **TO_GLACIER)).codes()
    deeper = rule("anna-laptop/system/meta_duplicity-full", **TO_GLACIER)
    assert "rule_archives_metadata" in young.with_rules(*OWN_RULES, deeper).codes()
    volumes = rule("anna-laptop/system/data_", **TO_GLACIER)
    assert young.with_rules(*OWN_RULES, volumes).codes() == ["rule_archives_volumes"]


def test_a_class_that_can_be_read_at_once_does_no_harm_to_metadata() -> None:
    one = rule("", Transitions=[{"Days": 90, "StorageClass": "GLACIER_IR"}])
    assert HEALTHY.with_rules(*OWN_RULES, one).codes() == []


def expires(bucket: Bucket, **expiration: Any) -> Finding | None:
    found = bucket.with_rules(*OWN_RULES, rule("", Expiration=expiration)).findings()
    return next((one for one in found if one.code == "rule_expires_full"), None)


@pytest.mark.parametrize(
    ("expiration", "when"),
    [
        ({"Days": 365}, "on 2027-10-24, from under 2 increments that need it"),
        ({"Days": 31}, "on 2026-11-24, from under 2 increments"),
        ({"Days": 30}, "on 2026-11-23, from under 2 increments"),
        ({"Days": 29}, "any day now (2026-11-22 is past)"),
        ({"Date": datetime(2027, 1, 1, tzinfo=timezone.utc)}, "on 2027-01-01"),
    ],
)
def test_an_expiry_is_told_with_the_first_day_on_which_it_breaks_a_chain(
    expiration: dict[str, Any], when: str
) -> None:
    found = expires(HEALTHY, **expiration)
    assert found is not None
    assert when in found.message
    assert str(FULL) in found.message


def test_an_object_that_was_stored_at_midnight_goes_at_midnight() -> None:
    midnight = datetime(2026, 10, 23, tzinfo=timezone.utc)
    bucket = HEALTHY
    for name in files_of(FULL, 30):
        bucket = bucket.change(name, stored_at=midnight)
    found = expires(bucket, Days=365)
    assert found is not None
    assert "on 2027-10-23," in found.message


def test_an_expiry_counts_for_the_only_full_backup_and_not_for_one_that_nothing_needs_any_more() -> None:
    alone = dataclasses.replace(HEALTHY, rows=files_of(FULL, 30))
    found = expires(alone, Days=365)
    assert found is not None
    assert "and there is no newer one" in found.message
    newer = SetId(None, day(2))
    replaced = dataclasses.replace(HEALTHY, rows={**files_of(FULL, 30), **files_of(newer, 2)})
    found = expires(replaced, Days=365)
    assert found is not None
    assert str(newer) in found.message
    one = dataclasses.replace(
        HEALTHY, rows={**files_of(FULL, 30), **files_of(SECOND, 10), **files_of(newer, 2)}
    )
    found = expires(one, Days=365)
    assert found is not None
    assert "from under the increment that needs it" in found.message


def test_a_rule_that_expires_markers_or_other_keys_breaks_nothing() -> None:
    assert expires(HEALTHY, ExpiredObjectDeleteMarker=True) is None
    elsewhere = dataclasses.replace(HEALTHY, elsewhere=[ObjectRow("_service/log", stored(1))])
    assert elsewhere.with_rules(*OWN_RULES, rule("_service/", **IN_A_YEAR)).codes() == []
    open_full = dataclasses.replace(HEALTHY, rows=files_of(FULL, 30)).without(MANIFEST)
    unfinished = expires(open_full, Days=365)
    assert unfinished is not None
    assert "deletes the full backup" in unfinished.message


def test_a_rule_of_which_only_the_expiry_is_left_is_removed_and_others_stay() -> None:
    found = HEALTHY.with_rules(*OWN_RULES, rule("", **IN_A_YEAR)).the("rule_expires_full")
    assert configuration(found.commands[0]) == list(OWN_RULES)
    alone = PLAIN.with_rules(rule("", **IN_A_YEAR)).the("rule_expires_full")
    assert alone.commands == ("aws s3api delete-bucket-lifecycle --bucket annas-backup",)


def test_the_owners_choice_of_the_smallest_object_stays_in_what_is_advised() -> None:
    bucket = PLAIN.with_rules(rule("_data", **TO_GLACIER)).with_settings(
        smallest_moved="varies_by_storage_class"
    )
    assert (
        "--transition-default-minimum-object-size varies_by_storage_class"
        in bucket.the("rule_matches_nothing").commands[0]
    )


# ---------------------------------------------------------------- what no rule moves, or not in time


@pytest.mark.parametrize(("days_ago", "late"), [(7 + 3.83, False), (7 + 3.84, True), (6, False), (40, True)])
def test_a_volume_is_late_three_days_after_the_midnight_on_which_it_was_due(
    days_ago: float, late: bool
) -> None:
    bucket = dataclasses.replace(
        HEALTHY, rows=files_of(SetId(None, day(days_ago)), days_ago, storage_class="STANDARD")
    )
    assert ("transition_overdue" in bucket.codes()) is late


@pytest.mark.parametrize(
    ("size", "rule_", "default", "late"),
    [
        (131_072, {}, "all_storage_classes_128K", True),
        (131_071, {}, "all_storage_classes_128K", False),
        (131_071, {}, "varies_by_storage_class", True),
        (131_071, {"StorageClass": "GLACIER_IR"}, "varies_by_storage_class", False),
        (131_071, {"ObjectSizeGreaterThan": 1000}, "all_storage_classes_128K", True),
        (131_071, {"ObjectSizeLessThan": 10**9}, "all_storage_classes_128K", True),
    ],
)
def test_small_objects_are_exempt_unless_the_bucket_or_the_rule_says_otherwise(
    size: int, rule_: dict[str, Any], default: str, late: bool
) -> None:
    where = {"Prefix": "data_", **{name: value for name, value in rule_.items() if name != "StorageClass"}}
    moves = {"Transitions": [{"Days": 1, "StorageClass": rule_.get("StorageClass", "GLACIER")}]}
    one = {"ID": "x", "Status": "Enabled", "Filter": {"And": where}, **moves}
    bucket = as_uploaded(PLAIN).with_rules(one).with_settings(smallest_moved=default)
    for name in bucket.rows:
        bucket = bucket.change(name, size=size)
    assert ("transition_overdue" in bucket.codes()) is late


def test_dates_in_a_rule_are_told_as_texts() -> None:
    on = datetime(2027, 1, 1, tzinfo=timezone.utc)
    moving = rule("_data", Transitions=[{"Date": on, "StorageClass": "GLACIER"}])
    (changed,) = configuration(PLAIN.with_rules(moving).the("rule_matches_nothing").commands[0])
    assert changed["Transitions"] == [{"Date": "2027-01-01T00:00:00+00:00", "StorageClass": "GLACIER_IR"}]


def test_what_is_late_is_counted() -> None:
    found = HEALTHY.change(FULL_VOLUME, storage_class="STANDARD").the("transition_overdue")
    assert found.message.startswith("1 volumes of anna-laptop/system")
    assert found.evidence == f"{25 * MB} bytes, the oldest stored 2026-10-23"


def test_a_job_without_a_rule_is_told_before_anything_of_it_is_there() -> None:
    empty = dataclasses.replace(HEALTHY, rows={}, machine=dataclasses.replace(MACHINE, created_at=NOW))
    assert empty.codes() == []
    assert empty.with_rules(*CLEARING).codes() == ["no_archive_rule"]
    off = [{**one, "Status": "Disabled"} for one in OWN_RULES[:-2]]
    assert empty.with_rules(*off, *CLEARING).codes() == ["no_archive_rule"]
    other_class = rule("anna-laptop/", Transitions=[{"Days": 7, "StorageClass": "STANDARD_IA"}])
    assert empty.with_rules(other_class, *CLEARING).codes() == ["no_archive_rule"]
    right = rule("anna-laptop/system/data_", **MOVED_BY_HAND)
    assert empty.with_rules(right, *CLEARING).codes() == []
    wrong_place = rule("anna-laptop/photos/", **MOVED_BY_HAND)
    assert empty.with_rules(wrong_place, *CLEARING).codes() == ["no_archive_rule"]


def test_in_a_bucket_that_was_there_before_the_owners_own_rule_is_as_good() -> None:
    before = adopted(as_uploaded(HEALTHY))
    assert before.the("no_archive_rule").evidence.startswith("6 volumes,")
    own = rule("backups/data_", Transitions=[{"Days": 400, "StorageClass": "DEEP_ARCHIVE"}])
    assert before.with_rules(own, *CLEARING).codes() == ["rule_archives_volumes"]
    by_tag = adopted(HEALTHY)
    assert by_tag.codes() == []


CHANGED_LET_GO_RULE: dict[str, tuple[dict[str, Any] | None, Severity, str]] = {
    "gone": (None, Severity.WARNING, "is not there: what was let go stays stored"),
    "off": ({"Status": "Disabled"}, Severity.WARNING, "is off: what was let go stays stored"),
    "later": (
        {"NoncurrentVersionExpiration": {"NoncurrentDays": 400}},
        Severity.WARNING,
        "does not remove all that was let go",
    ),
    "of some": (
        {"NoncurrentVersionExpiration": {"NoncurrentDays": 30, "NewerNoncurrentVersions": 3}},
        Severity.WARNING,
        "does not remove all that was let go",
    ),
    "of some places": (
        {"Filter": {"And": {"Prefix": "anna-laptop/system/data_", "Tags": [CLEARING[0]["Filter"]["Tag"]]}}},
        Severity.WARNING,
        "does not remove all that was let go",
    ),
    "sooner": (
        {"NoncurrentVersionExpiration": {"NoncurrentDays": 29}},
        Severity.CRITICAL,
        "removes what was let go before 30 days are over: nothing brings it back then.",
    ),
    "of all": ({"Filter": {"Prefix": ""}}, Severity.CRITICAL, "asks for every object, not for the tag"),
    "of another tag": (
        {"Filter": {"Tag": {"Key": STORAGE_TAG_KEY, "Value": TAG}}},
        Severity.CRITICAL,
        f"asks for the tag {STORAGE_TAG_KEY}={TAG}, not for the tag",
    ),
}


@pytest.mark.parametrize("place", ["own", "adopted"])
@pytest.mark.parametrize("how", CHANGED_LET_GO_RULE)
def test_whoever_changes_the_rule_of_what_was_let_go_is_found_out_and_it_is_critical_where_it_ends_an_undo(
    how: str, place: str
) -> None:
    changes, severity, says = CHANGED_LET_GO_RULE[how]
    others = [one for one in OWN_RULES if one is not CLEARING[0]]
    rules = others if changes is None else [*others, {**CLEARING[0], **changes}]
    bucket = HEALTHY if place == "own" else adopted(HEALTHY)
    [found] = bucket.with_rules(*rules).findings()
    assert (found.code, found.severity, found.whose) == ("letgo_rule_differs", severity, BUCKET)
    assert f"The lifecycle rule panicroom-let-go of {BUCKET} " in found.message
    assert says in found.message
    assert found.commands == ("python -m ops audit --fix",)


def test_the_rule_of_what_was_let_go_may_come_back_from_s3_in_another_form() -> None:
    tag = CLEARING[0]["Filter"]["Tag"]
    other_form = {**CLEARING[0], "Filter": {"And": {"Prefix": "", "Tags": [tag]}}}
    assert HEALTHY.with_rules(*OWN_RULES[:-2], other_form).codes() == []


def test_rules_that_nobody_could_read_are_not_missing() -> None:
    unreadable = HEALTHY.with_settings(lifecycle=None, unreadable={"lifecycle rules": "AccessDenied"})
    assert "letgo_rule_differs" not in unreadable.codes()


def test_the_command_that_corrects_all_rules_writes_that_of_what_was_let_go_as_it_should_be() -> None:
    bad = {**CLEARING[0], "Filter": {"Prefix": ""}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}
    bucket = HEALTHY.with_rules(*OWN_RULES[:-2], bad, CLEARING[1], rule("anna-laptop/", **IN_A_YEAR))
    assert bucket.codes() == ["letgo_rule_differs", "rule_expires_full"]
    assert configuration(bucket.the("rule_expires_full").commands[0]) == list(OWN_RULES)


def test_somebody_elses_bucket_wants_no_rule_of_what_was_let_go() -> None:
    assert PLAIN.with_rules().codes() == []
    copied = {**CLEARING[0], "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}
    assert PLAIN.with_rules(copied).codes() == ["versions_expire_soon"]


def test_a_wrong_tag_is_not_told_twice_as_a_missing_rule() -> None:
    for tag in ("glacier", ""):
        bucket = HEALTHY.change(NEWEST_VOLUME, storage_tag=tag)
        assert bucket.codes() == ["wrong_tag"]
    assert HEALTHY.change(NEWEST_VOLUME, storage_tag=None).codes() == []
    other_policy = STORAGE_POLICIES[1]
    changed = HEALTHY.change(
        FULL_VOLUME, storage_tag=other_policy.tag_value, storage_class=other_policy.archive_class
    )
    assert changed.codes() == []


def test_rules_by_a_tag_of_the_owners_own_may_take_what_they_like() -> None:
    tagged = {
        "ID": "t",
        "Status": "Enabled",
        "Filter": {"Tag": {"Key": "team", "Value": "x"}},
        **MOVED_BY_HAND,
    }
    assert HEALTHY.with_rules(*OWN_RULES, tagged).codes() == []


# ---------------------------------------------------------------- objects


@pytest.mark.parametrize(
    ("name", "storage_class", "codes"),
    [
        (MANIFEST, "GLACIER", ["metadata_archived"]),
        (SIGNATURES, "DEEP_ARCHIVE", ["metadata_archived"]),
        (SIGNATURES, "GLACIER_IR", ["wrong_class"]),
        (MANIFEST, "STANDARD_IA", ["wrong_class"]),
        (FULL_VOLUME, "GLACIER", ["wrong_class"]),
        (NEWEST_VOLUME, "GLACIER_IR", []),
    ],
)
def test_metadata_is_in_standard_and_volumes_in_their_policys_class(
    name: str, storage_class: str, codes: list[str]
) -> None:
    assert HEALTHY.change(name, storage_class=storage_class).codes() == codes


def test_what_cannot_be_read_is_thawed_before_it_is_copied() -> None:
    found = WRONG["metadata_archived"].the("metadata_archived")
    words = [shlex.split(line) for line in found.commands]
    assert [line[2] for line in words] == ["restore-object", "head-object", "copy-object"]
    assert "--tagging" not in words[-1]
    assert "it cannot be read before a thaw" in found.message
    (mend,) = HEALTHY.change(MANIFEST, storage_class="STANDARD_IA").the("wrong_class").commands
    assert shlex.split(mend)[2] == "copy-object"


def test_a_volume_under_the_wrong_prefix_is_moved_with_its_tag_and_never_over_the_right_one() -> None:
    misplaced = misnamed(NEWEST_VOLUME, "meta_")
    alone = HEALTHY.without(NEWEST_VOLUME).with_rows(misplaced)
    found = alone.the("wrong_prefix")
    [copy] = map(shlex.split, found.commands)
    assert copy[copy.index("--key") + 1] == JOB.location.key(NEWEST_VOLUME)
    assert copy[copy.index("--copy-source") + 1] == f"{BUCKET}/{JOB.location.key(misplaced.name)}"
    assert copy[copy.index("--tagging") + 1] == DEFAULT_STORAGE_POLICY.tagging
    assert "duplicity does not find it" in found.message
    twice = WRONG["misplaced_copy"].the("misplaced_copy")
    assert [shlex.split(line)[2] for line in twice.commands] == ["head-object"], (
        "nothing is deleted or overwritten"
    )
    assert "the right one is there as well" in twice.message


@pytest.mark.parametrize("name", [MANIFEST, SIGNATURES])
def test_metadata_under_the_prefix_of_volumes_is_misplaced_too(name: str) -> None:
    bucket = HEALTHY.without(name).with_rows(misnamed(name, "data_"))
    found = bucket.the("wrong_prefix")
    assert "--tagging " not in found.commands[0]
    assert "duplicity does not find it" in found.message
    assert HEALTHY.with_rows(misnamed(name, "data_")).the("misplaced_copy").severity is Severity.WARNING


def test_a_file_of_more_than_five_gigabytes_is_copied_in_parts() -> None:
    big = HEALTHY.change(SIGNATURES, size=5 * 2**30 + 1, storage_class="STANDARD_IA")
    assert big.the("wrong_class").commands[0].startswith("aws s3 cp ")
    at_most = HEALTHY.change(SIGNATURES, size=5 * 2**30, storage_class="STANDARD_IA")
    assert at_most.the("wrong_class").commands[0].startswith("aws s3api copy-object ")


def test_metadata_with_a_tag_will_be_archived_and_is_told() -> None:
    found = HEALTHY.change(MANIFEST, storage_tag=TAG).the("wrong_tag")
    assert "a rule for volumes will archive it" in found.message
    assert "delete-object-tagging" in found.commands[0]
    volume = HEALTHY.change(FULL_VOLUME, storage_tag="").the("wrong_tag")
    assert f"TagSet=[{{Key={STORAGE_TAG_KEY},Value={TAG}}}]" in shlex.split(volume.commands[0])


def test_files_that_somebody_else_named_without_prefixes_are_not_misplaced() -> None:
    bare = [dataclasses.replace(row, name=row.name[5:]) for row in PLAIN.rows.values()]
    plain = dataclasses.replace(PLAIN, rows={row.name: row for row in bare}).with_rules()
    assert "wrong_prefix" not in plain.codes()
    ours = dataclasses.replace(HEALTHY, rows={row.name: row for row in bare})
    found = [one for one in ours.findings() if one.code == "backup_unmanaged"]
    assert len(found) == len(bare)
    for one in found:
        assert "without the prefixes data_ and meta_" in one.message
        assert all(line.startswith("aws s3 ls ") for line in one.commands), "no copy of one file, no deletion"


def test_what_is_gone_or_the_services_own_is_no_stray() -> None:
    elsewhere = [ObjectRow("gone.txt", None), ObjectRow("_service/state", stored(1))]
    assert dataclasses.replace(HEALTHY, elsewhere=elsewhere).codes() == []
    foreign = dataclasses.replace(PLAIN.with_rules(), elsewhere=[ObjectRow("_service/state", stored(1))])
    assert foreign.codes() == ["stray"]


def test_a_stray_below_a_job_is_that_jobs_and_a_late_file_of_it_is_none() -> None:
    watched = WatchedJob(JOB, Custody.OWN)
    audit = BucketAudit(HEALTHY.settings, {watched: []}, HEALTHY.expected, NOW, is_own_bucket=True)
    audit.add(watched, ObjectRow("notes.txt", stored(1)))
    audit.add_stray(ObjectRow(JOB.location.key(FULL_VOLUME), stored(1)), watched)
    (found,) = audit.findings()
    assert (found.code, found.machine, found.job) == ("stray", "anna-laptop", "system")
    assert found.subject == "anna-laptop/system/notes.txt"


EMPTY = BackupSet(THIRD)


def judged(name: str, custody: Custody = Custody.OWN, **fields: Any) -> list[Finding]:
    return check_object(WatchedJob(JOB, custody), ObjectRow(name, stored(1, **fields)), EMPTY)


def test_what_is_no_file_of_a_backup_or_gone_is_not_judged_as_one() -> None:
    assert judged("notes.txt", storage_class="GLACIER") == []
    assert check_object(WatchedJob(JOB, Custody.OWN), ObjectRow(MANIFEST, None), EMPTY) == []


def test_in_a_strangers_bucket_a_wrong_prefix_is_one_and_class_and_tag_are_their_own_affair() -> None:
    misplaced = misnamed(NEWEST_VOLUME, "meta_").name
    for custody in Custody:
        (found,) = judged(misplaced, custody, storage_tag=TAG)
        assert found.code == "wrong_prefix"
        assert ("--tagging " in found.commands[0]) is (custody is Custody.OWN)
        codes = [one.code for one in judged(NEWEST_VOLUME, custody, storage_class="GLACIER", storage_tag="x")]
        assert codes == (["wrong_class", "wrong_tag"] if custody is Custody.OWN else [])
        assert [one.code for one in judged(MANIFEST, custody, storage_class="GLACIER")] == [
            "metadata_archived"
        ]


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        (misnamed(NEWEST_VOLUME, "meta_").name, {}, "A volume of the set"),
        (misnamed(MANIFEST, "data_").name, {}, "A manifest file of the set"),
        (NEWEST_VOLUME, {"storage_class": "STANDARD_IA", "storage_tag": TAG}, "Volume 1 of the set"),
        (MANIFEST, {"storage_class": "STANDARD_IA"}, "The manifest file of the set"),
        (NEWEST_VOLUME, {"storage_tag": "x"}, f"has the tag {STORAGE_TAG_KEY}=x: no rule will archive it."),
        (NEWEST_VOLUME, {"storage_tag": ""}, f"has no tag {STORAGE_TAG_KEY}: no rule will archive it."),
    ],
)
def test_a_file_is_called_what_it_is(name: str, fields: dict[str, Any], said: str) -> None:
    (found,) = judged(name, **fields)
    assert said in found.message
    assert "thaw" not in found.message


def test_a_volume_whose_tag_nobody_has_read_may_be_in_its_jobs_class_only() -> None:
    assert judged(NEWEST_VOLUME, storage_class="GLACIER_IR", storage_tag=None) == []
    assert [one.code for one in judged(NEWEST_VOLUME, storage_class="GLACIER", storage_tag=None)] == [
        "wrong_class"
    ]


def test_whose_a_stray_is() -> None:
    def told(key: str, job: Job | None, *, own: bool) -> list[tuple[str, str]]:
        found = check_stray(BUCKET, ObjectRow(key, stored(1)), job, is_own_bucket=own)
        return [(one.code, one.whose) for one in found]

    old = f"old-laptop/system/{FULL_VOLUME}"
    assert told(old, None, own=True) == [("unknown_job", BUCKET)]
    assert told(old, None, own=False) == [("backup_unmanaged", BUCKET)]
    assert told("old-laptop/system/notes.txt", None, own=True) == [("stray", BUCKET)]
    assert told(JOB.location.key("notes.txt"), JOB, own=True) == [("stray", "anna-laptop/system")]
    assert told(JOB.location.key(FULL_VOLUME), JOB, own=True) == []


def test_volumes_that_were_there_before_and_have_no_tag_need_a_rule_by_prefix() -> None:
    bucket = adopted(HEALTHY)
    for name in files_of(THIRD, 1):
        bucket = bucket.change(name, storage_tag="")
    assert bucket.the("no_archive_rule").evidence.startswith("2 volumes,")


def test_a_hundred_thousand_strays_make_a_hundred_findings() -> None:
    many = [ObjectRow(f"holiday-{number}.jpg", stored(1)) for number in range(MOST_ALIKE + 1)]
    *shown, left_off = sorted(
        dataclasses.replace(HEALTHY, elsewhere=many).findings(),
        key=lambda finding: "more than" in finding.subject,
    )
    assert len(shown) == MOST_ALIKE
    assert left_off.subject.endswith(f"more than {MOST_ALIKE}"), left_off
    of_one_job = [ObjectRow(f"old/system/{volume_file(FULL, n).name}", stored(1)) for n in range(1, 200)]
    assert len(dataclasses.replace(HEALTHY, elsewhere=of_one_job).findings()) == 1


# ---------------------------------------------------------------- settings


def test_each_prefix_of_the_bucket_has_to_send_every_kind_of_event() -> None:
    def found(*receivers: Receiver, prefixes: tuple[str, ...] = ("a/", "b/")) -> list[tuple[str, str]]:
        settings = dataclasses.replace(HEALTHY.settings, receivers=receivers)
        told = check_settings(settings, Expected("eu-central-1", QUEUE, prefixes), NOW)
        return [(one.code, one.subject) for one in told]

    both = [("notifications_missing", f"{BUCKET}/a/"), ("notifications_missing", f"{BUCKET}/b/")]
    assert found() == both
    assert found(Receiver(QUEUE, NEEDED_EVENTS)) == []
    assert found(Receiver(QUEUE, NEEDED_EVENTS, "a/")) == both[1:]
    assert found(Receiver(QUEUE, NEEDED_EVENTS, "a/"), Receiver(QUEUE, NEEDED_EVENTS, "b")) == []
    assert found(Receiver(QUEUE, NEEDED_EVENTS, "a/deeper/"), prefixes=("a/",)) == both[:1]
    assert found(Receiver(QUEUE, NEEDED_EVENTS, suffix=".gpg")) == both
    assert found(Receiver(QUEUE, NEEDED_EVENTS[1:])) == both
    piecemeal = [Receiver(QUEUE, (event,)) for event in NEEDED_EVENTS]
    assert found(*piecemeal) == []
    assert found(Receiver(QUEUE, ("s3:*",))) == []
    assert found(Receiver(QUEUE, ("s3:ObjectCreated:Put", *NEEDED_EVENTS[1:]))) == both


def test_another_receiver_is_in_the_way_only_of_the_same_keys_and_events() -> None:
    def codes(*receivers: Receiver) -> list[str]:
        settings = dataclasses.replace(HEALTHY.settings, receivers=receivers)
        return [one.code for one in check_settings(settings, Expected("eu-central-1", QUEUE, ("a/",)), NOW)]

    mine = "arn:aws:sns:x"
    for keys in ("", "a/", "a/b/"):
        assert codes(Receiver(mine, ("s3:ObjectCreated:Put",), keys)) == ["notifications_elsewhere"]
    assert codes(Receiver(mine, ("s3:ObjectCreated:*",), "b/")) == ["notifications_missing"]
    assert codes(Receiver(mine, ("s3:ObjectTagging:*",))) == ["notifications_missing"]
    assert codes(Receiver(mine, ("s3:ObjectCreated:*",)), Receiver(QUEUE, NEEDED_EVENTS, "a/")) == []


def test_receivers_are_read_from_s3s_own_form() -> None:
    told = receivers_of(
        {
            "QueueConfigurations": [{"QueueArn": "q", "Events": ["s3:ObjectCreated:*"]}],
            "TopicConfigurations": [
                {
                    "TopicArn": "t",
                    "Events": ["s3:ObjectRemoved:*"],
                    "Filter": {
                        "Key": {
                            "FilterRules": [
                                {"Name": "Prefix", "Value": "my+backups/"},
                                {"Name": "Suffix", "Value": ".x"},
                            ]
                        }
                    },
                }
            ],
            "LambdaFunctionConfigurations": [{"LambdaFunctionArn": "f", "Events": []}],
        }
    )
    assert told == (
        Receiver("q", ("s3:ObjectCreated:*",)),
        Receiver("t", ("s3:ObjectRemoved:*",), "my backups/", ".x"),
        Receiver("f", ()),
    )


def test_what_could_not_be_read_is_not_judged() -> None:
    blind = BucketSettings(BUCKET, unreadable={"everything": "AccessDenied"})
    assert [one.code for one in check_settings(blind, HEALTHY.expected, NOW)] == ["setting_unreadable"]


def test_a_stranger_is_not_asked_for_the_services_region_and_events() -> None:
    assert check_settings(dataclasses.replace(HEALTHY.settings, region="mars", receivers=()), None, NOW) == []


@pytest.mark.parametrize(
    ("size", "severity"),
    [(2**30, Severity.WARNING), (2**30 - 1, Severity.INFO), (8 * MB, None), (25 * MB, Severity.INFO)],
)
def test_old_versions_are_worth_a_word_from_a_tenth_and_a_warning_from_a_gigabyte(
    size: int, severity: Severity | None
) -> None:
    row = dataclasses.replace(
        HEALTHY.rows[MANIFEST],
        noncurrent={"GLACIER": Tally(1, size // 2), "STANDARD": Tally(1, size - size // 2)},
    )
    found = HEALTHY.with_rows(row).findings()
    assert [one.severity for one in found] == ([severity] if severity else [])
    assert exit_code(found) == (1 if severity is Severity.WARNING else 0)
    if found:
        assert f"{size} bytes" in found[0].evidence


def test_old_versions_that_the_buckets_rule_will_remove_do_not_pile_up() -> None:
    row = dataclasses.replace(HEALTHY.rows[MANIFEST], noncurrent={"STANDARD": Tally(40, 2**30)})
    file = parse_file_name(MANIFEST)
    assert file is not None
    watched, of_set = WatchedJob(JOB, Custody.OWN), file.set_id

    def codes(**expiring: Any) -> list[str]:
        rows = {**HEALTHY.rows, MANIFEST: row}
        sets = {watched: sets_of(rows.values())}
        audit = BucketAudit(HEALTHY.settings, sets, HEALTHY.expected, NOW, is_own_bucket=True, **expiring)
        for one in rows.values():
            audit.add(watched, one)
        return [one.code for one in audit.findings()]

    assert codes() == ["noncurrent_piling_up"]
    assert codes(expiring={watched.label: {of_set}}) == []
    assert codes(expiring={"other/system": {of_set}}) == ["noncurrent_piling_up"]


def test_no_advice_has_a_rule_remove_old_versions_that_carry_no_tag() -> None:
    advice = CODES["noncurrent_piling_up"].advice
    assert f"{LET_GO_TAG_KEY}={LET_GO_TAG_VALUE}" in advice
    assert "ops retention drop" in advice


def test_old_versions_of_what_was_deleted_count_where_nothing_is_current() -> None:
    ghost = ObjectRow("holiday.jpg", None, noncurrent={"STANDARD": Tally(1, 2**31)})
    assert dataclasses.replace(HEALTHY, elsewhere=[ghost]).codes() == ["noncurrent_piling_up"]


def test_unfinished_uploads_are_told_with_their_bytes_and_how_to_abort_each() -> None:
    uploads = tuple(UnfinishedUpload(f"key {n}", f"id{n}", NOW - (8 + n) * DAY, 10) for n in range(12))
    found = HEALTHY.with_settings(uploads=uploads).the("uploads_piling_up")
    assert "12 uploads" in found.message
    assert found.evidence == "12 uploads, 120 bytes, the oldest begun 2026-11-03"
    assert len(found.commands) == 11
    assert shlex.split(found.commands[1])[-4:] == ["--key", "key 0", "--upload-id", "id0"]


# ---------------------------------------------------------------- machines, and the rest


def test_what_happened_counts_for_a_week_and_once_a_kind() -> None:
    week = [notice("second_run", 7), notice("second_run", 2), notice("discard_refused", 7.01)]
    (found,) = findings_of_notices(week, NOW)
    assert (found.code, found.subject) == ("second_run", "2026-11-20")
    assert findings_of_notices([notice("unheard_of")], NOW) == []


@pytest.mark.parametrize(
    ("code", "typed"),
    [
        ("discard_refused", "machine revoke anna-laptop"),
        ("second_run", "machine revoke anna-laptop"),
        ("code_reused", "machine revoke anna-laptop"),
        ("code_retyped", "machine show anna-laptop"),
        ("late_upload", "machine revoke anna-laptop"),
        ("storage_cap_reached", "machine set anna-laptop --storage-cap 20TB"),
        ("download_cap_reached", "machine set anna-laptop --download-cap 1000GB"),
        ("catalogue_differed", "dead-letters list"),
        ("over_budget", "report preview"),
    ],
)
def test_after_each_notice_there_is_something_to_type(code: str, typed: str) -> None:
    (found,) = findings_of_notices([notice(code)], NOW)
    assert f"python -m ops {typed}" in found.commands


def test_silence_is_told_after_period_and_grace_unless_the_machine_is_paused() -> None:
    def told(hours: float, **fields: Any) -> bool:
        machine = dataclasses.replace(MACHINE, created_at=NOW - timedelta(hours=hours), **fields)
        return bool(find_silence(machine, JOB, [], NOW))

    assert (told(48), told(48.1)) == (False, True)
    assert not told(100, paused_at=NOW)
    never = find_silence(dataclasses.replace(MACHINE, token_sha256=None), JOB, [], NOW)[0]
    assert "python -m ops machine add anna-laptop" in never.commands
    assert len(find_silence(MACHINE, JOB, [], NOW)[0].commands) == 1


def test_commands_name_the_stage_unless_it_is_the_local_one() -> None:
    typed = ("python -m ops audit --fix", "aws s3 ls", "panicroom backup")
    assert at_stage(typed, "local") == typed
    assert at_stage(typed, "home") == ("python -m ops audit --fix --stage home", *typed[1:])


def test_findings_of_a_kind_are_told_apart_by_what_they_are_about() -> None:
    keys = [one.key for bucket in WRONG.values() for one in bucket.findings()]
    assert len(set(keys)) == len(keys)
