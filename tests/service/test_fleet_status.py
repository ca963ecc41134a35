"""The state of all machines in one answer: as each of them has it, by few requests, and without a change."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from chalicelib import wire
from chalicelib.adapters.stores.thaw_store import AskedVolumes
from chalicelib.domain.audit.findings import new_finding
from chalicelib.domain.backups.freshness import SealedSummary
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.figures import Figures, JobFigures
from chalicelib.domain.restore.thaws import Thaw
from chalicelib.fleet_wire import FleetStatus, MachineState
from chalicelib.journeys.admin import mail
from chalicelib.wire import ThawState, ThawTier
from tests.service.conftest import NOW, Service, later

HOUR = timedelta(hours=1)
FULL = "full.20261122T190000Z"
FILES = {
    f"data_duplicity-{FULL}.vol1.difftar.gpg": {},
    "meta_duplicity-full-signatures.20261122T190000Z.sigtar.gpg": {},
    f"meta_duplicity-{FULL}.manifest.gpg": {"Metadata": {"volumes": "1"}},
}


def status(service: Service) -> FleetStatus:
    return wire.from_json(FleetStatus, service.admin("status"))


def state_of(service: Service, machine: str) -> MachineState:
    [found] = [one for one in status(service).machines if one.machine == machine]
    return found


def job_of(machine: str, name: str = "system") -> Job:
    from chalicelib import wiring

    return wiring.machine_store().jobs_named([(machine, name)])[machine, name]


def backed_up(service: Service, machine: str, job: str = "system") -> None:
    keys = [f"{machine}/{job}/{name}" for name in FILES]
    for key, extra in zip(keys, FILES.values(), strict=True):
        service.put(key, b"x" * 100, **extra)
    service.catalogue(*keys)


@pytest.fixture
def calls(service: Service) -> Counter[str]:
    """Requests to the table, by kind."""
    from chalicelib import wiring

    counted: Counter[str] = Counter()
    client: Any = wiring._table()._client

    def count(model: Any, **_: Any) -> None:
        counted[model.name] += 1

    client.meta.events.register("before-call.dynamodb", count)
    return counted


def test_an_empty_service_is_well(service: Service) -> None:
    answer = status(service)
    assert (answer.verdict.value, answer.reasons, answer.machines) == ("well", (), ())


def test_each_machine_has_the_worst_state_of_its_jobs_and_what_is_stored_of_all(service: Service) -> None:
    service.enrolled("anna", jobs=["system", "home"])
    backed_up(service, "anna")
    anna = state_of(service, "anna")
    assert (anna.state, anna.status, anna.verdict.value) == ("never", "enrolled", "look")
    assert {(job.job, job.state, job.stored_bytes) for job in anna.jobs} == {
        ("system", "fresh", 300),
        ("home", "never", 0),
    }
    assert anna.stored_bytes == 300
    assert anna.looked_at is None
    backed_up(service, "anna", "home")
    assert state_of(service, "anna").state == "fresh"
    assert state_of(service, "anna").looked_at is not None


def test_a_machine_goes_from_well_to_bad_in_silence(service: Service) -> None:
    from chalicelib import wiring

    service.enrolled("anna")
    wiring.catalogue_store().summaries.put_summary(job_of("anna"), SealedSummary(NOW, 1, 700))
    assert status(service).verdict.value == "well"
    later(service, days=3)
    answer = status(service)
    assert answer.verdict.value == answer.machines[0].verdict.value == "bad"
    [reason] = answer.reasons
    assert (reason.machine, reason.job) == ("anna", "system")


def test_it_says_of_each_job_what_showing_the_machine_says(service: Service) -> None:
    """Also of a first backup that is on its way, of a paused machine, and of pictures that were looked at."""
    from chalicelib import wiring

    catalogue = wiring.catalogue_store()
    token = service.enrolled("anna", jobs=["system", "home"], photos=True)
    service.call("POST", "/jobs", {"job": "photos-2018", "family": "photos"}, token)
    backed_up(service, "anna", "photos-2018")
    growing = BackupSet(
        SetId(None, NOW), frozenset({1}), current={"STANDARD": Tally(1, 5000)}, changed_at=NOW + 50 * HOUR
    )
    home = job_of("anna", "home")
    page = catalogue.read_page(home, growing.set_id, [])
    catalogue.write_page(home, page, growing, [], NOW)
    catalogue.summaries.set_open(home, growing)
    service.enrolled("ben")
    service.admin("machine_pause", name="ben")
    later(service, hours=60)
    for name in ("anna", "ben"):
        shown = service.admin("machine_show", name=name)
        listed = {job.job: job for job in state_of(service, name).jobs}
        for job in shown["jobs"]:
            of_status = listed[job["job"]]
            assert of_status.state == job["state"]
            assert of_status.stored_bytes == job["stored_bytes"]
            assert of_status.newest_complete_at == job["newest_complete_at"]
    states = {(one.machine, job.job): job.state for one in status(service).machines for job in one.jobs}
    assert states == {
        ("anna", "system"): "overdue",
        ("anna", "home"): "never",
        ("anna", "photos-2018"): "fresh",
        ("ben", "system"): "paused",
    }


def test_a_family_without_a_folder_is_one_job_that_waits(service: Service) -> None:
    service.admin("machine_add", name="anna", photos=True)
    [job] = state_of(service, "anna").jobs
    assert (job.job, job.family, job.state) == ("photos", "photos", "never")
    [listed] = service.admin("machine_list")["machines"]
    assert (listed["jobs"], listed["state"]) == ([], "never")


def test_nothing_is_asked_a_job_and_nothing_is_written(service: Service, calls: Counter[str]) -> None:
    service.admin("machine_add", name="anna")
    for command in ("status", "machine_list"):
        calls.clear()
        service.admin(command)
        few = dict(calls)
        for number in range(20):
            service.admin(
                "machine_add", name=f"m{number}-{command.replace('_', '-')}", jobs=["system", "home"]
            )
        calls.clear()
        answer = service.admin(command)
        assert len(answer["machines"]) > 20
        assert dict(calls) == few
        assert set(few) == {"Query"}


def test_a_job_that_nobody_summarized_is_read_and_left_as_it_is(
    service: Service, calls: Counter[str]
) -> None:
    from chalicelib import wiring

    service.enrolled("anna")
    backed_up(service, "anna")
    wiring._table().delete("SUMMARIES", "anna/system")
    calls.clear()
    assert state_of(service, "anna").state == "fresh"
    assert set(calls) == {"Query"}
    assert wiring.catalogue_store().summaries.summaries("anna") == {}


def test_costs_are_those_of_the_last_weekly_mail(service: Service) -> None:
    from chalicelib import wiring

    service.enrolled("anna", jobs=["system", "home"])
    assert (status(service).costs_at, state_of(service, "anna").monthly) == (None, None)
    figures = Figures(NOW, 1, 0, 10, Decimal(1), None, None)
    wiring.report_store().store_figures(NOW, figures, {"anna/system": JobFigures(Decimal("1.25"), 10, 0)})
    anna = state_of(service, "anna")
    assert status(service).costs_at == "2026-11-22T20:00:00Z"
    assert anna.monthly == 1.25
    assert {job.job: job.monthly for job in anna.jobs} == {"system": 1.25, "home": None}
    [listed] = service.admin("machine_list")["machines"]
    assert listed["monthly"] == 1.25


def test_findings_and_thaws_that_wait_are_reasons_with_what_to_type(service: Service) -> None:
    from chalicelib import wiring

    service.enrolled("anna")
    job = job_of("anna")
    wiring.catalogue_store().summaries.put_summary(job, SealedSummary(NOW, 1, 700))
    finding = new_finding("gap", machine="anna", job="system", subject="x", message="Volume 2 is missing.")
    wiring.finding_store().replace(job, [finding], NOW, codes={"gap"})
    ends = (NOW, 12, 2**30, 5, NOW + 48 * HOUR, Decimal("2.50"))
    thaw = Thaw("anna", "system", "a1b2c3d4", ThawState.WAITING, ThawTier.BULK, *ends)
    wiring.thaw_store().put(thaw, AskedVolumes({}, {}), None)
    answer = status(service)
    assert answer.verdict.value == "bad"
    [critical, waiting] = answer.reasons
    assert critical.message == "Volume 2 is missing."
    assert waiting.commands == ("python -m ops thaw approve a1b2c3d4 --stage test",)
    assert [(one.machine, one.job, one.severity.value, one.count) for one in answer.findings] == [
        ("anna", "system", "critical", 1)
    ]
    assert [(one.thaw, one.usd) for one in answer.thaws] == [("a1b2c3d4", 2.5)]


def test_one_job_that_cannot_be_evaluated_does_not_hide_the_others(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.journeys.admin import states

    service.enrolled("anna", jobs=["system", "home"])
    evaluate = states.evaluate_summary

    def fail_for_home(machine: Any, job: Job, *rest: Any) -> Any:
        if job.name == "home":
            raise KeyError(job.name)
        return evaluate(machine, job, *rest)

    monkeypatch.setattr(states, "evaluate_summary", fail_for_home)
    assert {job.job: job.state for job in state_of(service, "anna").jobs} == {
        "system": "never",
        "home": "failing",
    }


def test_the_list_of_machines_has_state_age_size_owner_and_group(service: Service) -> None:
    from chalicelib import wiring

    service.enrolled("anna", owner_mail="anna@example.org")
    wiring.catalogue_store().summaries.put_summary(job_of("anna"), SealedSummary(NOW - HOUR, 1, 700))
    wiring._table().update("MACHINES", "anna", {"group": "web", "client_version": "0.2.0"})
    [listed] = service.admin("machine_list")["machines"]
    assert (
        listed.items()
        >= {
            "machine": "anna",
            "status": "enrolled",
            "jobs": ["system"],
            "state": "fresh",
            "looked_at": "2026-11-22T19:00:00Z",
            "stored_bytes": 700,
            "owner_mail": "anna@example.org",
            "group": "web",
            "client_version": "0.2.0",
        }.items()
    )


def test_the_worst_findings_come_first_and_what_an_answer_does_not_take_is_counted(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib import wiring

    service.enrolled("anna")
    job = job_of("anna")
    made = [
        new_finding(code, machine="anna", job="system", subject=str(number), message="So it is.")
        for number, code in enumerate(("stray", "gap", "stray"))
    ]
    wiring.finding_store().replace(job, made, NOW, codes={"gap", "stray"})
    monkeypatch.setattr(mail, "MOST_FINDINGS", 2)
    answer = service.admin("findings")
    assert [one["code"] for one in answer["findings"]] == ["gap", "stray"]
    assert answer["left_off"] == 1


def test_each_job_says_how_its_drills_stand(service: Service) -> None:
    service.enrolled("anna")
    backed_up(service, "anna")
    [job] = state_of(service, "anna").jobs
    assert job.drill is not None
    assert job.drill.outcome is None
    assert not job.drill.due, "not on the first day"
