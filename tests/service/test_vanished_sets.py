"""Finished sets of which something was taken away in the bucket, and what the catalogue keeps of what is gone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.adapters.stores.catalogue_store import TOMBSTONE_LIFE
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.retention.let_go import LetGo
from chalicelib.journeys.catalogue.catalogue_changes import refresh_findings
from chalicelib.journeys.catalogue.reconcile_job import reconcile_job
from tests.service.conftest import BUCKET, TABLE, Service, fire, later
from tests.service.uploading import (
    FULL,
    JSONSTAT,
    MANIFEST,
    PREFIX,
    SIGNATURES,
    VOLUME_1,
    VOLUME_2,
    Laptop,
    download,
)

NAMES = (VOLUME_1, VOLUME_2, SIGNATURES, MANIFEST)
SET = f"full.{FULL}"


@pytest.fixture
def laptop(service: Service) -> Laptop:
    laptop = Laptop(service)
    for name in (VOLUME_1, VOLUME_2, SIGNATURES):
        laptop.put(name)
    laptop.seal()
    told(laptop)
    return laptop


def told(laptop: Laptop, *names: str) -> None:
    laptop.service.catalogue(*(PREFIX + name for name in names or NAMES))


def job() -> Job:
    return wiring.machine_store().jobs_named([("anna-laptop", "system")])["anna-laptop", "system"]


def delete(laptop: Laptop, name: str, *, for_good: bool = False) -> None:
    s3, key = laptop.service.s3, PREFIX + name
    s3.delete_object(Bucket=BUCKET, Key=key)
    if for_good:
        found = s3.list_object_versions(Bucket=BUCKET, Prefix=key)
        for one in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=BUCKET, Key=key, VersionId=one["VersionId"])


def found(laptop: Laptop) -> list[tuple[str, str]]:
    answer = laptop.service.admin("findings")
    return [(one["code"], one["subject"]) for one in answer["findings"] if one["code"] != "wrong_tag"]


def discard(laptop: Laptop, *names: str) -> Any:
    body = {"run": laptop.run, "names": list(names)}
    return laptop.service.call("POST", "/jobs/system/discards", body, laptop.token).body


def row(pk: str, sk: str, service: Service) -> dict[str, Any]:
    item: dict[str, Any] = service.table.get_item(
        TableName=TABLE, Key={"pk": {"S": pk}, "sk": {"S": sk}}
    ).get("Item", {})
    return item


class TestAManifestThatSomebodyDeleted:
    @pytest.mark.parametrize("for_good", [False, True])
    def test_is_found_until_it_is_back(self, laptop: Laptop, for_good: bool) -> None:
        delete(laptop, MANIFEST, for_good=for_good)
        told(laptop, MANIFEST)
        assert found(laptop) == [("manifest_vanished", SET)]
        laptop.service.put(PREFIX + MANIFEST, b"manifest", Metadata={"volumes": "2"})
        told(laptop, MANIFEST)
        assert found(laptop) == []

    def test_stays_found_when_its_older_version_expires(self, laptop: Laptop) -> None:
        delete(laptop, MANIFEST)
        told(laptop, MANIFEST)
        delete(laptop, MANIFEST, for_good=True)
        told(laptop, MANIFEST)
        assert found(laptop) == [("manifest_vanished", SET)]

    @pytest.mark.parametrize("for_good", [False, True])
    def test_is_found_by_a_reconcile_where_no_event_came(self, laptop: Laptop, for_good: bool) -> None:
        delete(laptop, MANIFEST, for_good=for_good)
        for _ in range(2):
            later(laptop.service, days=1)
            reconcile_job(wiring.catalogue_context(laptop.service.now), job(), "", lambda: True)
            assert ("manifest_vanished", SET) in found(laptop)

    def test_is_none_of_a_chain_that_was_let_go_nor_of_a_set_in_quarantine(self, laptop: Laptop) -> None:
        full = SetId.parse(SET)
        let_go = LetGo("anna-laptop", "system", full, (full,), laptop.service.now)
        store = wiring.retention_store()
        assert store.begin(let_go, job(), store.choices(job()))
        delete(laptop, MANIFEST)
        told(laptop, MANIFEST)
        assert found(laptop) == []
        store.end(let_go)
        refresh_findings(wiring.catalogue_store(), wiring.finding_store(), job(), laptop.service.now)
        assert found(laptop) == [("manifest_vanished", SET)]
        laptop.service.admin("set_quarantine", name="anna-laptop", job="system", set=SET)
        assert found(laptop) == []

    @pytest.mark.parametrize("for_good", [False, True])
    def test_lets_the_laptop_clear_nothing_away_before_its_event_has_come(
        self, laptop: Laptop, for_good: bool
    ) -> None:
        delete(laptop, MANIFEST, for_good=for_good)
        later(laptop.service, minutes=10)
        answer = discard(laptop, VOLUME_1, VOLUME_2, SIGNATURES)
        assert answer["discarded"] == []
        assert {one["error"] for one in answer["refused"]} == {"set_sealed"}
        told(laptop)
        assert discard(laptop, VOLUME_1)["discarded"] == []

    def test_protects_the_rest_even_if_the_catalogue_never_heard_of_the_seal(self, service: Service) -> None:
        laptop = Laptop(service)
        for name in (VOLUME_1, SIGNATURES):
            laptop.put(name)
        laptop.seal()
        delete(laptop, MANIFEST)
        assert discard(laptop, VOLUME_1)["discarded"] == []

    def test_is_none_of_a_set_that_was_never_finished(self, service: Service) -> None:
        laptop = Laptop(service)
        laptop.put(VOLUME_1)
        laptop.put(VOLUME_2)
        assert discard(laptop, VOLUME_2, MANIFEST)["discarded"] == [VOLUME_2, MANIFEST]
        told(laptop)
        assert found(laptop) == []


def test_a_marker_on_another_ending_of_the_manifest_opens_no_set(service: Service) -> None:
    laptop = Laptop(service)
    for name in (VOLUME_1, SIGNATURES):
        laptop.put(name)
    other = MANIFEST.replace(".gpg", ".p7m")
    assert discard(laptop, other)["discarded"] == [other]
    laptop.seal()
    told(laptop, VOLUME_1, SIGNATURES, MANIFEST, other)
    reconcile_job(wiring.catalogue_context(service.now), job(), "", lambda: True)
    assert [one.sealed for one in wiring.catalogue_store().sets(job())] == [True]


class TestWhatIsLeftOfWhatIsGone:
    def epochs(self, laptop: Laptop) -> list[str | None]:
        keys = [("OBJECTS#anna-laptop/system", VOLUME_1), ("JOB#anna-laptop/system", f"SET#{SET}")]
        items = [row(*key, laptop.service) for key in keys]
        assert all(items)
        return [item.get("expires_at_epoch", {}).get("N") for item in items]

    def test_rows_of_which_nothing_is_stored_lapse_and_others_do_not(self, laptop: Laptop) -> None:
        assert self.epochs(laptop) == [None, None]
        for name in NAMES:
            delete(laptop, name)
        told(laptop)
        assert self.epochs(laptop) == [None, None], "older versions are billed"
        for name in NAMES:
            delete(laptop, name, for_good=True)
        told(laptop)
        at = str(int((laptop.service.now + TOMBSTONE_LIFE).timestamp()))
        assert self.epochs(laptop) == [at, at]

    def test_and_count_again_when_something_is_stored(self, laptop: Laptop) -> None:
        for name in NAMES:
            delete(laptop, name, for_good=True)
        told(laptop)
        laptop.service.put(PREFIX + VOLUME_1, b"again")
        told(laptop, VOLUME_1)
        assert self.epochs(laptop) == [None, None]

    @pytest.mark.parametrize("partition", ["OBJECTS#anna-laptop/system", "JOB#anna-laptop/system"])
    def test_a_reconcile_takes_a_row_that_lapsed_for_none(self, laptop: Laptop, partition: str) -> None:
        for name in NAMES:
            delete(laptop, name, for_good=True)
        told(laptop)
        names = NAMES if partition.startswith("OBJECTS") else (f"SET#{SET}",)
        for name in names:
            key = {"pk": {"S": partition}, "sk": {"S": name}}
            laptop.service.table.delete_item(TableName=TABLE, Key=key)
        later(laptop.service, days=100)
        done = reconcile_job(wiring.catalogue_context(laptop.service.now), job(), "", lambda: True)
        assert done.differences == ()
        assert wiring.catalogue_store().stored_bytes([job()]) == 0


class TestFetches:
    def fetched(self) -> dict[SetId, Any]:
        return wiring.retention_store().fetched().get(("anna-laptop", "system"), {})

    def test_a_url_for_a_volume_is_recorded_to_the_day(self, laptop: Laptop) -> None:
        assert "url" in download(laptop, VOLUME_1)[0]
        day = laptop.service.now.replace(hour=0)
        assert self.fetched() == {SetId.parse(SET): day}
        later(laptop.service, days=1)
        download(laptop, VOLUME_2)
        assert self.fetched() == {SetId.parse(SET): day + timedelta(days=1)}

    def test_metadata_facts_and_refusals_are_not(self, laptop: Laptop) -> None:
        download(laptop, MANIFEST, SIGNATURES, JSONSTAT)
        body = {"names": [VOLUME_1], "facts_only": True}
        laptop.service.call("POST", "/jobs/system/downloads", body, laptop.token)
        laptop.service.admin("machine_set", name="anna-laptop", download_cap_bytes=1)
        assert download(laptop, VOLUME_1)[0]["error"] == "download_cap"
        assert self.fetched() == {}

    def test_a_restore_of_many_volumes_writes_once_a_set_and_day(
        self, laptop: Laptop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from chalicelib.adapters.table import Table

        written, put = [], Table.put

        def counted(self: Table, item: dict[str, Any], *rest: Any) -> None:
            written.append(item["pk"])
            put(self, item, *rest)

        monkeypatch.setattr(Table, "put", counted)
        for _ in range(5):
            download(laptop, VOLUME_1, VOLUME_2)
        assert written.count("FETCHED") == 1


def test_each_enrolment_is_kept_whatever_becomes_of_the_machine(service: Service) -> None:
    times = []
    service.enrolled()
    times.append(service.now)
    later(service, days=1)
    code = service.admin("machine_rotate", name="anna-laptop")["code"]
    body = {"code": code, "secret_sha256": "b" * 64}
    assert service.call("POST", "/enrolments", body).status == 201
    times.append(service.now)
    later(service, days=1)
    service.admin("machine_remove", name="anna-laptop")
    service.enrolled()
    times.append(service.now)
    assert wiring.machine_store().enrolments() == {"anna-laptop": tuple(times)}


def test_the_daily_audit_says_nothing_of_what_is_hidden(laptop: Laptop) -> None:
    import app

    full = SetId.parse(SET)
    store = wiring.retention_store()
    assert store.begin(
        LetGo("anna-laptop", "system", full, (full,), laptop.service.now), job(), store.choices(job())
    )
    delete(laptop, VOLUME_1)
    told(laptop, VOLUME_1)
    fire(app.daily_audit)
    assert not [one for one in found(laptop) if one[1] == SET]
