"""A folder of pictures: the owner adds it once, and the computer makes a job of each folder in it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.conftest import Service
from tests.service.thawing import ThawingLaptop

PHOTOS = {"photos": True, "source_hint": "D:/Pictures"}


def test_a_machine_of_pictures_has_a_family_and_no_job(service: Service) -> None:
    added = service.admin("machine_add", name="anna-laptop", **PHOTOS)
    assert added["jobs"] == []
    [family] = added["families"]
    assert family == {
        "family": "photos",
        "period_seconds": 7 * 86_400,
        "volume_mb": 200,
        "most_jobs": 60,
        "source_hint": "D:/Pictures",
    }


def test_a_machine_may_have_both_and_what_is_typed_holds_for_both(service: Service) -> None:
    asked = {"jobs": ["system"], "period_seconds": 864_000, "storage": "instant", "keep_days": 90}
    service.admin("machine_add", name="anna-laptop", **PHOTOS, **asked)
    token = service.enrolled()
    service.call("POST", "/jobs", {"job": "photos-2018", "family": "photos"}, token)
    jobs = {job["job"]: job for job in service.admin("machine_show", name="anna-laptop")["jobs"]}
    assert jobs.keys() == {"system", "photos-2018"}
    for job in jobs.values():
        kept = (job["period_seconds"], job["archive_class"], job["keep_days"])
        assert kept == (864_000, "GLACIER_IR", 90)


@pytest.mark.parametrize("again", [{}, {"photos": True}, {"photos": True, "jobs": []}])
def test_a_machine_that_is_added_again_gets_a_code_and_no_other_job(
    service: Service, again: dict[str, Any]
) -> None:
    first = service.admin("machine_add", name="anna-laptop", **PHOTOS)
    second = service.admin("machine_add", name="anna-laptop", **again)
    assert (second["jobs"], second["families"]) == ([], first["families"])
    assert second["code"] != first["code"]


def test_a_new_code_for_a_machine_of_pictures_adds_no_job(service: Service) -> None:
    service.enrolled(**PHOTOS)
    assert service.admin("machine_rotate", name="anna-laptop")["jobs"] == []


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"source_hint": "D:/Pictures"}, "--source-hint goes with --photos"),
        ({**PHOTOS, "bucket": "attic"}, "leave out --bucket"),
        ({**PHOTOS, "source_hint": "D:\n"}, "the path of a folder"),
        ({**PHOTOS, "source_hint": ["D:"]}, "the path of a folder"),
        ({**PHOTOS, "source_hint": "D" * 201}, "the path of a folder"),
        ({**PHOTOS, "jobs": ["photos-2018"]}, "Choose another name"),
        ({**PHOTOS, "jobs": ["photos"]}, "Choose another name"),
        ({**PHOTOS, "jobs": "system"}, "Names of jobs"),
        ({**PHOTOS, "period_seconds": 0}, "period_seconds"),
        ({**PHOTOS, "storage": "tape"}, "storage"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_added(
    service: Service, asked: dict[str, Any], message: str
) -> None:
    refused = service.admin("machine_add", name="anna-laptop", **asked)
    assert message in refused["message"]
    assert service.admin("machine_list")["machines"] == []


def test_a_job_that_is_called_as_a_family_keeps_its_name(service: Service) -> None:
    service.enrolled(jobs=["photos"])
    assert "has a job called photos" in service.admin("machine_add", name="anna-laptop", **PHOTOS)["message"]


def test_other_settings_for_a_family_that_is_there_are_refused(service: Service) -> None:
    service.admin("machine_add", name="anna-laptop", **PHOTOS)
    for other in ({"storage": "instant"}, {"keep_chains": 2}):
        refused = service.admin("machine_add", name="anna-laptop", photos=True, **other)
        assert "machine set anna-laptop --job photos" in refused["message"]


def test_a_machine_may_plan_restores_of_each_of_its_years_on_top_of_the_usual_twenty(
    service: Service,
) -> None:
    token = service.enrolled(**PHOTOS, jobs=["system"])
    for year in range(2010, 2013):
        service.call("POST", "/jobs", {"job": f"photos-{year}", "family": "photos"}, token)
    laptop = ThawingLaptop(service, token=token)
    errors = [laptop.plan(str(number)).error for number in range(1, 26)]
    assert errors == [None] * 23 + ["thaw_cap"] * 2
