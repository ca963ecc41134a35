"""The lines in the section of costs: classes, tags, and what a restore costs."""

from __future__ import annotations

from chalicelib.domain.backups.storage import (
    DEEP_ARCHIVE,
    GLACIER_FLEXIBLE_RETRIEVAL,
    GLACIER_INSTANT_RETRIEVAL,
    STANDARD,
)
from chalicelib.domain.costs.billed import STANDARD_IA
from chalicelib.domain.costs.restore_costs import RestoreCost
from chalicelib.domain.costs.statement import Statement
from chalicelib.domain.mail.cost_parts import SHOWN_FROM, Amount
from chalicelib.domain.mail.phrases import (
    count,
    format_bytes,
    format_estimate,
    format_money,
)
from chalicelib.wire import ThawTier

CLASS_NAMES = {
    STANDARD: "Standard",
    STANDARD_IA: "Standard-IA",
    GLACIER_INSTANT_RETRIEVAL: "Glacier Instant Retrieval",
    GLACIER_FLEXIBLE_RETRIEVAL: "Glacier Flexible Retrieval",
    DEEP_ARCHIVE: "Glacier Deep Archive",
}


def class_amounts(statement: Statement) -> tuple[Amount, ...]:
    return tuple(
        Amount(
            CLASS_NAMES.get(line.storage_class, line.storage_class),
            format_money(line.monthly),
            _class_note(line.current_bytes, line.noncurrent_bytes, line.overhead_bytes),
        )
        for line in statement.by_class
    )


def _class_note(current_bytes: int, noncurrent_bytes: int, overhead_bytes: int) -> str:
    parts = [format_bytes(current_bytes)]
    if noncurrent_bytes:
        parts.append(f"{format_bytes(noncurrent_bytes)} of older versions")
    if overhead_bytes:
        parts.append(f"{format_bytes(overhead_bytes)} of overhead")
    return " + ".join(parts)


def tag_amounts(statement: Statement) -> tuple[Amount, ...]:
    if statement.tags_monthly < SHOWN_FROM:
        return ()
    return (Amount("Tags", format_money(statement.tags_monthly), count(statement.tags, "volume")),)


_TIER_NAMES = {
    None: "Everything, at once",
    ThawTier.EXPEDITED: "Everything, Expedited",
    ThawTier.STANDARD: "Everything, Standard",
    ThawTier.BULK: "Everything, Bulk",
}


def restore_amount(restore: RestoreCost) -> Amount:
    fetching = f"about {format_estimate(restore.fetch)} at 100 Mbit/s"
    waiting = f"up to {format_estimate(restore.wait)} until it can be read, then " if restore.wait else ""
    cost = format_money(restore.cost) if restore.cost is not None else "price not known"
    transfer = ""
    if restore.cost is not None and SHOWN_FROM <= restore.transfer < restore.cost - SHOWN_FROM:
        transfer = f"; {format_money(restore.transfer)} of it for leaving AWS"
    return Amount(_TIER_NAMES[restore.tier], cost, f"{waiting}{fetching}{transfer}")
