"""How long the owner keeps a job's chains."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class RetentionPolicy:
    """``keep_chains`` newer chains that the owner has seen must be there, one at least; a chain's newest set must be
    ``keep_days`` old; and of the last ``keep_yearly`` years the first chain that the owner has seen stays."""

    keep_chains: int = 1
    keep_days: int = 0
    keep_yearly: int = 0


DEFAULT_RETENTION = RetentionPolicy()
