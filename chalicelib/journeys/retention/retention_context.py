"""What retention is made from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime, timezone, tzinfo

from chalicelib.adapters.bucket_settings import SettingsReader
from chalicelib.adapters.s3_buckets import Buckets
from chalicelib.adapters.s3_versions import VersionStore
from chalicelib.adapters.stores.cap_store import CapStore
from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.adapters.stores.fleet.journal_store import JournalStore
from chalicelib.journeys.retention.read_facts import FactSources


@dataclasses.dataclass(frozen=True)
class RetentionContext:
    """``has_time``: whether work that can be resumed should go on. ``zone`` is the owner's, of the sentences."""

    sources: FactSources
    caps: CapStore
    catalogue: CatalogueStore
    buckets: Buckets
    versions: VersionStore
    settings: SettingsReader
    journal: JournalStore
    now: datetime
    has_time: Callable[[], bool] = lambda: True
    zone: tzinfo = timezone.utc
