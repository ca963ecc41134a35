"""One run at a time, on the right clock."""

from __future__ import annotations

import pytest

from tests.service.conftest import Service, later


def test_a_run_takes_the_lease_and_gives_it_back(service: Service) -> None:
    token = service.enrolled()
    first = service.run(token)
    assert first.status == 201
    path = f"/jobs/system/runs/{first.body['run']}"
    assert service.call("PATCH", path, {"exit_code": 0, "volumes": 3}, token).status == 200
    assert service.run(token).status == 201


def test_a_second_run_is_refused_and_the_owner_is_told(service: Service) -> None:
    token = service.enrolled()
    service.run(token)
    second = service.run(token)
    assert (second.status, second.error) == (409, "run_in_progress")
    assert 0 < int(second.headers["Retry-After"]) <= 1201
    assert "A second backup of anna-laptop/system" in service.admin("report_preview")["text"]


def test_a_run_that_knows_the_one_it_resumes_takes_its_lease_over(service: Service) -> None:
    token = service.enrolled()
    killed = service.run(token).body["run"]
    resumed = service.run(token, resumes=killed)
    assert resumed.status == 201
    late = service.call("PATCH", f"/jobs/system/runs/{killed}", {}, token)
    assert (late.status, late.error) == (409, "lease_lost"), "what the killed run left behind goes on no more"


def test_a_lease_lapses_without_calls_and_lives_with_them(service: Service) -> None:
    token = service.enrolled()
    run = service.run(token).body["run"]
    for _ in range(6):
        later(service, minutes=5)
        assert service.call("PATCH", f"/jobs/system/runs/{run}", {}, token).status == 200
    assert service.run(token).error == "run_in_progress"
    later(service, minutes=21)
    assert service.run(token).status == 201


def test_a_laptop_that_slept_goes_on_if_nobody_else_began(service: Service) -> None:
    token = service.enrolled()
    run = service.run(token).body["run"]
    later(service, hours=9)
    assert service.call("PATCH", f"/jobs/system/runs/{run}", {}, token).status == 200
    assert service.run(token).error == "run_in_progress"


@pytest.mark.parametrize("clock", ["2036-11-22T20:00:00Z", "2026-11-22T20:11:00Z", "2026-11-22T19:49:00Z"])
def test_a_wrong_clock_is_refused_before_anything_is_stored(service: Service, clock: str) -> None:
    answer = service.run(service.enrolled(), clock=clock)
    assert (answer.status, answer.error) == (400, "clock_wrong")


@pytest.mark.parametrize(
    "fields", [{"kind": "sideways"}, {"clock": "yesterday"}, {"clock": 7}, {"estimated_bytes": "much"}]
)
def test_a_malformed_start_is_refused(service: Service, fields: dict[str, object]) -> None:
    answer = service.run(service.enrolled(), **fields)
    assert (answer.status, answer.error) == (400, "bad_request")


def test_jobs_of_one_machine_run_side_by_side(service: Service) -> None:
    token = service.enrolled(jobs=["system", "photos-2018"])
    assert service.run(token, "system").status == 201
    assert service.run(token, "photos-2018").status == 201


def test_how_a_run_ended_is_in_the_machines_own_status(service: Service) -> None:
    token = service.enrolled()
    run = service.run(token).body["run"]
    statistics = {"SourceFiles": 12.0, "ElapsedTime": 1.25}
    ended = {"exit_code": 23, "message": "disk full", "statistics": statistics}
    service.call("PATCH", f"/jobs/system/runs/{run}", ended, token)
    (job,) = service.call("GET", "/machine", token=token).body["jobs"]
    assert job["last_run"]["exit_code"] == 23
    assert job["state"] == "never"


@pytest.mark.parametrize("run", ["nonsense", "20261122t195500z-0123456789abcdef", "..%2f"])
def test_a_run_that_is_not_there_cannot_end(service: Service, run: str) -> None:
    token = service.enrolled()
    answer = service.call("PATCH", f"/jobs/system/runs/{run}", {"exit_code": 0}, token)
    assert answer.status in (404, 409)


def test_a_run_that_began_in_the_same_second_as_the_last_one_ends_like_any_other(service: Service) -> None:
    token = service.enrolled()
    for _ in range(5):
        run = service.run(token).body["run"]
        answer = service.call("PATCH", f"/jobs/system/runs/{run}", {"exit_code": 0}, token)
        assert answer.status == 200, "whatever the random part of its id"


RUN = "20261122t195900z-0123456789abcdef"


def test_a_start_that_is_asked_for_again_gives_the_same_lease_and_tells_nobody(service: Service) -> None:
    """The answer was lost: to the client it never happened."""
    token = service.enrolled()
    first = service.run(token, run=RUN, source_files=3)
    later(service, minutes=1)
    second = service.run(token, run=RUN, source_files=3)
    assert (first.status, second.status) == (201, 201)
    assert first.body["run"] == second.body["run"] == RUN
    assert "A second backup" not in service.admin("report_preview")["text"]
    assert service.call("PATCH", f"/jobs/system/runs/{RUN}", {"exit_code": 0}, token).status == 200


def test_the_run_that_was_asked_for_takes_over_from_the_one_it_names_and_from_no_other(
    service: Service,
) -> None:
    token = service.enrolled()
    killed = service.run(token, run=RUN).body["run"]
    fresh = RUN.replace("0123", "4567")
    assert service.run(token, run=fresh).error == "run_in_progress"
    assert service.run(token, run=fresh, resumes=killed).status == 201
    assert service.run(token, run=fresh, resumes=killed).status == 201, "its answer was lost"
    assert service.run(token, run=killed).error == "run_in_progress"


def test_a_start_that_comes_after_the_end_of_its_run_takes_nothing(service: Service) -> None:
    """A message that the network held back: nobody would give that lease back."""
    token = service.enrolled()
    service.run(token, run=RUN)
    service.call("PATCH", f"/jobs/system/runs/{RUN}", {"exit_code": 0}, token)
    late = service.run(token, run=RUN)
    assert (late.status, late.error) == (404, "unknown_run")
    assert service.run(token).status == 201


@pytest.mark.parametrize("run", ["", "mine", "../system", RUN.upper(), f"{RUN}0", 7])
def test_an_id_of_another_form_is_refused(service: Service, run: object) -> None:
    answer = service.run(service.enrolled(), run=run)
    assert (answer.status, answer.error) == (400, "bad_request")
