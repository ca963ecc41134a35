"""A lifecycle rule written anew, in S3's own form and with what was wrong in it corrected."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from chalicelib.domain.audit.lifecycle.rules import Document, present_form
from chalicelib.domain.backups.storage import GLACIER_INSTANT_RETRIEVAL, readable_instead_of

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


def corrected(document: Document, correction: Correction) -> list[dict[str, Any]]:
    """The rule as it should be, split where its transitions are for some prefixes only; empty if nothing is left."""
    rule = present_form(document)
    if correction.prefix is not None:
        rule = _with_prefix(rule, correction.prefix)
    if correction.drops_expiry:
        rule = _without_expiry(rule)
    if correction.stays_readable and "Transitions" in rule:
        rule = _with_transitions(rule, readable(rule["Transitions"]))
    if correction.keeps_old_versions:
        rule = _with_grace(rule)
    if correction.moves_only is None or "Transitions" not in rule:
        return [rule] if _acts(rule) else []
    others = _with_transitions(rule, [])
    moving = {name: value for name, value in rule.items() if name not in ACTIONS}
    moving["Transitions"] = rule["Transitions"]
    return [
        *([others] if _acts(others) else []),
        *(_with_prefix(moving, prefix) for prefix in correction.moves_only),
    ]


def _with_prefix(document: Document, prefix: str) -> dict[str, Any]:
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


def readable(transitions: Sequence[Document]) -> list[Document]:
    """The transitions with Glacier Instant Retrieval in place of the classes that cannot be read before a thaw."""
    found: list[Document] = []
    for transition in sorted(transitions, key=lambda one: one.get("Days", 0)):
        storage_class = readable_instead_of(transition["StorageClass"])
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
