"""The price tables that come with the service, one file a region in ``chalicelib/prices``."""

from __future__ import annotations

import json
from pathlib import Path

from chalicelib.domain.costs.price_table import PriceTable, read_price_table

FOLDER = Path(__file__).parent.parent / "prices"


def price_table(region: str, folder: Path = FOLDER) -> PriceTable | None:
    """The region's table, or ``None`` where its prices are not known."""
    path = folder / f"{region}.json"
    return read_price_table(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None
