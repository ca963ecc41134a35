"""The owner's look at a job's chains: what was shown, that it is the same still, and what the owner says of it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from chalicelib.domain.backups.chains import BackupChain
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.retention.facts import OwnerChoices


def digest_of(chains: Iterable[BackupChain]) -> str:
    """Of everything that is finished in these chains: names, S3's times and bytes. An upload under way changes nothing,
    or nobody could approve while a first backup runs for days."""
    lines = [
        f"{chain.id} {backup_set.set_id} {backup_set.sealed_at.isoformat()} {backup_set.stored_bytes}"
        for chain in chains
        for backup_set in chain.sets
        if backup_set.sealed_at is not None
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def approve(
    choices: OwnerChoices, chains: Sequence[BackupChain], now: datetime, named: SetId | None = None
) -> OwnerChoices:
    """The owner has seen these chains now, and may have named one of them besides."""
    there = frozenset(chain.id for chain in chains)
    return dataclasses.replace(
        choices,
        looked_at=now,
        digest=digest_of(chains),
        seen=there,
        named=(choices.named | ({named} if named else set())) & there,
    )


def hold(choices: OwnerChoices, chain: SetId | None, *, release: bool = False) -> OwnerChoices:
    """Keeps a chain, or without one all of the job's, until it is released; releasing the job releases every chain."""
    if chain is not None:
        held = choices.held - {chain} if release else choices.held | {chain}
        return dataclasses.replace(choices, held=held)
    if release:
        return dataclasses.replace(choices, holds_all=False, held=frozenset())
    return dataclasses.replace(choices, holds_all=True)
