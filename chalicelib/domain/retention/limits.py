"""What nobody can choose about letting chains go."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.domain.audit.lifecycle.rewriting import GRACE_DAYS

SUCCESSOR_AGE = timedelta(days=180)
"""How old a chain must be before it can stand in for an older one: a thief who is noticed within half a year has
destroyed nothing. It is Deep Archive's minimum stay as well, so that nothing goes at a fee."""

SMALLEST_SUCCESSOR = 0.5
"""A full set of less than so much of the older one's bytes is no successor, unless the owner says so: against accidents
such as an unplugged disk, not against thieves."""

GRACE = timedelta(days=GRACE_DAYS)
"""How long what was let go can be brought back; the bucket's rule then removes it."""

ANNOUNCED_IN_MAILS = 2
"""So many weekly mails name a chain before it goes."""

NOT_FETCHED_FOR = timedelta(days=14)
"""A chain of which a volume was fetched is being restored from."""

NOTICES_COUNT_FOR = timedelta(days=30)
"""So long after a notice about safety nothing goes."""

COMPARED_WITHIN = timedelta(days=10)
"""The weekly comparison of catalogue and bucket may be three days late."""
