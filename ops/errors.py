"""The one error that the owner's commands expect."""

from __future__ import annotations


class OpsError(Exception):
    """Something the owner can fix; ``str(error)`` is one sentence: what is wrong and what to do."""
