"""The weekly comparison of all jobs: hour after hour goes on where the last one ended, whatever became of it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.client import BaseClient

import app
from chalicelib import web, wiring
from chalicelib.domain.backups.machines import Job
from chalicelib.journeys.catalogue import reconcile_in_turn
from chalicelib.journeys.catalogue.reconcile_job import Reconciled
from tests.service.conftest import Service, later
from tests.service.test_metrics import fire, told, values_of

NAMES = [f"data_duplicity-full.20261101T000000Z.vol{number}.difftar.gpg" for number in range(1, 6)]
WEDNESDAY = datetime(2026, 11, 25, 12, 30, tzinfo=timezone.utc)


@pytest.fixture
def three(service: Service) -> Service:
    service.now = WEDNESDAY
    for name in ("anna", "bert", "carla"):
        service.admin("machine_add", name=name)
    return service


@pytest.fixture
def taken_up(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Machine and beginning of each comparison that a call takes up."""
    found: list[tuple[str, str]] = []
    really = reconcile_in_turn.reconcile_job

    def reconcile_job(context: Any, job: Job, after: str, has_time: Any) -> Reconciled:
        found.append((job.machine, after))
        return really(context, job, after, has_time)

    monkeypatch.setattr(reconcile_in_turn, "reconcile_job", reconcile_job)
    return found


def time_is_up(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """After so many questions whether there is time left."""

    def for_seconds(_: float) -> Any:
        answers = iter([True] * after)
        return lambda: next(answers, False)

    monkeypatch.setattr(web, "for_seconds", for_seconds)


def test_each_job_is_compared_once_a_week(three: Service, taken_up: list[tuple[str, str]]) -> None:
    for _ in range(2):
        fire(app.weekly_reconcile)
        later(three, hours=1)
    assert taken_up == [("anna", ""), ("bert", ""), ("carla", "")]
    later(three, days=7)
    fire(app.weekly_reconcile)
    assert taken_up[3:] == taken_up[:3]


def test_a_call_that_runs_out_of_time_is_gone_on_with_an_hour_later(
    three: Service, taken_up: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.journeys.catalogue.reconcile_job.KEYS_A_BLOCK", 2)
    for name in NAMES:
        three.put(f"bert/system/{name}", b"volume")
    time_is_up(monkeypatch, after=3)
    for _ in range(3):
        fire(app.weekly_reconcile)
        later(three, hours=1)
    assert taken_up == [("anna", ""), ("bert", ""), ("carla", ""), ("bert", NAMES[1]), ("bert", NAMES[3])]
    assert len(three.admin("catalogue_objects", name="bert", job="system")["objects"]) == len(NAMES)


def test_no_call_of_a_function_is_made_by_it(three: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda ends a chain of calls that is longer than sixteen."""
    services: set[str] = set()
    really_call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(client: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        services.add(client.meta.service_model.service_name)
        return really_call(client, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    time_is_up(monkeypatch, after=1)
    fire(app.weekly_reconcile)
    assert services == {"dynamodb", "s3"}


def test_one_jobs_trouble_keeps_no_other_from_its_turn_and_is_told(
    three: Service, taken_up: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, caplog: Any, capsys: Any
) -> None:
    store = type(wiring.catalogue_store())
    really = store.set_pages

    def set_pages(self: Any, job: Job) -> Any:
        if job.machine == "anna":
            raise RuntimeError("no reason")
        return really(self, job)

    monkeypatch.setattr(store, "set_pages", set_pages)
    fire(app.weekly_reconcile)
    assert values_of(told(capsys), "Failures") == [1]
    assert [machine for machine, _ in taken_up] == ["anna", "bert", "carla"]
    [line] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert (vars(line)["machine"], line.exc_info[0]) == ("anna", RuntimeError)
    monkeypatch.setattr(store, "set_pages", really)
    later(three, hours=1)
    fire(app.weekly_reconcile)
    assert [machine for machine, _ in taken_up[3:]] == ["anna"]


def test_a_machine_that_was_removed_and_added_again_is_compared_anew(
    three: Service, taken_up: list[tuple[str, str]]
) -> None:
    fire(app.weekly_reconcile)
    three.admin("machine_remove", name="bert")
    three.admin("machine_add", name="bert")
    later(three, hours=1)
    fire(app.weekly_reconcile)
    assert taken_up[3:] == [("bert", "")]


def test_what_was_in_an_adopted_bucket_before_is_no_news_and_what_is_lost_later_is(three: Service) -> None:
    def told() -> bool:
        return "differed from the bucket" in three.admin("report_preview")["text"]

    three.s3.create_bucket(Bucket="attic")
    three.admin("machine_add", name="dora", bucket="attic", prefix="old/", jobs=["photos"])
    three.s3.put_object(Bucket="attic", Key=f"old/{NAMES[0]}", Body=b"volume")
    three.now = datetime.now(timezone.utc) + timedelta(hours=1)
    fire(app.weekly_reconcile)
    assert len(three.admin("catalogue_objects", name="dora", job="photos")["objects"]) == 1
    assert not told()
    three.s3.put_object(Bucket="attic", Key=f"old/{NAMES[1]}", Body=b"volume")
    later(three, days=7)
    fire(app.weekly_reconcile)
    assert told()


def test_there_is_time_left_for_what_follows_a_jobs_last_key() -> None:
    from ops.functions.chalice_config import TIMEOUT_SECONDS

    assert TIMEOUT_SECONDS["weekly_reconcile"] - web.SCHEDULED_SECONDS >= 300
    assert timedelta(seconds=TIMEOUT_SECONDS["weekly_reconcile"]) < timedelta(hours=1)
