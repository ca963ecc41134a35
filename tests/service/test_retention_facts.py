"""What retention reads of a job: each partition once, and of each job what is its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.audit.bucket_settings import BucketSettings
from chalicelib.domain.audit.notices import CATALOGUE_DIFFERED, SECOND_RUN, Notice
from chalicelib.domain.backups.machines import CODE_LIFE
from chalicelib.domain.retention.blocks import Surroundings
from chalicelib.domain.retention.facts import RetentionFacts
from tests.service.conftest import BUCKET, NOW, Service, later

Facts = Callable[..., tuple[RetentionFacts, Surroundings]]


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch, service: Service) -> Facts:
    """The facts of a job now, and what surrounded it."""
    from chalicelib import wiring
    from chalicelib.journeys.retention import read_facts

    seen: list[Surroundings] = []

    def remembered(around: Surroundings, _: object) -> tuple[str, ...]:
        seen.append(around)
        return ()

    monkeypatch.setattr(read_facts, "blocks_of", remembered)

    def read(machine: str = "anna-laptop", job: str = "system", **options: Any) -> Any:
        sources = read_facts.FactSources(
            wiring.retention_store(),
            wiring.machine_store(),
            wiring.run_store(),
            wiring.notice_store(),
            wiring.finding_store(),
            wiring.thaw_store(),
        )
        snapshot = read_facts.read_surroundings(sources, service.now)
        found = {(one.machine, one.name): one for one in sources.machines.jobs()}[machine, job]
        known = sources.machines.machine(machine)
        assert known is not None
        (job_sets,) = wiring.catalogue_store().sets_of_each([found])
        of_job = read_facts.facts_of(snapshot, known, found, job_sets, service.now, **options)
        return of_job, seen[-1]

    return read


def test_a_run_counts_until_its_lease_lapses(service: Service, facts: Facts) -> None:
    token = service.enrolled()
    assert facts()[1].lease_until is None
    service.run(token)
    assert facts()[1].lease_until == NOW + timedelta(minutes=20)
    later(service, minutes=21)
    assert facts()[1].lease_until is None


def test_notices_about_safety_count_for_their_machine_and_for_thirty_days(
    service: Service, facts: Facts
) -> None:
    from chalicelib import wiring

    service.enrolled()
    service.enrolled("bob-laptop")
    wiring.notice_store().put(Notice(SECOND_RUN, "anna-laptop", "system", "Two ran at once.", NOW))
    assert facts()[1].safety == ("Two ran at once.",)
    assert facts("bob-laptop")[1].safety == ()
    later(service, days=31)
    assert facts()[1].safety == ()


def test_a_comparison_that_differed_counts_for_ten_days_and_is_none_about_safety(
    service: Service, facts: Facts
) -> None:
    from chalicelib import wiring

    service.enrolled()
    wiring.notice_store().put(Notice(CATALOGUE_DIFFERED, "anna-laptop", "system", "It differed.", NOW))
    assert facts()[1].differed
    assert facts()[1].safety == ()
    later(service, days=11)
    assert not facts()[1].differed


def test_an_enrolment_that_only_its_code_tells_of_was_within_the_life_of_the_code(
    service: Service, facts: Facts
) -> None:
    token = service.enrolled()
    assert facts()[0].enrolled_at == (NOW,)
    service.table.delete_item(
        TableName="panicroom-test",
        Key={
            "pk": {"S": "ENROLMENTS"},
            "sk": {"S": f"{token.partition('.')[0]}#2026-11-22T20:00:00.000000Z"},
        },
    )
    assert facts()[0].enrolled_at == (NOW, NOW + CODE_LIFE)


def test_rules_and_versions_of_a_bucket_count_where_it_was_looked_at(service: Service, facts: Facts) -> None:
    service.enrolled()
    assert facts()[1].keeps_versions is None
    soon = {
        "Status": "Enabled",
        "Filter": {"Prefix": "anna-laptop/"},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
    }
    others = {
        **soon,
        "Filter": {"Prefix": "bob-laptop/"},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    }
    settings = BucketSettings(BUCKET, keeps_versions=True, lifecycle=(soon, others))
    around = facts(settings=settings)[1]
    assert (around.keeps_versions, around.old_versions_days) == (True, 7)
    unread = facts(settings=BucketSettings(BUCKET))[1]
    assert unread.unread == ("versioning", "lifecycle rules")
    assert around.unread == ()
