"""What a finding says of money: a lifecycle rule that never matched, in USD."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from decimal import Decimal

from chalicelib.domain.audit.findings import Finding
from chalicelib.domain.audit.lifecycle.inventory import MissedMoves
from chalicelib.domain.costs.missed_moves import missed_savings
from chalicelib.domain.costs.price_table import PriceTable, PriceUnknown
from chalicelib.domain.mail.phrases import format_money

SHOWN_FROM = Decimal("0.01")


def with_missed_savings(
    findings: Iterable[Finding], missed: Mapping[str, MissedMoves], table: PriceTable | None
) -> list[Finding]:
    """The findings, with a sentence about money in those whose keys are in ``missed``; none below a cent, and none
    where a price is not known."""
    return [_with_savings(finding, missed.get(finding.key), table) for finding in findings]


def _with_savings(finding: Finding, missed: MissedMoves | None, table: PriceTable | None) -> Finding:
    if missed is None or table is None:
        return finding
    try:
        savings = missed_savings(table, missed)
    except PriceUnknown:
        return finding
    sentences = []
    if savings.so_far >= SHOWN_FROM:
        sentences.append(f"That has cost {format_money(savings.so_far)} so far.")
    if savings.a_month >= SHOWN_FROM:
        sentences.append(
            f"In {missed.storage_class} the same volumes are {format_money(savings.a_month)} a month cheaper,"
            f" for {format_money(savings.moving)} once to move them."
        )
    return dataclasses.replace(finding, message=" ".join([finding.message, *sentences]))
