"""The tables beside the weekly mail, with all that the mail leaves out."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal

from chalicelib.domain.audit.findings import Finding
from chalicelib.domain.mail.report_parts import (
    Attachment,
    EvaluatedJob,
    Report,
    ReportLine,
    ReportNotice,
)
from chalicelib.domain.shown import shown_cell


def attached_tables(
    report: Report,
    evaluated: Sequence[EvaluatedJob],
    lines: Sequence[ReportLine],
    findings: Sequence[Finding],
    notices: Sequence[ReportNotice],
    monthly: Mapping[str, Decimal],
    now: datetime,
    zone: tzinfo,
) -> tuple[Attachment, ...]:
    """Only where something was left out of the mail, or is shown together. ``lines`` are those of ``evaluated``."""
    day = f"{now.astimezone(zone):%Y-%m-%d}"
    tables = []
    shortened = report.more_problems or report.more_others or (report.costs and report.costs.more_machines)
    if shortened or any(one.job.family for one in evaluated):
        rows = [
            _row(evaluated_job, line, monthly) for evaluated_job, line in zip(evaluated, lines, strict=True)
        ]
        tables.append(Attachment(f"backups-{day}.csv", _csv(_BACKUP_COLUMNS, rows)))
    if report.more_findings:
        wrong = [
            [finding.severity.value, finding.machine, finding.job, finding.message, finding.advice]
            for finding in findings
        ]
        columns = ["severity", "machine", "job", "what is wrong", "what to do"]
        tables.append(Attachment(f"findings-{day}.csv", _csv(columns, wrong)))
    if report.more_notices:
        rows = [[notice.at, notice.about, notice.message] for notice in notices]
        tables.append(Attachment(f"notices-{day}.csv", _csv(["when", "backup", "what happened"], rows)))
    return tuple(tables)


_BACKUP_COLUMNS = [
    "machine",
    "job",
    "state",
    "newest complete backup",
    "age",
    "sets in its chain",
    "stored bytes",
    "USD a month",
    "last run",
    "drill",
    "what to do",
    "looked at",
]


def _row(evaluated: EvaluatedJob, line: ReportLine, monthly: Mapping[str, Decimal]) -> list[str]:
    cost = monthly.get(f"{line.machine}/{line.job}")
    return [
        line.machine,
        line.job,
        line.label,
        line.newest,
        line.age,
        str(evaluated.freshness.chain_length),
        str(evaluated.freshness.stored_bytes),
        f"{cost:.4f}" if cost is not None else "",
        line.last_run,
        line.drill,
        line.advice,
        line.looked,
    ]


def _csv(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([shown_cell(cell) for cell in row] for row in rows)
    return text.getvalue()
