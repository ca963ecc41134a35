"""Stores which sets a client found to have a false proof of origin, and makes the findings of them at once.

Only the client can check a proof: the service has no key. Whoever has the token can therefore accuse a true set, or
clear a false one. Neither changes a set: the finding asks the owner first to revoke the token.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime

from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.adapters.stores.finding_store import FindingStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.refusals import Refusal
from chalicelib.journeys.catalogue.catalogue_changes import refresh_findings
from chalicelib.wire import ErrorCode

MOST_FALSE_PROOFS = 100
"""So many names tell enough; the job's row is read with every request."""


def report_false_proofs(
    machines: MachineStore,
    catalogue: CatalogueStore,
    findings: FindingStore,
    job: Job,
    set_names: Sequence[str],
    now: datetime,
) -> None:
    """``set_names`` are all sets that the client has found false. Raises ``Refusal`` if one is no set's name."""
    newest = frozenset(sorted(set_names, key=_end_of)[-MOST_FALSE_PROOFS:])
    if newest != job.false_proofs:
        machines.set_false_proofs(job, newest)
        refresh_findings(catalogue, findings, dataclasses.replace(job, false_proofs=newest), now)


def _end_of(set_name: str) -> datetime:
    try:
        return SetId.parse(set_name).end
    except ValueError:
        raise Refusal(ErrorCode.BAD_REQUEST, "false_proofs must list names of sets.") from None
