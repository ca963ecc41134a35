"""What of long lists goes into a mail. Gmail cuts a mail at 102 KB; the attached tables have the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from chalicelib.domain.audit.findings import Finding
from chalicelib.domain.mail.report_parts import (
    ReportLine,
)

PROBLEMS_SHOWN = 20
OTHERS_SHOWN = 30
FINDINGS_SHOWN = 12
NOTICES_SHOWN = 12


def some_problems(lines: Sequence[ReportLine]) -> tuple[ReportLine, ...]:
    """The first ones; where there are too many, the first of each kind, so that none hides another."""
    problems = [line for line in lines if line.needs_attention]
    if len(problems) <= PROBLEMS_SHOWN:
        return tuple(problems)
    kinds = list(dict.fromkeys(line.label for line in problems))
    places = dict.fromkeys(kinds, PROBLEMS_SHOWN // len(kinds))
    shown = []
    for line in problems:
        if places[line.label]:
            places[line.label] -= 1
            shown.append(line)
    return tuple(shown)


def more_problems(lines: Sequence[ReportLine]) -> str:
    problems = [line for line in lines if line.needs_attention]
    return how_many_more(problems, len(some_problems(lines)), "more that need you")


def some_others(lines: Sequence[ReportLine]) -> tuple[ReportLine, ...]:
    """All of them or none: which ones are left out would say nothing."""
    others = tuple(line for line in lines if not line.needs_attention)
    return others if len(others) <= OTHERS_SHOWN else ()


def more_others(lines: Sequence[ReportLine]) -> str:
    number = sum(not line.needs_attention for line in lines)
    return f"{number:,} other backups are in the attached table." if number > OTHERS_SHOWN else ""


def chosen_findings(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Every safety finding, then one of each code, then others, worst first: a hundred of one code hide no other."""
    by_code = Counter[str]()
    ranks = []
    for finding in findings:
        by_code[finding.code] += 1
        ranks.append((not finding.is_safety, by_code[finding.code] > 1))
    order = sorted(range(len(findings)), key=lambda index: (ranks[index], index))
    number = max(FINDINGS_SHOWN, sum(finding.is_safety for finding in findings))
    return tuple(findings[index] for index in sorted(order[:number]))


def more_findings(findings: Sequence[Finding], chosen: Sequence[Finding]) -> str:
    left_off = Counter(finding.code for finding in findings) - Counter(finding.code for finding in chosen)
    if not left_off:
        return ""
    named = ", ".join(f"{code} {number:,}" for code, number in left_off.most_common())
    return f"{left_off.total():,} more findings ({named}): see the attached table."


def how_many_more(items: Sequence[object], shown: int, what: str) -> str:
    left_out = len(items) - shown
    return f"{left_out:,} {what}: see the attached table." if left_out > 0 else ""
