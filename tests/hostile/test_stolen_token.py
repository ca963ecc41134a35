"""What a stolen token can still do: each way that was tried, with its neighbours, and what stops it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from chalicelib import wire
from chalicelib.domain.audit.anomalies import find_anomalies
from chalicelib.domain.backups.machines import MAX_OPEN_SETS, MAX_PERMITS_A_DAY, MAX_SETS_A_DAY, Job
from chalicelib.domain.backups.names import Location, SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.sealing.order import check_follows
from chalicelib.wire import ErrorCode
from tests.hostile.honest_laptop import name_of
from tests.hostile.memory_aws import service_in_memory
from tests.service.conftest import NOW, Service, later
from tests.service.uploading import a_file

FULL = "full.20261122T190000Z"
INCREMENT = "inc.20261122T190000Z.to.20261122T193000Z"
NEXT = "inc.20261122T193000Z.to.20261122T194500Z"

OUT_OF_ORDER = {
    "a fork of a set that is continued": "inc.20261122T190000Z.to.20261122T195000Z",
    "a full set dated before the newest": "full.20261122T192959Z",
    "a full set dated as the newest is": "full.20261122T193000Z",
    "a full set of years ago": "full.20161122T193000Z",
    "an increment that ends before the newest": "inc.20261122T190000Z.to.20261122T192000Z",
    "an increment to a set that is not there": "inc.20261122T190001Z.to.20261122T195000Z",
    "an increment to what an increment started from": "inc.20261121T190000Z.to.20261122T195000Z",
}


class Thief:
    """Has the token of a machine with a full backup and an increment, and a run of his own."""

    def __init__(self, service: Service, machine: str = "anna-laptop") -> None:
        self.service, self.machine = service, machine
        self.token = service.enrolled(machine)
        self.run = service.run(self.token).body["run"]
        self.make(FULL)
        self.make(INCREMENT)

    def ask(self, set_id: str, part: int | str, content: bytes = b"x", **fields: object) -> dict[str, Any]:
        file = a_file(name_of(set_id, part), content, **fields)
        return self.service.permit(self.token, self.run, file)[0]

    def put(self, set_id: str, part: int | str) -> dict[str, Any]:
        permit = self.ask(set_id, part)
        assert "url" in permit, permit
        etag = self.service.put(f"{self.machine}/system/{name_of(set_id, part)}", b"x")
        return {"name": name_of(set_id, part), "size": 1, "etag": etag}

    def seal(self, set_id: str, members: list[dict[str, Any]]) -> dict[str, Any]:
        return self.ask(set_id, "manifest", b"manifest", set=members)

    def make(self, set_id: str) -> None:
        permit = self.seal(set_id, [self.put(set_id, part) for part in (1, "signatures")])
        assert "url" in permit, permit
        self.store_manifest(set_id)
        keys = [f"{self.machine}/system/{name_of(set_id, part)}" for part in (1, "signatures", "manifest")]
        self.service.catalogue(*keys, sequencer=f"{len(set_id):016x}")

    def store_manifest(self, set_id: str) -> None:
        key = f"{self.machine}/system/{name_of(set_id, 'manifest')}"
        self.service.put(key, b"manifest", Metadata={"volumes": "1"})

    def listed_sets(self) -> set[str]:
        files = self.service.call("GET", "/jobs/system/files", token=self.token).body["files"]
        manifests = [file["name"] for file in files if ".manifest." in file["name"]]
        return {name.removeprefix("meta_duplicity-").removesuffix(".manifest.gpg") for name in manifests}


@pytest.fixture(scope="module")
def memory() -> Iterator[Service]:
    with pytest.MonkeyPatch.context() as patch, service_in_memory(patch) as service:
        yield service


@pytest.fixture
def service(memory: Service) -> Service:
    memory.now = NOW
    memory.s3.clear()
    memory.table.clear()
    memory.discards.clear()
    return memory


@pytest.fixture
def thief(service: Service) -> Thief:
    return Thief(service)


class TestASetThatDoesNotFollow:
    @pytest.mark.parametrize("set_id", OUT_OF_ORDER.values(), ids=OUT_OF_ORDER)
    def test_is_refused_before_its_first_file_whatever_file_that_is(self, thief: Thief, set_id: str) -> None:
        for part in (1, "signatures", "jsonstat"):
            assert thief.ask(set_id, part)["error"] == "name_out_of_order"

    def test_is_refused_at_its_seal_if_another_was_sealed_meanwhile(self, thief: Thief) -> None:
        forks = ["inc.20261122T193000Z.to.20261122T194500Z", "inc.20261122T193000Z.to.20261122T194600Z"]
        members = {set_id: [thief.put(set_id, part) for part in (1, "signatures")] for set_id in forks}
        assert "url" in thief.seal(forks[0], members[forks[0]])
        assert thief.seal(forks[1], members[forks[1]])["error"] == "set_sealing", "one at a time"
        thief.store_manifest(forks[0])
        assert thief.seal(forks[1], members[forks[1]])["error"] == "name_out_of_order", (
            "before the event came"
        )
        later(thief.service, minutes=2)
        assert thief.seal(forks[1], members[forks[1]])["error"] == "name_out_of_order"

    def test_the_next_increment_and_the_next_full_backup_are_taken(self, thief: Thief) -> None:
        thief.make(NEXT)
        thief.make("full.20261122T195000Z")
        assert thief.listed_sets() == {FULL, INCREMENT, NEXT, "full.20261122T195000Z"}

    def test_a_set_in_quarantine_is_no_set_to_follow(self, thief: Thief) -> None:
        thief.make("full.20261122T200500Z")
        assert thief.ask(NEXT, 1)["error"] == "name_out_of_order"
        thief.service.admin("set_quarantine", name="anna-laptop", job="system", set="full.20261122T200500Z")
        thief.make(NEXT)
        assert thief.ask("inc.20261122T200500Z.to.20261122T200600Z", 1)["error"] == "name_out_of_order"


class TestAQuarantinedSet:
    def test_takes_no_uploads_and_no_discards(self, thief: Thief) -> None:
        members = [thief.put(NEXT, part) for part in (1, "signatures")]
        thief.service.catalogue(*(f"anna-laptop/system/{member['name']}" for member in members))
        for set_id in (NEXT, INCREMENT):
            thief.service.admin("set_quarantine", name="anna-laptop", job="system", set=set_id)
        for set_id, part in ((NEXT, 2), (NEXT, "jsonstat"), (INCREMENT, "jsonstat")):
            assert thief.ask(set_id, part)["error"] == "set_sealed"
        assert thief.seal(NEXT, members)["error"] == "set_sealed"
        body = {"run": thief.run, "names": [name_of(NEXT, 1), name_of(INCREMENT, 1)]}
        answer = thief.service.call("POST", "/jobs/system/discards", body, thief.token).body
        assert answer["discarded"] == []

    def test_everything_since_a_time_is_hidden_at_once_by_the_time_of_s3(self, thief: Thief) -> None:
        later(thief.service, hours=3)
        theft = thief.service.now
        dated_before = "full.20261122T195000Z"
        for set_id in (NEXT, dated_before):
            thief.make(set_id)
        at = {"name": "anna-laptop", "job": "system", "stored_since": theft.isoformat()}
        assert set(thief.service.admin("set_quarantine", **at)["sets"]) == {NEXT, dated_before}
        assert thief.listed_sets() == {FULL, INCREMENT}
        assert thief.service.admin("set_quarantine", **at)["sets"] == []


class TestNumbers:
    @pytest.mark.parametrize("number", [-1, -(10**18), 2**50 + 1, 10**30, 1.5, True, "1"])
    @pytest.mark.parametrize("field", ["estimated_bytes", "source_files", "source_bytes"])
    def test_a_run_begins_with_none_that_is_absurd(
        self, service: Service, field: str, number: object
    ) -> None:
        token = service.enrolled("anna-laptop")
        answer = service.run(token, **{field: number})
        assert (answer.status, answer.error) == (400, "bad_request")

    @pytest.mark.parametrize("number", [-1, 10**18, 10**400])
    @pytest.mark.parametrize("field", ["volumes", "uploaded_bytes", "files_skipped"])
    def test_a_run_ends_with_none_that_is_absurd(self, thief: Thief, field: str, number: int) -> None:
        body = {"exit_code": 0, field: number}
        answer = thief.service.call("PATCH", f"/jobs/system/runs/{thief.run}", body, thief.token)
        assert (answer.status, answer.error) == (400, "bad_request")

    @pytest.mark.parametrize("estimated", [1, 2**50])
    def test_a_report_can_be_made_whatever_a_first_backup_estimates(
        self, service: Service, estimated: int
    ) -> None:
        token = service.enrolled("anna-laptop")
        run = service.run(token, estimated_bytes=estimated).body["run"]
        file = a_file(name_of(FULL, 1), b"x" * 100)
        assert "url" in service.permit(token, run, file)[0]
        key = f"anna-laptop/system/{name_of(FULL, 1)}"
        service.put(key, b"x" * 100)
        service.catalogue(key)
        later(service, days=1)
        assert len(service.admin("report_preview")["text"]) < 10_000
        assert service.call("GET", "/machine", token=token).status == 200

    @pytest.mark.parametrize("fails", ["evaluate_freshness", "job_usage", "state_costs"])
    def test_a_report_goes_out_even_if_one_job_or_its_costs_cannot_be_worked_out(
        self, thief: Thief, fails: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from chalicelib.journeys import send_weekly_report

        ben = Thief(thief.service, "bens-laptop")
        really = getattr(send_weekly_report, fails)

        def failing(*arguments: Any, **options: Any) -> Any:
            if fails == "state_costs" or any(
                getattr(one, "machine", "") == "anna-laptop" for one in arguments
            ):
                raise OverflowError("too large")
            return really(*arguments, **options)

        monkeypatch.setattr(send_weekly_report, fails, failing)
        text = thief.service.admin("report_preview")["text"]
        assert "could not be worked out (OverflowError)" in text
        assert f"{ben.machine} / system" in text

    @pytest.mark.parametrize("number", [40_001, 99_999_999])
    def test_no_volume_has_a_number_that_a_seal_cannot_list(self, thief: Thief, number: int) -> None:
        assert thief.ask(NEXT, number)["error"] == "bad_name"

    def test_a_volume_of_any_number_that_is_stored_all_the_same_is_described_in_a_few_letters(
        self, thief: Thief
    ) -> None:
        key = f"anna-laptop/system/{name_of(NEXT, 99_999_999)}"
        thief.service.put(key, b"x")
        thief.service.catalogue(key)
        [job] = thief.service.admin("machine_show", name="anna-laptop")["jobs"]
        assert "1-99999998" in [backup_set["gaps"] for backup_set in job["sets"]]

    @pytest.mark.parametrize("field", ["period_seconds", "grace_seconds", "storage_cap_bytes"])
    def test_the_owners_slips_are_refused_too(self, thief: Thief, field: str) -> None:
        answer = thief.service.admin("machine_set", name="anna-laptop", **{field: 10**30})
        assert answer["error"] == "bad_request"


class TestSizesAndCounts:
    @pytest.mark.parametrize(("part", "most"), [("manifest", 64 * 2**20), ("jsonstat", 16 * 2**20)])
    def test_metadata_that_is_too_large_to_be_any_is_refused(
        self, thief: Thief, part: str, most: int
    ) -> None:
        members = [thief.put(NEXT, one) for one in (1, "signatures")]
        for size, refused in ((most + 1, True), (5 * 2**30, True), (most, False)):
            file = {**a_file(name_of(NEXT, part), set=members), "size": size}
            [permit] = thief.service.permit(thief.token, thief.run, file)
            assert permit.get("error") == ("file_too_large" if refused else None)

    def test_a_request_takes_one_manifest(self, thief: Thief) -> None:
        files = [a_file(name_of(set_id, "manifest"), set=[]) for set_id in (NEXT, "full.20261122T195000Z")]
        body = {"run": thief.run, "files": files}
        assert thief.service.call("POST", "/jobs/system/uploads", body, thief.token).error == "bad_request"

    def test_a_lying_list_is_refused_before_the_bucket_is_listed(
        self, thief: Thief, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def never(*_: object) -> None:
            raise AssertionError("listed")

        monkeypatch.setattr("chalicelib.adapters.s3_buckets.Buckets.list_files", never)
        members = [{"name": name_of(NEXT, 2), "size": 1, "etag": "0"}]
        assert thief.seal(NEXT, members)["error"] == "set_list_missing"

    @pytest.mark.parametrize(
        ("reported", "most"),
        [
            ({}, 64 * 2**20 + 2**40),
            ({"source_bytes": 0, "source_files": 0}, 64 * 2**20 + 2**40),
            ({"source_bytes": 10 * 2**30, "source_files": 1000}, 64 * 2**20 + 2**30 + 4096_000),
            ({"source_bytes": 2**50, "source_files": 10**9}, 64 * 2**20 + 2 * 2**40),
        ],
        ids=["nothing", "an empty folder", "10 GB", "more than may be stored"],
    )
    def test_signatures_are_no_larger_than_the_source_can_explain(
        self, thief: Thief, reported: dict[str, int], most: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("chalicelib.adapters.s3_buckets.Buckets.begin_multipart", lambda *_: "upload")
        monkeypatch.setattr("chalicelib.adapters.s3_buckets.Buckets.presign_part", lambda *_: ("url", {}))
        thief.service.call("PATCH", f"/jobs/system/runs/{thief.run}", {"exit_code": 0}, thief.token)
        run = thief.service.run(thief.token, **reported).body["run"]
        thief.service.admin("machine_set", name="anna-laptop", storage_cap_bytes=10 * 2**40)
        for size, refused in ((most + 1, True), (most, False)):
            part = 5 * 2**30
            request = {
                "run": run,
                "name": name_of(NEXT, "signatures"),
                "size": size,
                "part_bytes": part,
                "part_sha256": ["0" * 64] * -(-size // part),
            }
            answer = thief.service.call("POST", "/jobs/system/multiparts", request, thief.token)
            assert answer.error == ("file_too_large" if refused else None)
            single = {**a_file(name_of(NEXT, "signatures")), "size": min(size, 5 * 2**30)}
            [permit] = thief.service.permit(thief.token, run, single)
            assert permit.get("error") == ("file_too_large" if refused and single["size"] > most else None)

    def test_no_more_sets_begin_in_a_day_than_anybody_needs(
        self, thief: Thief, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("chalicelib.domain.sealing.order.MAX_OPEN_SETS", 1000)
        later(thief.service, minutes=1)
        errors = []
        for number in range(MAX_SETS_A_DAY):
            moment = datetime(2026, 11, 22, 19, 40, number % 60, tzinfo=timezone.utc)
            moment += timedelta(minutes=number // 60)
            errors.append(thief.ask(f"full.{moment:%Y%m%dT%H%M%SZ}", 1).get("error"))
        assert errors.count(None) == MAX_SETS_A_DAY - 2, "two were begun before"
        assert set(errors[-2:]) == {"storage_cap"}
        later(thief.service, days=1)
        assert "url" in thief.ask("full.20261123T195900Z", 1)

    def test_no_more_files_are_asked_for_in_a_day_than_anybody_needs(self, thief: Thief) -> None:
        from chalicelib import wiring

        machine = wiring.machine_store().machine("anna-laptop")
        assert machine is not None
        today = thief.service.table._partitions["UPLOADS#anna-laptop"]["2026-11-22"]
        left = MAX_PERMITS_A_DAY - int(today["permits"]) - 3
        assert wiring.cap_store().count_permits(machine, left, thief.service.now)

        def ask(*parts: int) -> int:
            files = [a_file(name_of(NEXT, part), b"x") for part in parts]
            body = {"run": thief.run, "files": files}
            return thief.service.call("POST", "/jobs/system/uploads", body, thief.token).status

        assert [ask(1, 2), ask(3, 4), ask(3), ask(4)] == [200, 403, 200, 403]
        parts = {"part_bytes": 5 * 2**20, "part_sha256": ["0" * 64]}
        body = {"run": thief.run, "name": name_of(NEXT, "signatures"), "size": 1, **parts}
        answer = thief.service.call("POST", "/jobs/system/multiparts", body, thief.token)
        assert answer.error == "storage_cap", "parts are counted too"
        assert (
            "has asked for as many files as it may in a day" in thief.service.admin("report_preview")["text"]
        )
        assert "url" in Thief(thief.service, "bens-laptop").ask(NEXT, 1), "each machine has its own count"
        later(thief.service, days=1)
        thief.run = thief.service.run(thief.token).body["run"]
        assert ask(4) == 200


class TestOpenSets:
    """They are begun and not sealed; a laptop has one."""

    @pytest.fixture
    def full(self, thief: Thief) -> Thief:
        """As many as may be are open, the first with something stored."""
        later(thief.service, minutes=30)
        errors = [thief.ask(self.name(number), 1).get("error") for number in range(MAX_OPEN_SETS)]
        assert set(errors) == {None}
        self.store(thief, self.name(0))
        return thief

    def name(self, number: int) -> str:
        return f"full.20261122T2000{number:02}Z"

    def store(self, thief: Thief, set_id: str) -> None:
        key = f"{thief.machine}/system/{name_of(set_id, 1)}"
        thief.service.put(key, b"x")
        thief.service.catalogue(key)

    @pytest.mark.parametrize("part", [1, "signatures", "jsonstat"])
    def test_no_more_of_them_begin_by_whatever_file(self, full: Thief, part: int | str) -> None:
        assert full.ask(self.name(40), part)["error"] == "storage_cap"
        assert "url" in full.ask(self.name(0), 2), "those that are open go on"

    def test_nor_by_an_upload_in_parts(self, full: Thief) -> None:
        name = name_of(self.name(40), "signatures")
        body = {"run": full.run, "name": name, "size": 1, "part_bytes": 5 * 2**20, "part_sha256": ["0" * 64]}
        answer = full.service.call("POST", "/jobs/system/multiparts", body, full.token)
        assert answer.error == "storage_cap"

    def test_what_is_sealed_hidden_or_given_up_makes_room(self, full: Thief) -> None:
        for number in range(1, 4):
            self.store(full, self.name(number))
        full.service.admin("set_quarantine", name="anna-laptop", job="system", set=self.name(1))
        assert "url" in full.ask(self.name(40), 1)
        assert full.ask(self.name(41), 1)["error"] == "storage_cap"
        full.service.call(
            "POST",
            "/jobs/system/discards",
            {"run": full.run, "names": [name_of(self.name(2), 1)]},
            full.token,
        )
        full.service.catalogue(f"anna-laptop/system/{name_of(self.name(2), 1)}")
        assert "url" in full.ask(self.name(41), 1)
        assert full.ask(self.name(42), 1)["error"] == "storage_cap"

    def test_a_thief_who_filled_them_is_ended_by_the_owners_commands(self, thief: Thief) -> None:
        """As docs/security.md has them: revoke, enrol again, hide what came since."""
        later(thief.service, hours=3)
        theft = thief.service.now
        for number in range(MAX_OPEN_SETS):
            assert "url" in thief.ask(self.name(number), 1)
            if number % 2:
                self.store(thief, self.name(number))
        thief.service.admin("machine_revoke", name="anna-laptop")
        later(thief.service, minutes=21)  # the lease of his run has lapsed
        thief.token = thief.service.enrolled("anna-laptop")
        thief.run = thief.service.run(thief.token).body["run"]
        assert thief.ask(NEXT, 1)["error"] == "storage_cap"
        at = {"name": "anna-laptop", "job": "system", "stored_since": theft.isoformat()}
        assert len(thief.service.admin("set_quarantine", **at)["sets"]) == MAX_OPEN_SETS
        thief.make(NEXT)
        assert thief.listed_sets() == {FULL, INCREMENT, NEXT}

    def test_a_set_that_was_begun_before_is_not_hidden_with_them(self, thief: Thief) -> None:
        thief.put(NEXT, 1)
        later(thief.service, minutes=30)
        at = {"name": "anna-laptop", "job": "system", "stored_since": thief.service.now.isoformat()}
        assert thief.service.admin("set_quarantine", **at)["sets"] == []

    def test_those_of_which_nothing_came_are_open_for_an_hour_and_the_others_stay(self, full: Thief) -> None:
        later(full.service, hours=2)
        [job] = full.service.call("GET", "/machine", token=full.token).body["jobs"]
        assert job["stored_bytes"] == 4 + 2 * 8 + 1
        errors = [full.ask(self.name(20 + number), 1).get("error") for number in range(MAX_OPEN_SETS)]
        assert errors == [None] * (MAX_OPEN_SETS - 1) + ["storage_cap"]


class TestManySets:
    """What an answer reads does not grow with them."""

    def fill(self, thief: Thief, number: int) -> Job:
        from chalicelib import wiring
        from chalicelib.journeys.catalogue.catalogue_changes import refresh_findings

        [job] = wiring.machine_store().jobs("anna-laptop")
        end = datetime(2026, 1, 1, tzinfo=timezone.utc)
        for index in range(number):
            start, end = end, end + timedelta(minutes=1)
            times = f"{start:%Y%m%dT%H%M%SZ}.to.{end:%Y%m%dT%H%M%SZ}"
            sealed = BackupSet(
                SetId.parse(f"inc.{times}" if index else f"full.{end:%Y%m%dT%H%M%SZ}"),
                volumes=frozenset({1}),
                volumes_promised=1,
                has_signatures=True,
                sealed_at=end,
                current={"STANDARD": Tally(3, 100)},
            )
            assert wiring.catalogue_store().repair_set(job, sealed, 0, thief.service.now)
        refresh_findings(wiring.catalogue_store(), wiring.finding_store(), job, thief.service.now)
        return job

    @pytest.mark.parametrize("call", ["machine", "files", "uploads"])
    def test_an_answer_reads_as_many_rows_for_ten_as_for_a_thousand(
        self, service: Service, monkeypatch: pytest.MonkeyPatch, call: str
    ) -> None:
        from chalicelib.adapters.table import Table

        read: list[int] = []
        pages, get, get_many = Table._pages, Table.get, Table.get_many
        counted = {
            "_pages": lambda *a, **k: (read.append(1) or one for one in pages(*a, **k)),
            "get": lambda *a: read.append(1) or get(*a),
            "get_many": lambda table, keys: read.extend([1] * len(keys)) or get_many(table, keys),
        }
        rows_read = {}
        for number in (10, 1000):
            service.table.clear()
            service.s3.clear()
            thief = Thief(service)
            self.fill(thief, number)
            later(service, minutes=1)
            read.clear()
            with pytest.MonkeyPatch.context() as patch:
                for name, function in counted.items():
                    patch.setattr(Table, name, function)
                if call == "uploads":
                    assert "url" in thief.ask(NEXT, 1)
                else:
                    path = "/machine" if call == "machine" else "/jobs/system/files"
                    assert service.call("GET", path, token=thief.token).status == 200
            rows_read[number] = len(read)
        assert rows_read[1000] == rows_read[10] == {"machine": 5, "files": 6, "uploads": 5}[call]

    def test_a_summary_says_what_all_the_sets_say(self, thief: Thief) -> None:
        self.fill(thief, 30)
        [told] = thief.service.call("GET", "/machine", token=thief.token).body["jobs"]
        [known] = thief.service.admin("machine_show", name="anna-laptop")["jobs"]
        assert wire.from_json(wire.JobStatus, known) == wire.from_json(wire.JobStatus, told)
        assert told["stored_bytes"] == 30 * 100 + 4 + 2 * 8

    def test_a_job_that_nobody_summarized_yet_is_summarized_once(self, thief: Thief) -> None:
        """As after an upgrade."""
        known = thief.service.call("GET", "/machine", token=thief.token).body
        for partition in ("SUMMARIES", "OPEN_SETS"):
            thief.service.table._partitions.pop(partition, None)
        assert thief.service.call("GET", "/machine", token=thief.token).body == known
        assert thief.service.table._partitions["SUMMARIES"]


@contextmanager
def failing(step: str) -> Iterator[None]:
    """For the length of the ``with`` that step of what follows the writing of rows fails."""
    from chalicelib import wiring
    from chalicelib.adapters.stores.finding_store import FindingStore
    from chalicelib.adapters.stores.machine_store import MachineStore
    from chalicelib.adapters.stores.summary_store import SummaryStore

    def fail(*_: object, **__: object) -> None:
        raise ConnectionError(step)

    with pytest.MonkeyPatch.context() as patch:
        if step == "discard":
            patch.setattr(wiring, "discard_function", lambda: fail)
        else:
            store = next(one for one in (FindingStore, MachineStore, SummaryStore) if hasattr(one, step))
            patch.setattr(store, step, fail)
        yield


class TestAfterARevocation:
    """URLs outlive it: a download's by five minutes, an upload's by fifteen."""

    def revoke(self, thief: Thief) -> None:
        later(thief.service, minutes=1)
        thief.service.admin("machine_revoke", name=thief.machine)
        later(thief.service, seconds=20)

    def mail(self, thief: Thief) -> str:
        return str(thief.service.admin("report_preview")["text"])

    def test_a_set_that_is_sealed_by_an_old_url_is_hidden_and_told(self, thief: Thief) -> None:
        members = [thief.put(NEXT, part) for part in (1, "signatures")]
        assert "url" in thief.seal(NEXT, members)
        self.revoke(thief)
        thief.store_manifest(NEXT)
        parts = (1, "signatures", "manifest")
        thief.service.catalogue(*(f"anna-laptop/system/{name_of(NEXT, part)}" for part in parts))
        shown = thief.service.admin("machine_show", name="anna-laptop")["jobs"][0]["sets"]
        assert {one["set"]: one["quarantined"] for one in shown} == {
            FULL: False,
            INCREMENT: False,
            NEXT: True,
        }
        assert "stored after its token was revoked" in self.mail(thief)

    @pytest.mark.parametrize("part", [1, "signatures"])
    def test_what_comes_into_an_open_set_is_marked_deleted(self, thief: Thief, part: int | str) -> None:
        assert "url" in thief.ask(NEXT, part)
        self.revoke(thief)
        key = f"anna-laptop/system/{name_of(NEXT, part)}"
        thief.service.put(key, b"x")
        thief.service.catalogue(key)
        assert key not in thief.service.stored_keys()
        assert "marked deleted" in self.mail(thief)

    @pytest.mark.parametrize("fails", ["findings", "set_open", "discard"])
    def test_what_failed_once_its_row_was_written_is_marked_deleted_at_the_next_try(
        self, thief: Thief, fails: str
    ) -> None:
        assert "url" in thief.ask(NEXT, 1)
        self.revoke(thief)
        key = f"anna-laptop/system/{name_of(NEXT, 1)}"
        thief.service.put(key, b"x")
        with failing(fails):
            assert thief.service.catalogue(key, sequencer="A1")["batchItemFailures"]
        neighbour = f"anna-laptop/system/{name_of(NEXT, 'signatures')}"
        thief.service.put(neighbour, b"x")
        thief.service.catalogue(key, neighbour, sequencer="A1")
        assert not {key, neighbour} & set(thief.service.stored_keys())
        assert "2 file(s)" in self.mail(thief)
        assert f"anna-laptop/system#{NEXT}" in thief.service.table._partitions["OPEN_SETS"]

    @pytest.mark.parametrize("fails", ["findings", "machine", "bring_up_to_date", "replace"])
    def test_and_a_set_that_was_sealed_is_hidden_and_counted(self, thief: Thief, fails: str) -> None:
        members = [thief.put(NEXT, part) for part in (1, "signatures")]
        assert "url" in thief.seal(NEXT, members)
        self.revoke(thief)
        thief.store_manifest(NEXT)
        keys = [f"anna-laptop/system/{name_of(NEXT, part)}" for part in (1, "signatures", "manifest")]
        thief.service.catalogue(*keys[:2], sequencer="A1")
        with failing(fails):
            assert thief.service.catalogue(keys[2], sequencer="A1")["batchItemFailures"]
        thief.service.catalogue(keys[2], sequencer="A1")
        kept = thief.service.table._partitions
        sealed = f"anna-laptop/system#{NEXT}"
        assert sealed in kept["QUARANTINES"]
        assert sealed not in kept["OPEN_SETS"]
        assert "was finished so, and is in quarantine" in self.mail(thief)

    def test_what_could_not_be_marked_deleted_is_not_said_to_be(self, thief: Thief) -> None:
        members = [thief.put(NEXT, part) for part in (1, "signatures")]
        assert "url" in thief.ask(NEXT, 2)
        assert "url" in thief.seal(NEXT, members)
        thief.service.admin("machine_revoke", name=thief.machine)
        later(thief.service, seconds=20)
        key = f"anna-laptop/system/{name_of(NEXT, 2)}"
        thief.service.put(key, b"x")
        thief.service.catalogue(key)
        assert key in thief.service.stored_keys(), "the set is sealing: nothing of it may go"
        assert "1 of them could not be marked deleted" in self.mail(thief)
        assert f"python -m ops set quarantine anna-laptop system {NEXT}" in self.mail(thief)

    def test_what_was_stored_before_stays_though_its_event_comes_after(self, thief: Thief) -> None:
        thief.put(NEXT, 1)
        self.revoke(thief)
        key = f"anna-laptop/system/{name_of(NEXT, 1)}"
        thief.service.catalogue(key)
        assert key in thief.service.stored_keys()
        assert "revoked" not in self.mail(thief)

    def test_a_machine_that_enrolled_again_is_believed(self, thief: Thief) -> None:
        self.revoke(thief)
        later(thief.service, minutes=30)
        thief.token = thief.service.enrolled("anna-laptop")
        thief.run = thief.service.run(thief.token).body["run"]
        thief.make(NEXT)
        assert thief.listed_sets() == {FULL, INCREMENT, NEXT}


class TestTheStorageCap:
    @pytest.fixture
    def capped(self, thief: Thief) -> Thief:
        """Four files of a byte and two manifests of eight are stored."""
        thief.service.admin("machine_set", name="anna-laptop", storage_cap_bytes=100)
        return thief

    def asked(self, thief: Thief, volume: int, size: int) -> str | None:
        error: str | None = thief.ask(NEXT, volume, b"x" * size).get("error")
        return error

    def test_gives_back_what_was_permitted_and_never_used(self, capped: Thief) -> None:
        assert [self.asked(capped, volume, 10) for volume in range(1, 10)] == [None] * 8 + ["storage_cap"]
        later(capped.service, minutes=30)
        assert self.asked(capped, 10, 10) == "storage_cap", "those URLs may still be used"
        later(capped.service, hours=2)
        assert self.asked(capped, 11, 70) is None

    def test_keeps_counting_what_is_stored_older_versions_too(self, capped: Thief) -> None:
        key = f"anna-laptop/system/{name_of(NEXT, 1)}"
        for content in (b"a" * 30, b"b" * 30):
            capped.service.put(key, content)
        capped.service.catalogue(key)
        assert self.asked(capped, 2, 70) is None, "nobody counted yet"
        later(capped.service, hours=3)
        assert self.asked(capped, 3, 30) == "storage_cap"
        assert self.asked(capped, 4, 20) is None

    def test_is_counted_anew_once_in_ten_minutes_at_most(
        self, capped: Thief, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from chalicelib.adapters.stores.catalogue_store import CatalogueStore

        counts: list[object] = []
        monkeypatch.setattr(CatalogueStore, "stored_bytes", lambda *jobs: counts.append(jobs) or 0)
        for volume in range(1, 20):
            self.asked(capped, volume, 99)
            later(capped.service, minutes=1)
        assert len(counts) == 2


class TestAnUploadInParts:
    """Of 5 MB and a byte; what it was begun for is stored with its id."""

    @pytest.fixture
    def begun(self, thief: Thief, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        buckets = "chalicelib.adapters.s3_buckets.Buckets"
        monkeypatch.setattr(f"{buckets}.begin_multipart", lambda *_: "an-upload")
        monkeypatch.setattr(f"{buckets}.presign_part", lambda *_: ("https://s3/part", {}))
        monkeypatch.setattr(f"{buckets}.complete_multipart", lambda *_: "an-etag")
        part = 5 * 2**20
        name, digests = name_of(NEXT, "signatures"), ["0" * 64, "1" * 64]
        body = {"run": thief.run, "name": name, "size": part + 1, "part_bytes": part, "part_sha256": digests}
        answer = thief.service.call("POST", "/jobs/system/multiparts", body, thief.token)
        assert answer.body["upload"] == "an-upload"
        return {**body, "upload": "an-upload"}

    def test_goes_on_as_it_was_begun(self, thief: Thief, begun: dict[str, Any]) -> None:
        for more in ({}, {"first_part": 2}, {"etags": ["a", "b"]}):
            answer = thief.service.call("POST", "/jobs/system/multiparts", {**begun, **more}, thief.token)
            assert answer.status == 200, answer

    @pytest.mark.parametrize("etags", [None, ["a", "b"]])
    @pytest.mark.parametrize(
        "other",
        [
            {"size": 10 * 2**20},
            {"size": 10 * 2**30, "part_bytes": 5 * 2**30},
            {"part_sha256": ["2" * 64, "1" * 64]},
            {"name": name_of("full.20261122T195000Z", "signatures")},
            {"upload": "another-upload"},
        ],
        ids=str,
    )
    def test_takes_no_other_bytes_than_it_was_begun_for(
        self, thief: Thief, begun: dict[str, Any], other: dict[str, Any], etags: list[str] | None
    ) -> None:
        body = {**begun, **other, "etags": etags}
        answer = thief.service.call("POST", "/jobs/system/multiparts", body, thief.token)
        assert (answer.status, answer.error) == (404, "not_found")


# ---------------------------------------------------------------- the rule, and what is there already

JOB = Job("anna-laptop", "system", Location("bucket", "anna-laptop/system/"))


@pytest.mark.parametrize("set_id", [*OUT_OF_ORDER.values()], ids=OUT_OF_ORDER)
def test_the_rule_refuses_what_does_not_follow(set_id: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_follows(SetId.parse(set_id), {SetId.parse(FULL), SetId.parse(INCREMENT)})
    assert refused.value.code is ErrorCode.NAME_OUT_OF_ORDER


def sealed(name: str, minutes: float, promised: int | None = 1) -> BackupSet:
    return BackupSet(
        SetId.parse(name), frozenset({1}), promised, True, sealed_at=NOW + timedelta(minutes=minutes)
    )


def test_a_full_backup_whose_manifest_was_copied_after_its_increments_is_no_finding() -> None:
    """As the owner is advised where a rule has archived it: S3's time of it is that of the copy."""
    sets = [sealed(FULL, 9), sealed(INCREMENT, 2), sealed(NEXT, 3)]
    assert [
        one.code for one in find_anomalies(JOB, sets, NOW) if one.code in ("fork", "full_backdated")
    ] == []


@pytest.mark.parametrize(
    ("late", "code"),
    [
        (sealed("inc.20261122T190000Z.to.20261122T195000Z", 3), "fork"),
        (sealed("inc.20261122T190000Z.to.20261122T191000Z", 3), "fork"),
        (sealed("full.20261122T191000Z", 3), "full_backdated"),
        (sealed("full.20261122T195000Z", 3), None),
        (sealed(NEXT, 3), None),
        (sealed("inc.20261122T190000Z.to.20261122T195000Z", 3, promised=None), None),
    ],
)
def test_what_was_sealed_out_of_order_is_a_finding_with_the_command_that_repairs_it(
    late: BackupSet, code: str | None
) -> None:
    sets = [late, sealed(INCREMENT, 2), sealed(FULL, 1)]
    found = [one for one in find_anomalies(JOB, sets, NOW) if one.code in ("fork", "full_backdated")]
    assert [one.code for one in found] == [code] * (code is not None)
    for one in found:
        assert one.is_safety
        assert one.commands == (f"python -m ops set quarantine anna-laptop system {late.set_id}",)
