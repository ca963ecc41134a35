"""What the journeys of the catalogue work with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime

from chalicelib.adapters.s3_buckets import Buckets
from chalicelib.adapters.stores.cap_store import CapStore
from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.adapters.stores.finding_store import FindingStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.notice_store import NoticeStore
from chalicelib.adapters.stores.run_store import RunStore
from chalicelib.domain.backups.machines import Job


@dataclasses.dataclass(frozen=True)
class CatalogueContext:
    """``bucket`` is the service's own; keys of other buckets belong to the jobs that were adopted with them."""

    machines: MachineStore
    runs: RunStore
    notices: NoticeStore
    caps: CapStore
    catalogue: CatalogueStore
    findings: FindingStore
    buckets: Buckets
    bucket: str
    discard: Callable[[Job, Sequence[str]], Sequence[str]]
    now: datetime
