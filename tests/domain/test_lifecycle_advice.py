"""The advice about a bucket's lifecycle rules, typed as it stands: it takes nothing of any backup."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.domain.audit.bucket_audit import BucketAudit
from chalicelib.domain.audit.bucket_settings import BucketSettings, Expected
from chalicelib.domain.audit.codes.code import Concern, Severity
from chalicelib.domain.audit.custody import Custody, WatchedJob
from chalicelib.domain.audit.finding_codes import CODES
from chalicelib.domain.audit.findings import Finding
from chalicelib.domain.audit.lifecycle.coverage import shortest_old_versions_days
from chalicelib.domain.audit.lifecycle.own_rules import own_rules
from chalicelib.domain.audit.lifecycle.rules import Rule, rule_of
from chalicelib.domain.backups.foreign_names import form_of
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import Location, SetId, manifest_file, signatures_file, volume_file
from chalicelib.domain.backups.objects import ObjectRow, StoredObject
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.storage import (
    DEFAULT_STORAGE_POLICY,
    KEPT_IN_STANDARD,
    STORAGE_POLICIES,
    STORAGE_TAG_KEY,
    StoragePolicy,
    needs_thaw,
)

NOW = datetime(2026, 11, 29, 12, tzinfo=timezone.utc)
DAY = timedelta(days=1)
BUCKET = "carlas-backup"


@dataclasses.dataclass(frozen=True)
class Place:
    """A bucket with a chain of a full set and an increment, a file that is no backup's, and perhaps a set of no job."""

    custody: Custody
    prefix: str
    is_prefixed: bool
    age_days: int
    has_unknown_chain: bool = False
    storage: StoragePolicy = DEFAULT_STORAGE_POLICY

    @property
    def job(self) -> Job:
        return Job("carla", "system", Location(BUCKET, self.prefix), storage=self.storage)

    @property
    def sets(self) -> list[BackupSet]:
        full = SetId(None, NOW - self.age_days * DAY)
        increment = SetId(full.end, NOW - self.age_days * DAY / 2)
        return [
            BackupSet(set_id, frozenset({1}), 1, True, True, set_id.end, {}, {}, set_id.end)
            for set_id in (full, increment)
        ]

    @property
    def rows(self) -> list[ObjectRow]:
        found = []
        for backup_set in self.sets:
            for file in (
                volume_file(backup_set.set_id, 1),
                manifest_file(backup_set.set_id),
                signatures_file(backup_set.set_id),
            ):
                name = file.name if self.is_prefixed else dataclasses.replace(file, prefix="").name
                size = 26_000_000 if file.volume else 1000
                found.append(ObjectRow(name, StoredObject(size, "e", "STANDARD", backup_set.set_id.end)))
        return found

    @property
    def others(self) -> list[ObjectRow]:
        """What nobody watches: whole keys."""
        names = ["logs/2026-11-29.txt"]
        if self.has_unknown_chain:
            names.append(f"attic/{volume_file(SetId(None, NOW - 99 * DAY), 1).name}")
        return [ObjectRow(name, StoredObject(26_000_000, "e", "STANDARD", NOW - 99 * DAY)) for name in names]

    def audit(self, rules: Sequence[Mapping[str, Any]]) -> list[Finding]:
        watched = WatchedJob(self.job, self.custody)
        bucket = BucketSettings(BUCKET, lifecycle=tuple(rules))
        own = self.custody is Custody.OWN
        queue = "arn:aws:sqs:eu-central-1:123456789012:panicroom-home-events"
        foreign = self.custody is Custody.FOREIGN
        expected = None if foreign else Expected("eu-central-1", queue, (self.prefix,))
        audit = BucketAudit(bucket, {watched: self.sets}, expected, NOW, is_own_bucket=own)
        for row in self.rows:
            audit.add(watched, row)
        for row in self.others:
            audit.add_unwatched(row)
        return [one for one in audit.findings() if CODES[one.code].concern is Concern.BUCKET]

    def is_taken(self, rule: Rule, row: ObjectRow) -> bool:
        """Whether a rule that is on takes a file of the job's; a tag that is not known may be the rule's."""
        assert row.stored is not None
        tags: dict[str, str | None] = {}
        if self.custody is not Custody.FOREIGN:
            is_tagged = self.custody is Custody.OWN and self.is_prefixed and "difftar" in row.name
            tags[STORAGE_TAG_KEY] = self.job.storage.tag_value if is_tagged else None
        return rule.enabled and rule.takes(self.job.location.key(row.name), row.stored.size, tags)


def rules_after(findings: Sequence[Finding], before: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The bucket's rules once every command of every finding was typed, in the order in which they are shown."""
    rules = list(before)
    for line in (line for one in findings for line in one.commands):
        words = shlex.split(line)
        if "put-bucket-lifecycle-configuration" in words:
            rules = json.loads(words[words.index("--lifecycle-configuration") + 1])["Rules"]
        if "delete-bucket-lifecycle" in words:
            rules = []
    return rules


PREFIXES = [
    *(
        "",
        "laptop/",
        "laptop",
        "lap",
        "laptop/_data",
        "laptop/data_",
        "laptop/data",
        "laptop/meta_",
        "_data",
        "data_",
    ),
    *("meta_", "laptop/data_duplicity-inc", "laptop/duplicity-full-signatures", "duplicity-", "logs/"),
]
NARROWER = st.one_of(
    st.just({}),
    st.integers(0, 10**6).map(lambda size: {"ObjectSizeGreaterThan": size}),
    st.integers(1, 10**8).map(lambda size: {"ObjectSizeLessThan": size}),
    st.sampled_from(
        [("team", "x"), (STORAGE_TAG_KEY, "glacier-ir-7d"), (STORAGE_TAG_KEY, "deep-archive-7d")]
    ).map(lambda tag: {"Tags": [{"Key": tag[0], "Value": tag[1]}]}),
)
FILTERS = {
    "the old form": st.sampled_from(PREFIXES).map(lambda prefix: {"Prefix": prefix}),
    "the present form": st.one_of(
        st.just({"Filter": {}}),
        st.sampled_from(PREFIXES).map(lambda prefix: {"Filter": {"Prefix": prefix}}),
        st.tuples(st.sampled_from(PREFIXES), NARROWER).map(
            lambda both: {"Filter": {"And": {"Prefix": both[0], **both[1]}} if both[1] else {}}
        ),
        st.just({"Filter": {"Tag": {"Key": "team", "Value": "x"}}}),
    ),
}
CLASSES = ["STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"]
DATES = st.sampled_from(["2026-01-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00"])
WHEN = {
    "Days": st.integers(0, 400),
    "Date": DATES,
}
ACTIONS = st.sampled_from(list(WHEN)).flatmap(
    lambda unit: st.fixed_dictionaries(
        {},
        optional={
            "Expiration": st.one_of(
                WHEN[unit].map(lambda when: {unit: when or 1}), st.just({"ExpiredObjectDeleteMarker": True})
            ),
            "Transitions": st.lists(
                st.tuples(WHEN[unit], st.sampled_from(CLASSES)),
                min_size=1,
                max_size=3,
                unique_by=lambda one: one[1],
            ).map(lambda moves: [{unit: when, "StorageClass": name} for when, name in sorted(moves)]),
            "NoncurrentVersionExpiration": st.integers(1, 90).map(lambda days: {"NoncurrentDays": days}),
        },
    )
)
# S3 takes a configuration in one form, and a rule's times in one unit.
RULES = st.sampled_from(list(FILTERS)).flatmap(
    lambda form: st.lists(
        st.tuples(FILTERS[form], ACTIONS.filter(bool), st.sampled_from(["Enabled", "Enabled", "Disabled"])),
        max_size=4,
    ).map(
        lambda parts: [
            {"ID": f"rule-{index}", "Status": status, **where, **actions}
            for index, (where, actions, status) in enumerate(parts)
        ]
    )
)
PLACES = st.builds(
    Place,
    custody=st.sampled_from(Custody),
    prefix=st.sampled_from(["", "laptop/"]),
    is_prefixed=st.booleans(),
    age_days=st.integers(2, 700),
    has_unknown_chain=st.booleans(),
    storage=st.sampled_from(STORAGE_POLICIES),
)


def with_dates(rules: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """As boto3 returns them."""

    def dated(action: object) -> object:
        if isinstance(action, list):
            return [dated(one) for one in action]
        if isinstance(action, dict) and "Date" in action:
            return {**action, "Date": datetime.fromisoformat(action["Date"])}
        return action

    return [{name: dated(value) for name, value in rule.items()} for rule in rules]


def rule(prefix: str, **actions: Any) -> dict[str, Any]:
    return {"ID": "mine", "Status": "Enabled", "Filter": {"Prefix": prefix}, **actions}


FLEXIBLE = StoragePolicy("GLACIER", 7)
WITHOUT_PREFIXES = Place(Custody.OWN, "laptop/", False, 9)
TO_GLACIER = {"Transitions": [{"Days": 0, "StorageClass": "GLACIER"}]}
ONE_ZONE_THEN_GLACIER = {
    "Transitions": [{"Days": 0, "StorageClass": "ONEZONE_IA"}, {"Days": 1, "StorageClass": "GLACIER"}]
}
SMALL_ONES_TO_TIERS = {
    "ID": "small",
    "Status": "Enabled",
    "Filter": {"And": {"Prefix": "", "ObjectSizeLessThan": 1001}},
    "Transitions": [{"Days": 0, "StorageClass": "INTELLIGENT_TIERING"}],
}
EXPIRES_OLD = {"NoncurrentVersionExpiration": {"NoncurrentDays": 1}}


@settings(max_examples=60)
@example(WITHOUT_PREFIXES, [rule("laptop/duplicity-full-signatures", **TO_GLACIER)])
@example(WITHOUT_PREFIXES, [rule("laptop/data_", **TO_GLACIER)])
@example(WITHOUT_PREFIXES, [rule("duplicity-", **EXPIRES_OLD, **TO_GLACIER)])
@example(
    dataclasses.replace(WITHOUT_PREFIXES, custody=Custody.ADOPTED), [rule("", **TO_GLACIER, **EXPIRES_OLD)]
)
@example(dataclasses.replace(WITHOUT_PREFIXES, custody=Custody.FOREIGN), [rule("laptop/data_", **TO_GLACIER)])
@example(
    dataclasses.replace(WITHOUT_PREFIXES, custody=Custody.FOREIGN),
    [rule("laptop/data_", **ONE_ZONE_THEN_GLACIER)],
)
@example(Place(Custody.OWN, "", True, 9), [SMALL_ONES_TO_TIERS])
@example(Place(Custody.ADOPTED, "laptop/", True, 9, storage=FLEXIBLE), [rule("laptop/", **TO_GLACIER)])
@example(Place(Custody.ADOPTED, "", False, 9, storage=FLEXIBLE), [rule("", **TO_GLACIER)])
@given(PLACES, RULES)
def test_whoever_types_all_of_the_advice_loses_nothing_and_is_worse_off_in_nothing(
    place: Place, rules: list[dict[str, Any]]
) -> None:
    before = place.audit(with_dates(rules))
    typed = rules_after(before, rules)
    after = with_dates(typed)
    for document in after:
        rule = rule_of(document)
        taken = [row.name for row in place.rows if place.is_taken(rule, row)]
        assert not (taken and rule.expires), document
        assert not (taken and (rule.old_versions_days or 30) < 30), document
        moved_to = {one.storage_class for one in rule.transitions}
        assert not taken or all(map(place.storage.accepts, moved_to)), document
        metadata = [name for name in taken if "difftar" not in name]
        sinking = {name for name in moved_to if needs_thaw(name) or name == "INTELLIGENT_TIERING"}
        assert not (metadata and sinking), document
        assert not (
            rule.enabled
            and rule.expires
            and any(
                form_of(row.name) and rule.takes(row.name, row.stored.size, None)
                for row in place.others
                if row.stored
            )
        ), document
    assert len({"Prefix" in document for document in after}) <= 1, "S3 refuses both forms together"
    again = place.audit(after)
    worse = {one.code for one in again} - {one.code for one in before}
    assert worse <= {"transition_overdue"}, "what a corrected rule moves may be on its way"
    assert not [one for one in again if one.severity is Severity.CRITICAL]
    assert rules_after(again, typed) == typed, "the advice comes to an end"


def only(rules: Sequence[Mapping[str, Any]], custody: Custody = Custody.FOREIGN) -> list[Finding]:
    return Place(custody, "laptop/", True, 30).audit(rules)


def test_all_findings_about_rules_have_the_same_command() -> None:
    rules = [
        rule("laptop/_data", Transitions=[{"Days": 1, "StorageClass": "GLACIER"}], Expiration={"Days": 365}),
        {"ID": "old form", "Status": "Enabled", "Prefix": "laptop/", "Expiration": {"Days": 90}},
    ]
    found = only(rules)
    assert len(found) == 3
    assert len({one.commands for one in found}) == 1
    assert rules_after(found, rules) == [
        rule("laptop/data_", Transitions=[{"Days": 1, "StorageClass": "GLACIER_IR"}])
    ]
    assert all('- {"Expiration": {"Days": 90}' in one.evidence for one in found), "the difference is shown"


@pytest.mark.parametrize(
    ("prefix", "what"),
    [
        ("laptop/data_duplicity-inc", "deletes the increment"),
        ("laptop/meta_", "deletes metadata of the full backup"),
        ("laptop/meta_duplicity-new-signatures", "deletes metadata of the increment"),
    ],
)
def test_a_rule_that_takes_anything_of_a_chain_is_critical_with_its_date(prefix: str, what: str) -> None:
    [found] = only([rule(prefix, Expiration={"Days": 365})])
    assert (found.code, found.severity) == ("rule_expires_backup", Severity.CRITICAL)
    assert what in found.message
    assert " on 2027-" in found.message


def test_the_last_finished_backup_is_not_expired_while_the_next_full_one_grows() -> None:
    place = Place(Custody.FOREIGN, "laptop/", True, 30)
    watched = WatchedJob(place.job, place.custody)
    full = place.sets[0]
    growing = dataclasses.replace(full, set_id=SetId(None, NOW), sealed_at=None)
    mine = rule("laptop/data_", Expiration={"Days": 365})
    audit = BucketAudit(
        BucketSettings(BUCKET, lifecycle=(mine,)), {watched: [full, growing]}, None, NOW, is_own_bucket=False
    )
    audit.add(watched, place.rows[0])
    [found] = [one for one in audit.findings() if one.code == "rule_expires_full"]
    assert f"the full backup {full.set_id} of carla/system" in found.message


def test_backup_files_of_no_known_job_are_not_expired_either() -> None:
    place = Place(Custody.OWN, "laptop/", True, 30)
    watched = WatchedJob(place.job, place.custody)
    mine = rule("attic/", Expiration={"Days": 30})
    audit = BucketAudit(
        BucketSettings(BUCKET, lifecycle=(*own_rules(), mine)), {watched: []}, None, NOW, is_own_bucket=True
    )
    audit.add_unwatched(ObjectRow("attic/df.l8ph0.1.dt.g", StoredObject(10, "e", "STANDARD", NOW)))
    [found] = [one for one in audit.findings() if one.code == "rule_expires_backup"]
    assert "attic/df.l8ph0.1.dt.g" in found.message
    assert rules_after([found], [mine]) == own_rules()


def test_an_expiry_of_other_files_stays() -> None:
    logs = rule("logs/", Expiration={"Days": 90})
    broken = {**rule("laptop/_data", Transitions=[{"Days": 1, "StorageClass": "GLACIER_IR"}]), "ID": "other"}
    found = only([logs, broken])
    assert logs in rules_after(found, [logs, broken])


def test_old_versions_are_kept_for_a_month() -> None:
    [found] = only(
        [rule("", NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 2})]
    )
    assert found.code == "versions_expire_soon"
    assert "1 day after" in found.message
    [after] = rules_after([found], [])
    assert after["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30, "NewerNoncurrentVersions": 2}


def test_the_advice_for_an_own_bucket_has_the_rules_that_are_missing() -> None:
    found = only([rule("", Expiration={"Days": 365})], Custody.OWN)
    assert {one.code for one in found} == {"rule_expires_full", "no_archive_rule", "letgo_rule_differs"}
    assert rules_after([one for one in found if one.code == "rule_expires_full"], []) == own_rules()


def test_what_archives_is_advised_to_use_a_class_that_can_be_read_at_once() -> None:
    [found] = only([rule("laptop/data_", Transitions=[{"Days": 40, "StorageClass": "DEEP_ARCHIVE"}])])
    assert (found.code, found.severity) == ("rule_archives_volumes", Severity.WARNING)
    assert "GLACIER_IR" in found.commands[0]
    assert '"StorageClass": "GLACIER"' not in found.commands[0]
    assert "`--storage deep` with `python -m ops machine add` makes it the job's policy" in found.message


def test_what_the_owner_chose_is_no_trap_and_what_takes_longer_still_is() -> None:
    def codes(policy: StoragePolicy, storage_class: str) -> list[str]:
        place = Place(Custody.ADOPTED, "laptop/", True, 30, storage=policy)
        mine = rule("laptop/data_", Transitions=[{"Days": 40, "StorageClass": storage_class}])
        return [one.code for one in place.audit([mine]) if one.code.startswith("rule_")]

    deep = StoragePolicy("DEEP_ARCHIVE", 30)
    assert codes(FLEXIBLE, "GLACIER") == codes(deep, "GLACIER") == codes(deep, "DEEP_ARCHIVE") == []
    assert codes(FLEXIBLE, "DEEP_ARCHIVE") == ["rule_archives_volumes"]
    assert codes(KEPT_IN_STANDARD, "GLACIER") == ["rule_archives_volumes"]


def test_the_finding_names_the_command_that_makes_the_rule_the_jobs_policy() -> None:
    mine = rule("laptop/data_", **TO_GLACIER)
    [found] = [one for one in only([mine], Custody.ADOPTED) if one.code == "rule_archives_volumes"]
    assert "`python -m ops machine set carla --job system --storage flexible`" in found.message


def test_metadata_is_kept_out_of_an_archive_though_its_volumes_may_go_there() -> None:
    place = Place(Custody.ADOPTED, "laptop/", True, 30, storage=FLEXIBLE)
    found = place.audit([rule("laptop/", **TO_GLACIER)])
    assert [one.code for one in found if one.code.startswith("rule_")] == ["rule_archives_metadata"]
    [after, *added] = rules_after(found, [])
    assert [one["ID"] for one in added] == ["panicroom-let-go", "panicroom-home-expired-markers-344b5282"]
    assert added[1]["Filter"] == {"Prefix": "laptop/"}
    assert (after["Filter"], after["Transitions"]) == ({"Prefix": "laptop/data_"}, TO_GLACIER["Transitions"])


def test_a_job_that_stays_in_standard_wants_no_rule_and_an_earlier_tag_still_does() -> None:
    kept = Place(Custody.OWN, "laptop/", True, 30, storage=KEPT_IN_STANDARD)
    assert [one.code for one in kept.audit([])] == ["letgo_rule_differs"]
    watched = WatchedJob(kept.job, Custody.OWN)
    [full, _] = kept.sets
    audit = BucketAudit(BucketSettings(BUCKET), {watched: [full]}, None, NOW, is_own_bucket=True)
    name = volume_file(full.set_id, 1).name
    for tag in ("standard", DEFAULT_STORAGE_POLICY.tag_value):
        stored = StoredObject(26_000_000, "e", "STANDARD", full.set_id.end, storage_tag=tag)
        audit.add(watched, ObjectRow(name, stored))
    [found] = [one for one in audit.findings() if one.code == "no_archive_rule"]
    assert "were stored under an earlier policy" in found.message
    assert found.evidence.startswith("1 volumes")


@pytest.mark.parametrize(
    ("rules", "days"),
    [
        ([], None),
        ([rule("", Expiration={"Days": 1})], None),
        ([rule("laptop/data_", NoncurrentVersionExpiration={"NoncurrentDays": 90})], 90),
        ([rule("laptop/", NoncurrentVersionExpiration={"NoncurrentDays": 9}), *own_rules()], 9),
        ([rule("logs/", NoncurrentVersionExpiration={"NoncurrentDays": 1})], None),
        ([{**rule("", NoncurrentVersionExpiration={"NoncurrentDays": 1}), "Status": "Disabled"}], None),
    ],
)
def test_the_soonest_removal_of_old_versions_is_of_rules_that_are_on_and_may_take_the_jobs_files(
    rules: list[dict[str, Any]], days: int | None
) -> None:
    assert shortest_old_versions_days(map(rule_of, rules), "laptop/") == days
