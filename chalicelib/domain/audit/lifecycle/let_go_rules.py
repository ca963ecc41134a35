"""The rule that makes final what was let go: whether it is there, and does what it was written for and no more."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.audit.custody import Custody, WatchedJob
from chalicelib.domain.audit.findings import Finding, new_finding
from chalicelib.domain.audit.lifecycle.own_rules import LET_GO_RULE, let_go_rule, let_go_rules_of, own_rules
from chalicelib.domain.audit.lifecycle.rewriting import GRACE_DAYS
from chalicelib.domain.audit.lifecycle.rules import Document, Rule, one_line, rule_of
from chalicelib.domain.audit.lifecycle.sentences import RuleSentences


def wanted_let_go_rules(jobs: Iterable[WatchedJob], stage_prefix: str) -> list[dict[str, Any]]:
    """Those that the bucket of ``jobs`` has to have; none where nobody lets anything go."""
    watched = [job for job in jobs if job.custody is not Custody.FOREIGN]
    if any(one.custody is Custody.OWN for one in watched):
        return [rule for rule in own_rules() if _clears_away(rule)]
    if not watched or not stage_prefix:
        return []
    return let_go_rules_of(stage_prefix, [one.job.location.prefix for one in watched])


def check_let_go_rule(
    rules: Sequence[Rule], wanted: Sequence[Document], about: RuleSentences
) -> list[Finding]:
    """``wanted`` as ``wanted_let_go_rules`` gives them. Critical where it removes more, or sooner, than it should."""
    if not wanted:
        return []
    found = next((rule for rule in rules if rule.id == LET_GO_RULE), None)
    if found is not None and _does(found) == _does(rule_of(let_go_rule())):
        return []
    return [
        new_finding(
            "letgo_rule_differs",
            subject=f"{about.bucket}/{LET_GO_RULE}",
            message=f"The lifecycle rule {LET_GO_RULE} of {about.bucket} {_what_it_does(found)}",
            evidence=one_line(found.document) if found else f"{len(rules)} rules, none called {LET_GO_RULE}",
            commands=("python -m ops audit --fix",),
            severity=None if found and _removes_too_much(found) else Severity.WARNING,
        )
    ]


def _what_it_does(found: Rule | None) -> str:
    stays = "what was let go stays stored, and billed."
    if found is None:
        return f"is not there: {stays}"
    if not found.enabled:
        return f"is off: {stays}"
    if not _removes_too_much(found):
        return f"was changed and does not remove all that was let go: {stays}"
    if not _has_tag(found):
        return (
            f"was changed and asks for {found.asks_for}, not for the tag of what was let go: it removes old versions "
            "that nobody let go, and nothing brings them back."
        )
    return f"was changed and removes what was let go before {GRACE_DAYS} days are over: nothing brings it back then."


def _removes_too_much(rule: Rule) -> bool:
    days = rule.old_versions_days
    return rule.enabled and (rule.expires or (days is not None and (days < GRACE_DAYS or not _has_tag(rule))))


def _has_tag(rule: Rule) -> bool:
    return rule_of(let_go_rule()).tags.items() <= rule.tags.items()


def _does(rule: Rule) -> tuple[Rule, Any]:
    """All that the rule does; S3 may write it in another form."""
    return dataclasses.replace(rule, document={}), rule.document.get("NoncurrentVersionExpiration")


def _clears_away(document: Document) -> bool:
    return "NoncurrentVersionExpiration" in document or "Expiration" in document
