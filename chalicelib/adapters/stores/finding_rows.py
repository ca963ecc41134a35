"""Rows of findings."""

from __future__ import annotations

from datetime import datetime

from chalicelib.adapters.stores.rows import format_instant, instant_in, new_row
from chalicelib.adapters.table import Item
from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.audit.findings import Finding, OpenFinding

OF_NO_JOB = "/#"
"""What the keys of findings about a bucket as a whole begin with."""


def finding_item(finding: Finding, opened_at: datetime) -> Item:
    return new_row(
        "FINDINGS",
        finding.key,
        code=finding.code,
        machine=finding.machine,
        job=finding.job,
        subject=finding.subject,
        opened_at=format_instant(opened_at),
        **finding_details(finding),
    )


def finding_details(finding: Finding) -> Item:
    """What may change while a finding lasts."""
    return {
        "severity": finding.severity.value,
        "message": finding.message,
        "advice": finding.advice,
        "evidence": finding.evidence,
        "commands": list(finding.commands),
    }


def open_finding_of(item: Item) -> OpenFinding:
    finding = Finding(
        code=item["code"],
        severity=Severity(item["severity"]),
        machine=item["machine"],
        job=item["job"],
        subject=item["subject"],
        message=item["message"],
        advice=item["advice"],
        evidence=item.get("evidence", ""),
        commands=tuple(item.get("commands", ())),
    )
    return OpenFinding(finding, instant_in(item, "opened_at"))
