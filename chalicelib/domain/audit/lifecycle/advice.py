"""One corrected lifecycle configuration for a bucket, from what the audit found about each of its rules.

``put-bucket-lifecycle-configuration`` replaces all rules of a bucket. So there is one command for all findings, and it
corrects all of them: two commands, each of which corrected one rule, would undo each other.

What the corrected rules promise: none expires what belongs to a backup, none moves a backup's metadata, none moves
volumes to where nothing can read them, none removes old versions within ``GRACE_DAYS``, and all have one form.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from chalicelib.domain.audit.findings import command
from chalicelib.domain.audit.lifecycle.rewriting import Correction, corrected
from chalicelib.domain.audit.lifecycle.rules import MOVES_SMALL_ONES, Document, one_line, plain


def corrected_rules(rules: Sequence[Document], corrections: Sequence[Correction]) -> list[dict[str, Any]]:
    """The configuration to write; ``corrections`` are one a rule."""
    changed = [
        part
        for rule, correction in zip(rules, corrections, strict=True)
        for part in corrected(rule, correction)
    ]
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
