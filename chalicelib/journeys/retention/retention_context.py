"""What retention is made from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime

from chalicelib.adapters.bucket_settings import SettingsReader
from chalicelib.adapters.s3_buckets import Buckets
from chalicelib.adapters.stores.cap_store import CapStore
from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.adapters.stores.finding_store import FindingStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.notice_store import NoticeStore
from chalicelib.adapters.stores.retention.retention_store import RetentionStore
from chalicelib.adapters.stores.run_store import RunStore
from chalicelib.adapters.stores.thaw_store import ThawStore


@dataclasses.dataclass(frozen=True)
class RetentionContext:
    """``bucket`` is the service's own. ``has_time``: whether work that can be resumed should go on."""

    retention: RetentionStore
    machines: MachineStore
    runs: RunStore
    notices: NoticeStore
    caps: CapStore
    catalogue: CatalogueStore
    findings: FindingStore
    thaws: ThawStore
    buckets: Buckets
    settings: SettingsReader
    bucket: str
    now: datetime
    has_time: Callable[[], bool] = lambda: True
