"""One corrected lifecycle configuration for a bucket, from what the audit found about each of its rules.

``put-bucket-lifecycle-configuration`` replaces all rules of a bucket. So there is one command for all findings, and it
corrects all of them: two commands, each of which corrected one rule, would undo each other.

What the corrected rules promise: none expires what belongs to a backup, none moves a backup's metadata, none moves
volumes to where nothing can read them, none removes old versions within ``GRACE_DAYS``, and all have one form.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.domain.audit.findings import command
from chalicelib.domain.audit.lifecycle_rules import MOVES_SMALL_ONES, Document, Rule, present_form
from chalicelib.domain.backups.storage import GLACIER_INSTANT_RETRIEVAL, needs_thaw

GRACE_DAYS = 30
"""A month to notice that something was deleted, and to bring it back."""

ACTIONS = (
    "Expiration",
    "Transitions",
    "NoncurrentVersionTransitions",
    "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload",
)
CANNOT_FOLLOW = {"ONEZONE_IA"}
"""Classes from which S3 moves nothing to Glacier Instant Retrieval."""


@dataclasses.dataclass(frozen=True)
class Correction:
    """What has to change in one rule; by default nothing but its form."""

    prefix: str | None = None
    """The prefix that it was probably meant to have."""
    drops_expiry: bool = False
    moves_only: tuple[str, ...] | None = None
    """It moves metadata too: the volumes' prefixes to which its transitions are limited; empty where both share one."""
    stays_readable: bool = False
    keeps_old_versions: bool = False


def corrected_rules(rules: Sequence[Rule], corrections: Mapping[int, Correction]) -> list[dict[str, Any]]:
    """The configuration to write; ``corrections`` by the rules' places."""
    changed: list[dict[str, Any]] = []
    for index, rule in enumerate(rules):
        changed += _corrected(rule.document, corrections.get(index, Correction()))
    return _with_own_names(_without_twins(changed))


def write_command(bucket: str, rules: Sequence[Document], default_size: str) -> str:
    """The command that replaces the rules of the bucket by these."""
    if not rules:
        return command("aws", "s3api", "delete-bucket-lifecycle", "--bucket", bucket)
    # Left out, S3's own default would replace the owner's choice.
    size = (
        ("--transition-default-minimum-object-size", MOVES_SMALL_ONES)
        if default_size == MOVES_SMALL_ONES
        else ()
    )
    configuration = json.dumps({"Rules": plain(rules)}, ensure_ascii=False)
    words = ("aws", "s3api", "put-bucket-lifecycle-configuration", "--bucket", bucket, *size)
    return command(*words, "--lifecycle-configuration", configuration)


def differences(before: Sequence[Document], after: Sequence[Document]) -> list[str]:
    """What the command changes: a line for each rule that goes (``-``) or comes (``+``), in S3's own form."""
    old, new = [one_line(rule) for rule in before], [one_line(rule) for rule in after]
    return [
        *(f"- {line}" for line in old if line not in new),
        *(f"+ {line}" for line in new if line not in old),
    ]


def one_line(document: Document) -> str:
    return json.dumps(plain(document), ensure_ascii=False, sort_keys=True)


def plain(document: object) -> Any:
    """As JSON takes it: dates as texts."""
    if isinstance(document, Mapping):
        return {name: plain(value) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [plain(item) for item in document]
    return document.isoformat() if isinstance(document, datetime) else document


# ---------------------------------------------------------------- one rule


def _corrected(document: Document, correction: Correction) -> list[dict[str, Any]]:
    """The rule as it should be, split where its transitions are for some prefixes only; empty if nothing is left."""
    rule = present_form(document)
    if correction.prefix is not None:
        rule = with_prefix(rule, correction.prefix)
    if correction.drops_expiry:
        rule = _without_expiry(rule)
    if correction.stays_readable and "Transitions" in rule:
        rule = _with_transitions(rule, _readable(rule["Transitions"]))
    if correction.keeps_old_versions:
        rule = _with_grace(rule)
    if correction.moves_only is None or "Transitions" not in rule:
        return [rule] if _acts(rule) else []
    others = _with_transitions(rule, [])
    moving = {name: value for name, value in rule.items() if name not in ACTIONS}
    moving["Transitions"] = rule["Transitions"]
    return [
        *([others] if _acts(others) else []),
        *(with_prefix(moving, prefix) for prefix in correction.moves_only),
    ]


def with_prefix(document: Document, prefix: str) -> dict[str, Any]:
    """The rule with another prefix, the rest of its filter as it was."""
    where = {name: value for name, value in document["Filter"].items() if name != "Prefix"}
    if "And" in where:
        where = {"And": {**where["And"], "Prefix": prefix}}
    elif "Tag" in where:
        where = {"And": {"Tags": [where["Tag"]], "Prefix": prefix}}
    elif where:
        where = {"And": {**where, "Prefix": prefix}}
    else:
        where = {"Prefix": prefix}
    return {**document, "Filter": where}


def _without_expiry(document: Document) -> dict[str, Any]:
    """Delete markers with nothing behind them may still go: that takes no backup."""
    markers = {
        name: value
        for name, value in document.get("Expiration", {}).items()
        if name == "ExpiredObjectDeleteMarker" and value
    }
    left = {name: value for name, value in document.items() if name != "Expiration"}
    return {**left, "Expiration": markers} if markers else left


def _with_transitions(document: Document, transitions: Sequence[Document]) -> dict[str, Any]:
    left = {name: value for name, value in document.items() if name != "Transitions"}
    return {**left, "Transitions": list(transitions)} if transitions else left


def _readable(transitions: Sequence[Document]) -> list[Document]:
    """The transitions with Glacier Instant Retrieval in place of the classes that cannot be read before a thaw."""
    found: list[Document] = []
    for transition in sorted(transitions, key=lambda one: one.get("Days", 0)):
        storage_class = transition["StorageClass"]
        if needs_thaw(storage_class):
            storage_class = GLACIER_INSTANT_RETRIEVAL
        before = {one["StorageClass"] for one in found}
        if storage_class in before or (storage_class == GLACIER_INSTANT_RETRIEVAL and before & CANNOT_FOLLOW):
            continue
        found.append({**transition, "StorageClass": storage_class})
    return found


def _with_grace(document: Document) -> dict[str, Any]:
    expiration = document.get("NoncurrentVersionExpiration")
    if not expiration:
        return dict(document)
    days = max(GRACE_DAYS, expiration.get("NoncurrentDays") or 0)
    return {**document, "NoncurrentVersionExpiration": {**expiration, "NoncurrentDays": days}}


def _acts(document: Document) -> bool:
    return any(document.get(action) for action in ACTIONS)


# ---------------------------------------------------------------- all of them


def _without_twins(rules: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leaves out a rule that does what one before it does to the same objects."""
    found: dict[str, dict[str, Any]] = {}
    for rule in rules:
        found.setdefault(one_line({**rule, "ID": ""}), rule)
    return list(found.values())


def _with_own_names(rules: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """S3 wants a name for one rule only; the parts of a rule that was split get numbers."""
    taken: set[str] = set()
    found = []
    for rule in rules:
        name, number = str(rule.get("ID", "")), 1
        wanted = name
        while wanted and wanted in taken:
            number += 1
            wanted = f"{name[:240]}-{number}"
        taken.add(wanted)
        found.append({**rule, "ID": wanted} if wanted else rule)
    return found
