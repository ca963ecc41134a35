"""Whoever has a token can knock as often as the API lets him. The owner's mail must survive it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.hostile import behind_gateway
from tests.service.conftest import NOW, Service, later

KNOCKS = 100
VOLUME = "data_duplicity-full.20261122T195500Z.vol{}.difftar.gpg"


def mail(service: Service) -> str:
    text: str = service.admin("report_preview")["text"]
    return text


def notices(service: Service) -> int:
    answer = service.table.query(
        TableName="panicroom-test",
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "NOTICES"}},
    )
    return int(answer["Count"])


def a_file(number: int) -> dict[str, Any]:
    return {"name": VOLUME.format(number), "size": 2**20, "sha256": hashlib.sha256(b"x").hexdigest()}


def test_second_runs_by_the_hundred_are_told_once(service: Service) -> None:
    token = service.enrolled()
    service.run(token)
    body = {"kind": "full", "clock": NOW.strftime("%Y-%m-%dT%H:%M:%SZ")}
    for _ in range(KNOCKS):
        assert behind_gateway.call("POST", "/jobs/system/runs", body, token).error == "run_in_progress"
        later(service, seconds=1)
    assert notices(service) <= 2
    assert len(mail(service)) < 5_000
    assert "A second backup of anna-laptop/system" in mail(service)


def test_a_batch_over_the_storage_cap_is_told_once(service: Service) -> None:
    token = service.enrolled()
    service.admin("machine_set", name="anna-laptop", storage_cap_bytes=1)
    run = service.run(token).body["run"]
    permits = service.permit(token, run, *(a_file(number) for number in range(1, 101)))
    assert {permit["error"] for permit in permits} == {"storage_cap"}
    assert notices(service) <= 2


@pytest.mark.parametrize("machine", ["anna-laptop", "bens-laptop"])
def test_what_happens_to_one_machine_does_not_hide_what_happens_to_another(
    service: Service, machine: str
) -> None:
    for name in ("anna-laptop", "bens-laptop"):
        token = service.enrolled(name)
        service.run(token)
        for _ in range(3):
            service.run(token)
    assert f"A second backup of {machine}/system" in mail(service)


def test_what_happens_again_the_next_week_is_told_again(service: Service) -> None:
    token = service.enrolled()
    service.run(token)
    service.run(token)
    later(service, days=9)
    assert "A second backup" not in mail(service)
    service.run(token)
    service.run(token)
    assert "A second backup" in mail(service)


def test_a_thief_makes_sixty_jobs_of_photos_and_the_owner_is_told_of_each_in_a_line(service: Service) -> None:
    token = service.enrolled(photos=True)
    jobs = [f"photos-{number}" for number in range(KNOCKS)]
    for _ in range(2):
        made = [behind_gateway.call("POST", "/jobs", {"job": job, "family": "photos"}, token) for job in jobs]
        assert [answer.error for answer in made] == [None] * 60 + ["too_many_jobs"] * (KNOCKS - 60)
    assert len(service.admin("machine_show", name="anna-laptop")["jobs"]) == 60
    later(service, minutes=15)
    alert = service.admin("alerts_preview")["mail"]["text"]
    for text in (mail(service), alert):
        assert text.count("60 new folders of photos") == 1
        assert all(f"photos-{number}" in text for number in range(60))
        assert "photos-60" not in text
        assert len(text) < 5_000


def test_checks_by_the_hundred_are_told_nobody(service: Service) -> None:
    token = service.enrolled(photos=True)
    behind_gateway.call("POST", "/jobs", {"job": "photos-2018", "family": "photos"}, token)
    told = notices(service)
    for number in range(KNOCKS):
        check = {"job": "photos-2018", "files": number, "bytes": 1}
        body = {"kind": "check", "clock": service.now.strftime("%Y-%m-%dT%H:%M:%SZ"), "checks": [check]}
        assert behind_gateway.call("POST", "/jobs/photos/runs", body, token).status == 201
        later(service, seconds=1)
    assert notices(service) == told
