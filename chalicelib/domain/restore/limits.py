"""Limits of plans and thaws that the table keeps: apart from the prices, which most functions never load."""

from __future__ import annotations

from datetime import timedelta

PLAN_LIFE = timedelta(hours=24)

MAX_PLANS_A_DAY = 20

MAX_PAGES_A_MONTH = 10_000
"""LIST requests for one machine's thaws: five cents."""

LEASE = timedelta(seconds=120)
"""How long one call of the function asks S3 without renewing; another may take over then."""
