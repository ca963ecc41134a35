"""The owner's commands about retention, as the admin function carries them out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from chalicelib.domain.audit.findings import new_finding
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import SetId, manifest_file, signatures_file, volume_file
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.retention.let_go import UNDO_IMPOSSIBLE
from chalicelib.journeys.admin import retention
from ops.buckets import let_go_files
from ops.buckets.let_go_files import bring_back_let_go, remove_for_good
from tests.service.conftest import BUCKET, Service, later

PREFIX = "anna-laptop/system/"
OLD, INC, NEW = "full.20240101T040000Z", "inc.20240101T040000Z.to.20240201T040000Z", "full.20240601T040000Z"
TAG = {"Key": "panicroom-let-go", "Value": "yes"}


class Owner:
    """An enrolled machine whose backups are put straight into the bucket, at the service's own time."""

    def __init__(self, service: Service) -> None:
        self.service = service
        service.enrolled()

    def stores(self, set_name: str, *, volumes: int = 2, size: int = 1000, sealed: bool = True) -> None:
        set_id = SetId.parse(set_name)
        names = [volume_file(set_id, number).name for number in range(1, volumes + 1)]
        names.append(signatures_file(set_id).name)
        for name in names:
            self.service.put(PREFIX + name, b"x" * size, Tagging="panicroom-storage=glacier-ir-7d")
        later(self.service, minutes=1)
        if sealed:
            names.append(manifest_file(set_id).name)
            self.service.put(PREFIX + names[-1], b"manifest", Metadata={"volumes": str(volumes)})
        later(self.service, minutes=1)
        self.service.catalogue(*(PREFIX + name for name in names))

    def asks(self, command: str, **arguments: object) -> Any:
        return self.service.admin(f"retention_{command}", name="anna-laptop", job="system", **arguments)

    def job(self) -> Any:
        (job,) = self.asks("preview")["jobs"]
        return job

    def approves(self, **arguments: object) -> Any:
        look = {"machine": "anna-laptop", "job": "system", "digest": self.job()["digest"], **arguments}
        return self.service.admin("retention_approve", looks=[look])

    def keys(self, set_name: str) -> list[str]:
        times = set_name.partition(".")[2]
        return [key for key in self.service.stored_keys() if f".{times}." in key]

    def reconciles(self) -> None:
        import app

        app.reconcile({"machine": "anna-laptop", "job": "system"}, None)


@pytest.fixture
def owner(service: Service, monkeypatch: pytest.MonkeyPatch) -> Owner:
    """With two chains of which the older one has an increment; S3's clock is the service's."""
    monkeypatch.setattr("moto.s3.models.utcnow", lambda: service.now.replace(tzinfo=None))
    owner = Owner(service)
    for name in (OLD, INC):
        owner.stores(name)
    later(service, days=30)
    owner.stores(NEW)
    later(service, days=200)
    return owner


def let_go(owner: Owner, *, tag_and_mark: bool = True) -> None:
    """As the function does it: the row, then each file's tag and marker."""
    from chalicelib import wiring
    from chalicelib.domain.retention.let_go import let_go_of

    job = the_job()
    sets = [one for one in wiring.catalogue_store().sets(job) if str(one.set_id) in (OLD, INC)]
    sets.sort(key=lambda one: one.set_id.end)
    row = let_go_of("anna-laptop", "system", SetId.parse(OLD), sets, owner.service.now)
    assert wiring.retention_store().begin(row, job, wiring.retention_store().choices(job))
    if tag_and_mark:
        for set_name in (INC, OLD):
            for key in owner.keys(set_name):
                tags = owner.service.s3.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]
                owner.service.s3.put_object_tagging(Bucket=BUCKET, Key=key, Tagging={"TagSet": [*tags, TAG]})
                owner.service.s3.delete_object(Bucket=BUCKET, Key=key)
    owner.reconciles()


def the_job() -> Job:
    from chalicelib import wiring

    return wiring.machine_store().jobs_named([("anna-laptop", "system")])["anna-laptop", "system"]


def sets_of(*names: str) -> Sequence[SetId]:
    return [SetId.parse(name) for name in names]


def notices() -> list[str]:
    from chalicelib import wiring

    return [one.message for one in wiring.notice_store().since(datetime(2020, 1, 1, tzinfo=timezone.utc))]


def brings_back(owner: Owner, s3: Any = None) -> Any:
    """What the command does between the two calls of the admin function."""
    row = owner.asks("undo", chain=OLD)
    if "error" in row:
        return row
    begun_at = datetime.fromisoformat(row["begun_at"].replace("Z", "+00:00"))
    back = bring_back_let_go(s3 or owner.service.s3, the_job().location, sets_of(*row["sets"]), begun_at)
    owner.reconciles()
    return owner.asks("undone", chain=OLD, replaced=[one.name for one in back.stand_over])


class TestPreview:
    def test_shows_each_chain_with_what_becomes_of_it_and_why(self, owner: Owner) -> None:
        old, new = owner.job()["chains"]
        assert (old["chain"], old["sets"], old["bytes"]) == (OLD, 2, 6016)
        assert (old["verdict"], old["why"], old["seen"]) == ("needs_you", "not_looked_at", False)
        assert "You have not looked" in old["reason"]
        assert (new["chain"], new["verdict"], new["why"]) == (NEW, "stays", "no_successor")
        assert 0 <= old["monthly"] < 0.01

    def test_says_from_when_a_newer_chain_is_old_enough(self, owner: Owner, service: Service) -> None:
        later(service, days=-100)
        owner.approves()
        old, _ = owner.job()["chains"]
        assert (old["verdict"], old["why"]) == ("waits", "no_successor")
        goes, final = (
            datetime.fromisoformat(old["goes_on"][:-1]),
            datetime.fromisoformat(old["final_on"][:-1]),
        )
        until = datetime.fromisoformat(old["until"][:-1])
        assert timedelta(0) <= goes - until < timedelta(days=1)
        assert (goes.hour, goes.minute) == (5, 45)
        assert final - goes.replace(hour=0, minute=0) == timedelta(days=31)

    def test_sets_that_belong_to_no_chain_are_named_with_their_state(self, owner: Owner) -> None:
        owner.stores("full.20240701T040000Z", sealed=False)
        owner.stores("inc.20230101T040000Z.to.20230102T040000Z")
        owner.service.admin("set_quarantine", name="anna-laptop", job="system", set=INC)
        job = owner.job()
        assert {one["set"]: one["state"] for one in job["loose"]} == {
            "inc.20230101T040000Z.to.20230102T040000Z": "orphaned",
            INC: "in quarantine",
            "full.20240701T040000Z": "unfinished",
        }

    def test_open_critical_findings_are_shown_for_the_owner_to_read_first(self, owner: Owner) -> None:
        from chalicelib import wiring

        found = new_finding(
            "fork", machine="anna-laptop", job="system", subject=NEW, message="Two increments continue it."
        )
        wiring.finding_store().replace(the_job(), [found], owner.service.now, codes=["fork"])
        assert owner.job()["critical"] == ["Two increments continue it."]

    def test_takes_no_name_of_nobody(self, service: Service, owner: Owner) -> None:
        assert service.admin("retention_preview", name="nobody")["error"] == "not_found"
        assert service.admin("retention_preview", name="anna-laptop", job="photos")["error"] == "unknown_job"


class TestApprove:
    def test_records_the_look_and_what_was_seen(self, owner: Owner) -> None:
        answer = owner.approves()
        assert answer["changed"] == []
        (job,) = answer["jobs"]
        assert [row["seen"] for row in job["chains"]] == [True, True]
        assert job["looked_at"] == owner.service.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert job["chains"][0]["why"] != "not_looked_at"

    def test_is_refused_where_a_backup_came_after_the_list_was_shown(self, owner: Owner) -> None:
        shown = owner.job()["digest"]
        owner.stores("inc.20240601T040000Z.to.20240602T040000Z")
        answer = owner.approves(digest=shown)
        assert answer["changed"] == ["anna-laptop/system"]
        assert answer["jobs"][0]["looked_at"] is None

    def test_an_upload_under_way_does_not_change_the_list(self, owner: Owner) -> None:
        shown = owner.job()["digest"]
        owner.stores("inc.20240601T040000Z.to.20240602T040000Z", sealed=False)
        assert owner.approves(digest=shown)["changed"] == []

    def test_a_chain_that_comes_later_is_not_seen(self, owner: Owner) -> None:
        owner.approves()
        owner.stores("full.20240801T040000Z")
        assert [row["seen"] for row in owner.job()["chains"]] == [True, True, False]

    def test_with_a_chain_that_one_is_named(self, owner: Owner) -> None:
        look = {"machine": "anna-laptop", "job": "system", "digest": owner.job()["digest"]}
        answer = owner.service.admin("retention_approve", looks=[look], chain="2024-01")
        assert [row["named"] for row in answer["jobs"][0]["chains"]] == [True, False]

    @pytest.mark.parametrize(
        ("typed", "words"),
        [
            ("2019", f"There is: {OLD}, {NEW}."),
            ("2024", "names several"),
            ("20", "There is:"),
            (INC, "There is:"),
        ],
    )
    def test_a_chain_that_is_none_or_several_is_refused_with_what_there_is(
        self, owner: Owner, typed: str, words: str
    ) -> None:
        look = {"machine": "anna-laptop", "job": "system", "digest": owner.job()["digest"]}
        answer = owner.service.admin("retention_approve", looks=[look], chain=typed)
        assert words in answer["message"]
        assert owner.job()["looked_at"] is None

    @pytest.mark.parametrize("looks", [None, [], ["anna"], [{"machine": "anna-laptop", "job": "photos"}]])
    def test_what_names_no_list_is_refused(self, owner: Owner, looks: object) -> None:
        assert "error" in owner.service.admin("retention_approve", looks=looks)


class TestHold:
    def test_a_held_chain_stays_though_it_was_approved(self, owner: Owner) -> None:
        owner.asks("hold", chain=OLD)
        owner.approves()
        old, new = owner.job()["chains"]
        assert (old["held"], old["why"], new["held"]) == (True, "held", False)

    def test_it_is_released_by_a_beginning_of_its_date(self, owner: Owner) -> None:
        owner.asks("hold", chain=OLD)
        owner.asks("hold", chain="2024-01-01", release=True)
        assert not owner.job()["chains"][0]["held"]

    def test_a_job_is_held_as_a_whole_and_released_with_all_its_chains(self, owner: Owner) -> None:
        owner.asks("hold")
        owner.asks("hold", chain=OLD)
        job = owner.job()
        assert job["held"]
        assert [row["held"] for row in job["chains"]] == [True, True]
        owner.asks("hold", release=True)
        assert [row["held"] for row in owner.job()["chains"]] == [False, False]

    def test_one_that_was_let_go_cannot_be_held(self, owner: Owner) -> None:
        let_go(owner)
        assert "was let go" in owner.asks("hold", chain=OLD)["message"]


class TestUndo:
    def test_brings_back_every_file_keeps_other_tags_and_holds_the_chain(self, owner: Owner) -> None:
        before = owner.service.stored_keys()
        let_go(owner)
        assert [row["chain"] for row in owner.job()["chains"]] == [NEW]
        assert owner.job()["let_go"][0]["state"] == "going"
        assert brings_back(owner)["is_back"] is True
        assert owner.service.stored_keys() == before
        job = owner.job()
        assert job["let_go"] == []
        assert [(row["chain"], row["held"], row["sets"]) for row in job["chains"]] == [
            (OLD, True, 2),
            (NEW, False, 1),
        ]
        for key in owner.keys(OLD):
            tags = owner.service.s3.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]
            assert TAG not in tags
            assert ("manifest" in key) == (tags == [])

    def test_goes_on_after_a_crash_at_any_request(self, owner: Owner) -> None:
        before = owner.service.stored_keys()
        let_go(owner)
        stops_at = 1
        while True:
            s3 = Dying(owner.service.s3, stops_at)
            try:
                answer = brings_back(owner, s3)
                break
            except Died:
                assert owner.job()["let_go"][0]["state"] == "undoing"
                assert [row["chain"] for row in owner.job()["chains"]] == [NEW]
                stops_at += 1
        assert stops_at > 10
        assert answer["is_back"] is True
        assert owner.service.stored_keys() == before

    def test_is_impossible_where_a_version_was_removed_for_good(self, owner: Owner) -> None:
        let_go(owner)
        key = PREFIX + volume_file(SetId.parse(INC), 2).name
        versions = owner.service.s3.list_object_versions(Bucket=BUCKET, Prefix=key)["Versions"]
        owner.service.s3.delete_object(Bucket=BUCKET, Key=key, VersionId=versions[0]["VersionId"])
        answer = brings_back(owner)
        assert answer["is_back"] is False
        assert "1 of the 8 files" in answer["message"]
        job = owner.job()
        assert [row["chain"] for row in job["chains"]] == [NEW]
        assert any("have been removed for good" in one for one in job["critical"])

    def test_is_impossible_where_another_version_of_the_same_size_stands_there(self, owner: Owner) -> None:
        let_go(owner)
        name = volume_file(SetId.parse(OLD), 1).name
        owner.service.put(PREFIX + name, b"y" * 1000)
        answer = brings_back(owner)
        assert answer["is_back"] is False
        assert f"Other files stand where {name}" in answer["message"]
        [finding] = [
            one for one in owner.service.admin("findings")["findings"] if one["code"] == UNDO_IMPOSSIBLE
        ]
        assert f"retention undo anna-laptop system {OLD}" in finding["commands"][0]

    def test_is_impossible_where_a_version_that_came_later_was_marked_with_the_rest(
        self, owner: Owner
    ) -> None:
        let_go(owner)
        later(owner.service, days=2)
        name = volume_file(SetId.parse(OLD), 1).name
        owner.service.put(PREFIX + name, b"y" * 1000, Tagging=f"{TAG['Key']}={TAG['Value']}")
        owner.service.s3.delete_object(Bucket=BUCKET, Key=PREFIX + name)
        answer = brings_back(owner)
        assert answer["is_back"] is False
        assert f"Other files stand where {name}" in answer["message"]
        assert PREFIX + name not in owner.service.stored_keys(), "it stays hidden"
        found = bring_back_let_go(
            owner.service.s3, the_job().location, sets_of(OLD, INC), owner.service.now - timedelta(days=1)
        )
        [over] = found.stand_over
        owner.service.s3.delete_object(Bucket=BUCKET, Key=over.key, VersionId=over.version_id)
        assert brings_back(owner)["is_back"] is True, "once that version is removed"

    def test_makes_no_notice_that_the_bucket_was_changed_by_hand(self, owner: Owner) -> None:
        let_go(owner)
        later(owner.service, days=2)
        assert brings_back(owner)["is_back"] is True
        assert notices() == []

    def test_a_file_that_was_given_up_before_the_seal_stays_so(self, owner: Owner) -> None:
        third = volume_file(SetId.parse("full.20240801T040000Z"), 3).name
        owner.service.put(PREFIX + third, b"given up")
        later(owner.service, minutes=1)
        owner.service.s3.delete_object(Bucket=BUCKET, Key=PREFIX + third)
        owner.stores("full.20240801T040000Z")
        sets = sets_of("full.20240801T040000Z")
        back = bring_back_let_go(owner.service.s3, the_job().location, sets, owner.service.now)
        assert back.files == 0
        assert PREFIX + third not in owner.service.stored_keys()

    def test_what_was_never_let_go_is_refused_with_what_was(self, owner: Owner) -> None:
        assert "there is nothing to bring back" in owner.asks("undo", chain=NEW)["message"]
        let_go(owner)
        assert f"There is: {OLD}." in owner.asks("undo", chain=NEW)["message"]

    def test_what_the_owner_dropped_cannot_be_brought_back(self, owner: Owner) -> None:
        let_go(owner)
        plan = owner.asks("drop_plan", chain=OLD)
        owner.asks("drop", chain=OLD, sets=plan["sets"])
        assert "nothing brings it back" in owner.asks("undo", chain=OLD)["message"]


class TestDrop:
    def drops(self, owner: Owner, name: str, s3: Any = None) -> Any:
        plan = owner.asks("drop_plan", chain=name)
        if "error" in plan:
            return plan
        answer = owner.asks("drop", chain=plan["chain"], sets=plan["sets"])
        assert "error" not in answer, answer
        removed = remove_for_good(s3 or owner.service.s3, the_job().location, sets_of(*plan["sets"]))
        assert removed.held_until is None
        owner.reconciles()
        return owner.asks("dropped", chain=plan["chain"])

    def test_a_chain_is_hidden_at_once_and_gone_for_good(self, owner: Owner) -> None:
        plan = owner.asks("drop_plan", chain=OLD)
        assert (plan["what"], plan["sets"], plan["files"]) == ("chain", [OLD, INC], 8)
        assert (plan["leaves_none"], plan["is_newest"]) == (False, False)
        answer = self.drops(owner, OLD)
        assert answer["state"] == "gone"
        assert notices() == [], "not that the bucket was changed by hand"
        versions = owner.service.s3.list_object_versions(Bucket=BUCKET)
        assert {one["Key"] for one in versions["Versions"]} == set(owner.keys(NEW))
        assert "DeleteMarkers" not in versions
        assert [row["chain"] for row in owner.job()["chains"]] == [NEW]
        assert owner.asks("drop_plan", chain=OLD)["message"].endswith("for good already.")

    def test_what_is_stored_under_its_names_later_can_be_dropped_again(self, owner: Owner) -> None:
        self.drops(owner, OLD)
        owner.service.put(owner_file := PREFIX + volume_file(SetId.parse(INC), 1).name, b"x")
        owner.service.catalogue(owner_file)
        assert owner.asks("drop_plan", chain=OLD)["sets"] == [OLD, INC]
        assert self.drops(owner, OLD)["state"] == "gone"
        assert owner.keys(INC) == []
        assert owner.asks("drop_plan", chain=OLD)["message"].endswith("for good already.")

    def test_goes_on_after_a_crash_at_any_request(self, owner: Owner) -> None:
        let_go(owner)
        stops_at = 1
        while True:
            try:
                answer = self.drops(owner, OLD, Dying(owner.service.s3, stops_at))
                break
            except Died:
                assert [row["state"] for row in owner.job()["let_go"]] == ["dropping"]
                stops_at += 1
        assert stops_at > 10
        assert answer["state"] == "gone"
        assert {
            one["Key"] for one in owner.service.s3.list_object_versions(Bucket=BUCKET)["Versions"]
        } == set(owner.keys(NEW))

    def test_the_newest_and_the_last_one_are_called_so(self, owner: Owner) -> None:
        assert owner.asks("drop_plan", chain=NEW)["is_newest"] is True
        self.drops(owner, OLD)
        plan = owner.asks("drop_plan", chain=NEW)
        assert (plan["leaves_none"], plan["is_newest"]) == (True, False)

    def test_a_set_in_the_middle_of_a_chain_is_refused(self, owner: Owner) -> None:
        assert f"part of the chain {OLD}" in owner.asks("drop_plan", chain=INC)["message"]

    @pytest.mark.parametrize(
        "name", [INC, "full.20240701T040000Z", "inc.20230101T040000Z.to.20230102T040000Z"]
    )
    def test_a_quarantined_an_unfinished_and_an_orphaned_set_go_by_their_own_names(
        self, owner: Owner, name: str
    ) -> None:
        owner.stores("full.20240701T040000Z", sealed=False)
        owner.stores("inc.20230101T040000Z.to.20230102T040000Z")
        owner.service.admin("set_quarantine", name="anna-laptop", job="system", set=INC)
        assert owner.asks("drop_plan", chain=name)["sets"] == [name]
        assert self.drops(owner, name)["state"] == "gone"
        assert owner.keys(name) == []
        job = owner.job()
        assert name not in [one["set"] for one in job["loose"]]
        assert [row["chain"] for row in job["chains"]] == [OLD, NEW]

    def test_what_another_set_continues_is_refused(self, owner: Owner) -> None:
        owner.stores("inc.20240201T040000Z.to.20240301T040000Z")
        owner.service.admin("set_quarantine", name="anna-laptop", job="system", set=INC)
        assert "needs it" in owner.asks("drop_plan", chain=INC)["message"]

    def test_what_is_being_uploaded_is_refused(self, owner: Owner) -> None:
        owner.stores("full.20240701T040000Z", sealed=False)
        token = owner.service.enrolled("anna-laptop", secret="a" * 64)
        owner.service.run(token)
        assert "under way" in owner.asks("drop_plan", chain="full.20240701")["message"]
        later(owner.service, hours=1)
        assert owner.asks("drop_plan", chain="full.20240701")["what"] == "unfinished"

    def test_is_refused_where_the_chain_has_grown_since_it_was_shown(self, owner: Owner) -> None:
        plan = owner.asks("drop_plan", chain=OLD)
        owner.stores("inc.20240201T040000Z.to.20240301T040000Z")
        assert "has changed" in owner.asks("drop", chain=OLD, sets=plan["sets"])["message"]
        assert len(owner.job()["chains"]) == 2

    def test_what_a_lock_holds_back_lies_under_a_marker_and_can_be_dropped_later(
        self, owner: Owner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        until = owner.service.now + timedelta(days=40)
        locked = PREFIX + volume_file(SetId.parse(OLD), 1).name
        s3 = Locking(owner.service.s3, locked, until)
        plan = owner.asks("drop_plan", chain=OLD)
        owner.asks("drop", chain=OLD, sets=plan["sets"])
        removed = remove_for_good(s3, the_job().location, sets_of(*plan["sets"]))
        assert (removed.held.count, removed.held_until) == (1, until)
        owner.reconciles()
        assert owner.asks("dropped", chain=OLD)["state"] == "dropping"
        assert owner.keys(OLD) == []
        assert self.drops(owner, OLD)["state"] == "gone"


def test_the_fee_goes_by_class_and_age_and_a_lock_is_seen_before(owner: Owner, service: Service) -> None:
    from chalicelib.adapters.price_files import price_table

    table = price_table("us-east-1")
    place = the_job().location
    service.put(
        PREFIX + volume_file(SetId.parse("full.20240901T040000Z"), 1).name, b"x", StorageClass="DEEP_ARCHIVE"
    )
    found = let_go_files.survey(
        service.s3, place, sets_of("full.20240901T040000Z", NEW), table, 7, service.now + timedelta(days=97)
    )
    deep, standard = found.classes
    assert (deep.storage_class, deep.versions.count) == ("DEEP_ARCHIVE", 1)
    assert deep.fee is not None
    assert standard.fee == 0
    full = 32 * 1024 + 1
    assert float(deep.fee) == pytest.approx(full / 2**30 * 0.00099 * 90 / 30)
    assert found.locked_until is None


class TestKept:
    def test_how_long_chains_are_kept_is_set_and_shown_for_each_job(self, service: Service) -> None:
        service.admin("machine_add", name="ben", jobs=["system", "photos"], keep_chains=2)
        service.admin("machine_set", name="ben", job="photos", keep_days=90, keep_yearly=5)
        shown = {one["job"]: one for one in service.admin("machine_show", name="ben")["jobs"]}
        fields = ("keep_chains", "keep_days", "keep_yearly")
        assert [shown["photos"][field] for field in fields] == [2, 90, 5]
        assert [shown["system"][field] for field in fields] == [2, 0, 0]

    @pytest.mark.parametrize(
        "change",
        [
            {"keep_chains": 0},
            {"keep_chains": True},
            {"keep_days": -1},
            {"keep_yearly": "5"},
            {"keep_days": 10**9},
        ],
    )
    def test_a_policy_that_keeps_nothing_or_is_a_slip_of_the_keyboard_is_refused(
        self, service: Service, change: dict[str, object]
    ) -> None:
        service.admin("machine_add", name="ben")
        assert service.admin("machine_set", name="ben", **change)["error"] == "bad_request"

    def test_adding_a_job_that_is_there_does_not_change_its_policy_in_silence(self, service: Service) -> None:
        service.admin("machine_add", name="ben")
        assert "machine set ben" in service.admin("machine_add", name="ben", keep_days=90)["message"]


# ---------------------------------------------------------------- stand-ins for S3's client


class TestAMachineThatIsRemoved:
    def test_is_kept_until_the_chain_that_is_going_is_gone(self, owner: Owner) -> None:
        """Its row would stay, and nobody would mark the rest of the files."""
        from chalicelib import wiring

        let_go(owner, tag_and_mark=False)
        refused = owner.service.admin("machine_remove", name="anna-laptop")
        assert "`python -m ops retention run anna-laptop system --stage test` goes on" in refused["message"]
        [row] = wiring.retention_store().let_gos(the_job())
        marked = dataclasses.replace(row, marked_at=owner.service.now)
        assert wiring.retention_store().record(marked)
        assert wiring.retention_store().record(dataclasses.replace(marked, undone_at=owner.service.now))
        refused = owner.service.admin("machine_remove", name="anna-laptop")
        assert (
            f"`python -m ops retention undo anna-laptop system {OLD} --stage test` goes on"
            in refused["message"]
        )
        assert "anna-laptop" in [one["machine"] for one in owner.service.admin("machine_list")["machines"]]

    def test_goes_when_all_of_the_chain_is_marked_and_the_bucket_does_the_rest(self, owner: Owner) -> None:
        from chalicelib import wiring

        let_go(owner)
        [row] = wiring.retention_store().let_gos(the_job())
        assert wiring.retention_store().record(dataclasses.replace(row, marked_at=owner.service.now))
        assert "kept" in owner.service.admin("machine_remove", name="anna-laptop")
        owner.service.enrolled()
        assert [one["chain"] for one in owner.job()["let_go"]] == [OLD], "hidden under the old name as well"
        assert [one["chain"] for one in owner.job()["chains"]] == [NEW]

    def test_leaves_the_next_of_its_name_no_look_that_lets_its_chains_go(self, owner: Owner) -> None:
        owner.approves()
        owner.asks("hold", chain=OLD)
        owner.service.admin("machine_remove", name="anna-laptop")
        later(owner.service, days=1)
        owner.service.enrolled()
        later(owner.service, days=1)
        newest = "full.20250601T040000Z"
        owner.stores(newest)
        later(owner.service, days=400)
        old, new, other = owner.job()["chains"]
        assert (old["chain"], old["why"]) == (OLD, "held")
        assert (new["chain"], new["verdict"], new["why"]) == (NEW, "needs_you", "other_enrolment")
        assert (other["chain"], other["verdict"], other["seen"]) == (newest, "stays", False)
        owner.approves()
        assert owner.job()["chains"][1]["why"] == "other_enrolment", "a look is no name"


class Died(Exception):
    """The owner's computer lost its network."""


class Dying:
    """Lets so many requests pass, and breaks the line at the next one."""

    def __init__(self, s3: Any, stops_at: int) -> None:
        self._s3 = s3
        self._left = stops_at

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._s3, name)

        def call(*arguments: Any, **options: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                raise Died
            return method(*arguments, **options)

        return call


class Locking:
    """Holds one key's versions back, as Object Lock does."""

    def __init__(self, s3: Any, key: str, until: datetime) -> None:
        self._s3 = s3
        self._key = key
        self._until = until

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def delete_objects(self, **options: Any) -> Any:
        objects = options["Delete"]["Objects"]
        free = [one for one in objects if one["Key"] != self._key]
        if free:
            self._s3.delete_objects(Bucket=options["Bucket"], Delete={"Objects": free})
        errors = [{**one, "Code": "AccessDenied", "Message": "locked"} for one in objects if one not in free]
        return {"Errors": errors}

    def get_object_retention(self, **_: Any) -> Any:
        return {"Retention": {"Mode": "COMPLIANCE", "RetainUntilDate": self._until}}


def test_each_chain_has_the_price_of_bringing_it_back(owner: Owner) -> None:
    old, new = owner.job()["chains"]
    # Two volumes and signatures of 1,000 bytes each, and a manifest of 8 bytes; the old chain has an increment.
    assert old["restore"]["bytes_by_class"] == {"STANDARD": 6_016}
    assert new["restore"]["bytes_by_class"] == {"STANDARD": 3_008}
    assert 0 < new["restore"]["usd"] < old["restore"]["usd"] < 0.0001
    assert old["restore"]["transfer_usd"] == 0, "100 GB a month are free"
    assert old["restore"]["wait_seconds"] == 0


def test_an_archived_chain_is_priced_with_its_thaw(owner: Owner) -> None:
    from chalicelib import wiring

    catalogue = wiring.catalogue_store()
    [job] = wiring.machine_store().jobs("anna-laptop")
    now = owner.service.now
    for page in catalogue.set_pages(job).values():
        deep = {"DEEP_ARCHIVE": Tally(40_000, 200 * 2**30), "STANDARD": Tally(2, 2_000)}
        changed = dataclasses.replace(page.backup_set, current=deep)
        assert catalogue.repair_set(job, changed, page.revision, now)
    restore = owner.job()["chains"][1]["restore"]
    # Bulk 200 GB at $0.0025 and 40,000 requests at $0.000025, copies for a week, 100 GB over what is free to leave.
    thawed = 200 * 0.0025 + 40 * 0.025 + 200 * 0.023 * 7 / 30
    assert restore["transfer_usd"] == pytest.approx(100 * 0.09, rel=0.001)
    assert restore["usd"] == pytest.approx(thawed + 9 + 40 * 0.0004, rel=0.01)
    assert restore["wait_seconds"] == 48 * 3600


def test_many_jobs_come_in_pages_each_once(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS_A_PAGE", 2)
    for name in ("anna", "anna-z", "ben"):
        owner.service.admin("machine_add", name=name)
    whole = owner.service.admin("retention_preview")
    assert whole["next"] is None
    pages: list[str] = []
    answers, after = 0, ""
    while after is not None:
        page = owner.service.admin("retention_preview", after=after)
        pages += [f"{job['machine']}/{job['job']}" for job in page["jobs"]]
        answers += 1
        after = page["next"]
    assert answers == 3
    assert pages == sorted(f"{job['machine']}/{job['job']}" for job in whole["jobs"])
