"""A mark in a job's state: its next backup is a full one, which needs nothing of what is stored."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from panicroom.names import set_kind, set_time
from panicroom.private_files import write_private

_NAME = "new-chain"


def ask_for_new_chain(state: Path) -> None:
    write_private(state / _NAME, "")


def is_asked_for(state: Path) -> bool:
    return (state / _NAME).exists()


def has_begun(state: Path) -> None:
    """The full set is sealed."""
    (state / _NAME).unlink(missing_ok=True)


def outgrown_sets(sealed: Collection[str], *, begins_anew: bool) -> set[str]:
    """Finished sets that duplicity need not see: those before the newest chain, or all where a new one begins.

    It would fetch and decrypt their manifests when its cache is lost, and they may have another passphrase.
    """
    if begins_anew:
        return set(sealed)
    newest = max((set_time(name) for name in sealed if set_kind(name) == "full"), default=None)
    return {name for name in sealed if newest is not None and set_time(name) < newest}
