"""Each job by itself: what another job has been through never changes a plan. And a machine that was added anew."""

from __future__ import annotations

import dataclasses

from hypothesis import given, settings

from chalicelib.adapters.stores.catalogue_store import JobSets
from chalicelib.domain.audit.findings import new_finding
from chalicelib.domain.audit.notices import SECOND_RUN, Notice
from chalicelib.domain.backups.leases import Lease
from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.backups.names import Location
from chalicelib.domain.backups.reconciles import ReconcileProgress
from chalicelib.domain.backups.retention_policy import RetentionPolicy
from chalicelib.domain.retention.facts import OwnerChoices, RetentionFacts
from chalicelib.domain.retention.let_go import LetGo
from chalicelib.domain.retention.plan import RetentionPlan, Why
from chalicelib.domain.retention.rules import plan_retention
from chalicelib.domain.sealing.hidden import HiddenSets
from chalicelib.journeys.retention.read_facts import RetentionSnapshot, facts_of
from tests.domain.retention.histories import DAY, HOUR, T0, History, day, histories, stored_set

MACHINE = Machine("anna-laptop", T0 - 2 * DAY)
SYSTEM, PHOTOS = (
    Job("anna-laptop", name, Location("backups", f"anna-laptop/{name}/"), period_seconds=86_400 * 9999)
    for name in ("system", "photos")
)


def snapshot(**histories_of: History) -> RetentionSnapshot:
    """What the table has of these jobs; of ``photos`` there is everything that can stop a job, too."""
    named = {("anna-laptop", job): one for job, one in histories_of.items()}
    now = histories_of["system"].now
    read = RetentionSnapshot(
        choices={name: one.facts.choices for name, one in named.items()},
        let_gos=[],
        announced={name: one.facts.announced for name, one in named.items()},
        fetched={name: one.facts.fetched_at for name, one in named.items()},
        enrolments={"anna-laptop": histories_of["system"].facts.enrolled_at},
        findings=[],
        notices=[],
        leases={},
        thaws=[],
    )
    photos = named.get(("anna-laptop", "photos"))
    if photos is None:
        return read
    ids = tuple(one.set_id for one in photos.facts.sets)
    gap = new_finding("gap", subject="s", message="A volume is missing.", machine="anna-laptop", job="photos")
    return dataclasses.replace(
        read,
        let_gos=[LetGo("anna-laptop", "photos", ids[0], ids, now)],
        findings=[gap],
        notices=[Notice(SECOND_RUN, "anna-laptop", "photos", "Two ran at once.", now)],
        leases={("anna-laptop", "photos"): Lease("run", now + HOUR)},
    )


def plan_of(job: Job, history: History, read: RetentionSnapshot) -> RetentionPlan:
    job = dataclasses.replace(job, retention=history.policy)
    job = dataclasses.replace(job, reconcile=ReconcileProgress(history.now, done_at=history.now))
    sets, hidden = list(history.facts.sets), HiddenSets(history.facts.quarantined)
    visible = [one for one in sets if one.set_id not in hidden]
    return plan_retention(
        history.now,
        history.policy,
        facts_of(read, MACHINE, job, JobSets(job, sets, visible, hidden), history.now),
    )


@settings(max_examples=150, derandomize=True, database=None)
@given(histories(), histories())
def test_what_another_job_has_been_through_changes_no_plan(system: History, photos: History) -> None:
    alone = plan_of(SYSTEM, system, snapshot(system=system))
    assert plan_of(SYSTEM, system, snapshot(system=system, photos=photos)) == alone


def test_a_job_goes_by_its_own_rows() -> None:
    """So that the test above sees something: the same history lets go, or not, by what the table has of it."""
    sets = [stored_set(None, day(0), day(0) + HOUR), stored_set(None, day(10), day(10) + HOUR)]
    ids = [one.set_id for one in sets]
    choices = OwnerChoices(day(11), seen=frozenset(ids))
    facts = RetentionFacts(sets, choices=choices, announced=dict.fromkeys(ids, 2))
    history = History(day(200), RetentionPolicy(), facts)
    read = snapshot(system=history)
    assert [chain.id for chain in plan_of(SYSTEM, history, read).go] == [ids[0]]
    read = snapshot(system=history, photos=history)
    assert [chain.id for chain in plan_of(SYSTEM, history, read).go] == [ids[0]]
    assert plan_of(PHOTOS, history, read).go == ()


def test_a_machine_that_was_removed_and_added_anew_is_another_one_until_the_owner_says_so() -> None:
    """Its name has the old machine's backups: the new one's stand in for none of them by themselves."""
    sets = [stored_set(None, day(0), day(0) + HOUR), stored_set(None, day(10), day(10) + HOUR)]
    ids = [one.set_id for one in sets]
    choices = OwnerChoices(day(11), seen=frozenset(ids))
    facts = RetentionFacts(
        sets, choices=choices, announced=dict.fromkeys(ids, 2), enrolled_at=(day(-1), day(5))
    )
    history = History(day(200), RetentionPolicy(), facts)
    (asked,) = plan_of(SYSTEM, history, snapshot(system=history)).needs_owner
    assert (asked.chain.id, asked.why) == (ids[0], Why.OTHER_ENROLMENT)
    named = dataclasses.replace(facts, choices=dataclasses.replace(choices, named=frozenset(ids[:1])))
    history = dataclasses.replace(history, facts=named)
    assert [chain.id for chain in plan_of(SYSTEM, history, snapshot(system=history)).go] == [ids[0]]
