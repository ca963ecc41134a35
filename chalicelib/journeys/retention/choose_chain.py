"""Which chain of a job goes now: planned from the table, and again from what S3 says, with all else read anew."""

from __future__ import annotations

import dataclasses

from chalicelib.adapters.stores.catalogue_store import JobSets
from chalicelib.domain.backups.chains import BackupChain
from chalicelib.domain.backups.machines import Machine
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.retention.compared import differences, relevant
from chalicelib.domain.retention.facts import OwnerChoices, RetentionFacts
from chalicelib.domain.retention.plan import RetentionPlan
from chalicelib.domain.retention.reasons import reason_of
from chalicelib.domain.retention.rules import counted_chains, plan_retention
from chalicelib.journeys.retention.look_at_bucket import BucketLook, look_at_bucket
from chalicelib.journeys.retention.read_facts import facts_of, read_surroundings
from chalicelib.journeys.retention.retention_context import RetentionContext


class ChainWaits(Exception):
    """Nothing of the job goes now; the message says why, a sentence for the owner."""


class LettingGoStuck(Exception):
    """Letting ``chain`` go has stopped until somebody looks into it. ``evidence`` is what was seen."""

    def __init__(self, chain: SetId, message: str, evidence: str) -> None:
        super().__init__(message)
        self.chain, self.evidence = chain, evidence


def choose_chain(
    context: RetentionContext, machine: Machine, job_sets: JobSets, facts: RetentionFacts
) -> tuple[BackupChain, OwnerChoices]:
    """The chain as S3 has it, and the owner's choices that it goes by. ``facts`` are of the table. Raises
    ``ChainWaits`` and ``LettingGoStuck``."""
    job = job_sets.job
    plan = plan_retention(context.now, job.retention, facts)
    planned = _the_one(context, plan)
    settings = context.settings.read_versioning(job.location.bucket)
    look = look_at_bucket(context.buckets, context.versions, job)
    # The bucket took its time: a run, a fetch, a hold or another call of this may have come in between.
    hidden = context.catalogue.hidden(job)
    if planned.id in hidden.let_go:
        raise ChainWaits(f"Another run lets {planned.id} go just now.")
    compared = _compared(context, planned, facts, look)
    now_there = dataclasses.replace(job_sets, hidden=hidden)
    snapshot = read_surroundings(context.sources, context.now)
    fresh = facts_of(snapshot, machine, job, now_there, context.now, settings=settings)
    fresh = dataclasses.replace(
        fresh,
        sets=[backup_set for backup_set in look.sets.values() if backup_set.set_id not in hidden.let_go],
        locked_until=look.locked_until,
    )
    chain = _the_one(context, plan_retention(context.now, job.retention, fresh))
    if not compared.issuperset(chain.set_ids):
        raise ChainWaits(
            f"The bucket has other sets of {chain.id} than the catalogue: they are not compared yet."
        )
    return chain, fresh.choices


def _the_one(context: RetentionContext, plan: RetentionPlan) -> BackupChain:
    if plan.go:
        return plan.go[0]
    waiting = sorted((*plan.waits, *plan.needs_owner), key=lambda one: one.chain.first_sealed_at)
    raise ChainWaits(reason_of(waiting[0], context.zone) if waiting else "It has no chain.")


def _compared(
    context: RetentionContext, planned: BackupChain, facts: RetentionFacts, look: BucketLook
) -> frozenset[SetId]:
    """The sets of which S3 says what the catalogue says."""
    sets = relevant(planned, counted_chains(facts))
    lasting, young = differences(sets, look.sets, context.now)
    if lasting:
        raise LettingGoStuck(
            planned.id,
            "The bucket has not what the catalogue says of this chain, or of those that stand in for it: nothing was "
            "changed.",
            " ".join(lasting[:3]),
        )
    if young:
        raise ChainWaits("What was stored in the last hour is not catalogued yet: the next run looks again.")
    return frozenset(backup_set.set_id for backup_set in sets)
