"""How findings about a lifecycle rule are put."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from chalicelib.domain.audit.findings import Finding, command, new_finding
from chalicelib.domain.audit.lifecycle.rules import Rule, one_line


@dataclasses.dataclass(frozen=True)
class RuleSentences:
    """Those about the rules of one bucket."""

    bucket: str
    now: datetime

    def finding(self, code: str, rule: Rule, message: str, evidence: str = "") -> Finding:
        """Its evidence ends with the rule as it stands."""
        document = one_line(rule.document)
        return new_finding(
            code,
            subject=f"{self.bucket}/{rule.id}",
            message=message,
            evidence=f"{evidence}; {document}" if evidence else document,
        )

    def named(self, rule: Rule, as_meant: Rule | None = None) -> str:
        """How a sentence about the rule begins; ``as_meant`` has the prefix that it was meant to have."""
        name = f"he lifecycle rule {rule.called} of {self.bucket}"
        if as_meant is None or as_meant == rule:
            return f"T{name}"
        return f"Once its prefix is set right to {as_meant.prefix}, t{name}"

    def on(self, date: datetime) -> str:
        return f"on {date:%Y-%m-%d}" if date > self.now else f"any day now ({date:%Y-%m-%d} is past)"

    def since(self, date: datetime) -> str:
        return f"from {date:%Y-%m-%d} on" if date > self.now else f"since {date:%Y-%m-%d}"

    def show_rules(self) -> str:
        """The command that prints the bucket's rules."""
        return command("aws", "s3api", "get-bucket-lifecycle-configuration", "--bucket", self.bucket)
