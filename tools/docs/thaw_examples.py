"""The tables of ``docs/restore.md``: what bringing archived files back costs, by the rules of a thaw's plan."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone
from decimal import Decimal

from chalicelib.domain.backups.machines import DEFAULT_DOWNLOAD_CAP_BYTES_A_DAY
from chalicelib.domain.backups.storage import DEEP_ARCHIVE, GLACIER_FLEXIBLE_RETRIEVAL
from chalicelib.domain.backups.tallies import Tallies, Tally
from chalicelib.domain.costs.billed import GB
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.domain.mail.phrases import format_small_money
from chalicelib.domain.restore.plans import Terms, TierOffer, offer_of
from chalicelib.domain.restore.volumes import VolumesFound, VolumeState
from chalicelib.wire import ThawTier
from ops.storage_costs import MB
from tools.docs.price_examples import REGIONS, table_of

WAYS = (
    (DEEP_ARCHIVE, ThawTier.BULK),
    (DEEP_ARCHIVE, ThawTier.STANDARD),
    (GLACIER_FLEXIBLE_RETRIEVAL, ThawTier.BULK),
    (GLACIER_FLEXIBLE_RETRIEVAL, ThawTier.STANDARD),
    (GLACIER_FLEXIBLE_RETRIEVAL, ThawTier.EXPEDITED),
)


CLASS_NAMES = {DEEP_ARCHIVE: "Deep Archive", GLACIER_FLEXIBLE_RETRIEVAL: "Flexible Retrieval"}


@dataclasses.dataclass(frozen=True)
class RestoreExample:
    """What a restore has to bring back."""

    name: str
    volumes: int
    volume_bytes: int

    @property
    def tally(self) -> Tally:
        return Tally(self.volumes, self.volumes * self.volume_bytes)


def _of(gigabytes: int, volume_mb: int) -> RestoreExample:
    volumes = gigabytes * GB // (volume_mb * MB)
    return RestoreExample(f"{gigabytes:,} GB in volumes of {volume_mb} MB", volumes, volume_mb * MB)


EXAMPLES = (
    RestoreExample("a letter: one volume of 25 MB", 1, 25 * MB),
    _of(10, 25),
    _of(50, 25),
    _of(200, 25),
    _of(200, 200),
    _of(1000, 200),
)


def thaw_blocks() -> dict[str, str]:
    """Every table by the name that the document calls it."""
    return {f"thaw {region}": thaw_table(table_of(region)) for region in REGIONS}


def thaw_table(table: PriceTable) -> str:
    ways = " | ".join(f"{CLASS_NAMES[name]}, {tier.value}" for name, tier in WAYS)
    lines = [
        f"Prices of {table.region} as of {table.as_of}, in USD before tax.\n",
        f"| to bring back | {ways} | for leaving AWS |",
        f"| --- |{' ---: |' * (len(WAYS) + 1)}",
    ]
    for wanted in EXAMPLES:
        offers = [_offer(table, wanted, *way) for way in WAYS]
        costs = " | ".join(_shown(offer.usd) for offer in offers)
        lines.append(f"| {wanted.name} | {costs} | {_shown(offers[0].transfer_usd)} |")
    return "\n".join(lines) + "\n"


def _offer(table: PriceTable, wanted: RestoreExample, storage_class: str, tier: ThawTier) -> TierOffer:
    """What a plan says on a line of 100 Mbit/s; nothing else left AWS this month."""
    tallies: dict[VolumeState, Tallies] = {state: {} for state in VolumeState}
    tallies[VolumeState.ARCHIVED] = {storage_class: wanted.tally}
    terms = Terms(table, DEFAULT_DOWNLOAD_CAP_BYTES_A_DAY, 0, None, datetime.now(timezone.utc))
    offer = offer_of(VolumesFound({}, tallies, {}), tier, terms)
    assert offer is not None
    return offer


def _shown(amount: Decimal | None) -> str:
    return "not known" if amount is None else format_small_money(amount)
