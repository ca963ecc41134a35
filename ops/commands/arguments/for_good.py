"""What is said and asked before something is removed for good."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal

import click

from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.mail.cost_amounts import CLASS_NAMES
from chalicelib.domain.mail.phrases import count, format_bytes, format_small_money
from ops.errors import OpsError


def fee_line(storage_class: str, versions: Tally, fee: Decimal | None) -> str:
    name = CLASS_NAMES.get(storage_class, storage_class)
    line = f"  {name}: {count(versions.count, 'version')}, {format_bytes(versions.size_bytes)}"
    if fee is None:
        return f"{line}; what AWS charges for deleting it now is not known"
    about = "about " if fee else ""  # S3 does not say since when a file is in its class
    return f"{line}; AWS's fee for deleting it before its minimum stay: {about}{format_small_money(fee)}"


def check_typed(name: str, confirmed: str | None, as_json: bool) -> None:
    """Raises ``OpsError`` where it was not typed exactly."""
    given = confirmed
    if given is None:
        given = _asked_for(as_json)
    if given.strip() != name:
        raise OpsError(f"Nothing is removed: what was typed is not {name}.")


def _asked_for(as_json: bool) -> str:
    try:
        return str(
            click.prompt("Type its whole name to remove it", err=as_json, default="", show_default=False)
        )
    except click.Abort:
        raise OpsError(
            "\nNothing is removed: no name was typed. In a script --confirm NAME stands for it."
        ) from None


def minute_utc(moment: datetime) -> str:
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
