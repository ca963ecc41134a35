"""Restore events: counted for the thaw that their job has started last, and nothing more.

S3's listing is the record of what can be read: an event that is lost, doubled or early costs nothing.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from chalicelib.adapters.stores.thaw_store import ThawStore
from chalicelib.domain.backups.events import RestoreEvent, RestoreKind
from chalicelib.domain.backups.names import split_key
from chalicelib.domain.restore.thaws import AskForThaw
from chalicelib.journeys.catalogue.catalogue_changes import owner_of
from chalicelib.journeys.catalogue.catalogue_context import CatalogueContext
from chalicelib.wire import ThawState


def record_restore_events(
    context: CatalogueContext, thaws: ThawStore, ask: AskForThaw, events: Sequence[RestoreEvent]
) -> None:
    """Asks the function to look where as many copies were made as a thaw lacks; has one whose copies lapse looked at
    soon. Two requests to the table for each job of the batch."""
    completed = _counts(context, events, RestoreKind.COMPLETED)
    lapsed = _counts(context, events, RestoreKind.DELETE)
    for (machine, job), number in completed.items():
        thaw = thaws.count_completed(machine, job, number)
        if thaw is not None:
            ask(machine, job, thaw)
    for machine, job in lapsed:
        for known in thaws.thaws_of(machine, job):
            if known.state is ThawState.READY:
                thaws.change(dataclasses.replace(known, next_look_at=context.now), known)


def _counts(
    context: CatalogueContext, events: Sequence[RestoreEvent], kind: RestoreKind
) -> Counter[tuple[str, str]]:
    """How many events of that kind each job has; what belongs to no job is left out."""
    counts: Counter[tuple[str, str]] = Counter()
    of_kind = [event for event in events if event.kind is kind]
    adopted = {
        bucket: context.machines.adopted_jobs(bucket)
        for bucket in {event.bucket for event in of_kind} - {context.bucket}
    }
    for event in of_kind:
        if event.bucket == context.bucket:
            parts = split_key(event.key)
            if parts:
                counts[parts[0], parts[1]] += 1
        else:
            job = owner_of(event.key, adopted[event.bucket])
            if job is not None:
                counts[job.machine, job.name] += 1
    return counts
