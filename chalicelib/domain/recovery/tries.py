"""How often recovery codes may be tried: by network address, so that nobody can lock out anybody else."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from ipaddress import IPv6Address, IPv6Network, ip_address

MAX_TRIES_AN_HOUR = 20
"""Of one address. A code has 120 random bits: this keeps guessing from costing money, not from succeeding."""

GUESSED_FROM = 10
"""Wrong codes for one machine within an hour that the owner gets a mail about."""

_IPV6_SITE_BITS = 64
"""A home or a server has so much of an address to itself, and 2^64 addresses below it."""


def network_of(address: str) -> str:
    """Who counts as one: an address of IPv4, a site of IPv6, and all that are no address together."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Network((int(parsed), _IPV6_SITE_BITS), strict=False))
    return str(parsed)


def hour_of(now: datetime) -> str:
    return f"{now.astimezone(timezone.utc):%Y-%m-%dT%H}"


def seconds_left(now: datetime) -> int:
    """Until the next hour begins."""
    began = now.replace(minute=0, second=0, microsecond=0)
    return -int((now - began - timedelta(hours=1)).total_seconds() // 1)
