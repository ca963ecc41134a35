"""What can be wrong: each kind of finding with its stable code, how bad it is, what it means, and what to do.

The tables in ``chalicelib.domain.audit.codes`` are the only place where a code's severity, meaning and advice stand;
the reference in the docs is made from them. What a finding says of the case at hand (its sentence, its evidence, the
commands to type) comes from the rule that found it.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterable, Sequence
from datetime import datetime

from chalicelib.domain.audit.codes.code import Concern, Severity
from chalicelib.domain.audit.finding_codes import CODES

_COMMAND = re.compile(r"`(python -m ops [^`]+)`")

EXIT_CODES = {Severity.CRITICAL: 2, Severity.WARNING: 1, Severity.INFO: 0}
"""How ``ops audit`` ends, by the worst finding."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """``code`` is stable; ``subject`` distinguishes findings of one code and job; ``advice`` is what to do.

    ``machine`` and ``job`` are empty where a whole bucket is meant. ``evidence`` is what was seen, ``commands`` what to
    type, in that order.
    """

    code: str
    severity: Severity
    machine: str
    job: str
    subject: str
    message: str
    advice: str
    evidence: str = ""
    commands: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Identifies the finding as long as it lasts."""
        return f"{self.machine}/{self.job}#{self.code}#{self.subject}"

    @property
    def title(self) -> str:
        return CODES[self.code].title if self.code in CODES else self.code.replace("_", " ")

    @property
    def is_safety(self) -> bool:
        """Whether it is urgent: a backup that was whole is not any more, or was asked to go."""
        return self.code in CODES and CODES[self.code].is_safety

    @property
    def whose(self) -> str:
        """``machine/job``, or the bucket where it belongs to no one job."""
        return f"{self.machine}/{self.job}".rstrip("/") if self.machine else self.subject.partition("/")[0]


@dataclasses.dataclass(frozen=True)
class OpenFinding:
    """A finding and when it was first seen."""

    finding: Finding
    opened_at: datetime


def new_finding(
    code: str,
    *,
    subject: str,
    message: str,
    machine: str = "",
    job: str = "",
    evidence: str = "",
    commands: Sequence[str] = (),
    severity: Severity | None = None,
) -> Finding:
    """A finding with its code's severity (unless this case is milder) and advice."""
    kind = CODES[code]
    return Finding(
        code,
        severity or kind.severity,
        machine,
        job,
        subject,
        message,
        kind.advice,
        evidence,
        tuple(commands),
    )


def codes_about(*concerns: Concern) -> frozenset[str]:
    return frozenset(code for code, kind in CODES.items() if kind.concern in concerns)


def exit_code(findings: Iterable[Finding]) -> int:
    """2 if any is critical, 1 for warnings, 0 if there is only information."""
    return max((EXIT_CODES[finding.severity] for finding in findings), default=0)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    order = list(Severity)
    return sorted(
        findings,
        key=lambda finding: (
            order.index(finding.severity),
            finding.machine,
            finding.job,
            finding.code,
            finding.subject,
        ),
    )


def at_stage(commands: Iterable[str], stage: str) -> tuple[str, ...]:
    """The commands as they are typed for a stage; the local stack, which is the default, is not named."""
    suffix = "" if stage == "local" else f" --stage {stage}"
    return tuple(f"{line}{suffix}" if line.startswith("python -m ops ") else line for line in commands)


def sentence_at_stage(sentence: str, stage: str) -> str:
    """The sentence with the commands in it, which stand in backticks, as they are typed for a stage."""
    return _COMMAND.sub(lambda found: f"`{at_stage([found[1]], stage)[0]}`", sentence)


def command(*words: str) -> str:
    """One line for a shell, quoted where it has to be."""
    return shlex.join(words)
