"""``python -m bench years``: the ten years in us-east-1 and eu-central-1, against what they may cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rich.console import Console
from rich.table import Table

from bench.years.laptop import laptop_setups, what_safety_costs
from bench.years.limits import missed
from bench.years.photos import photo_setups
from bench.years.setups import TenYears
from bench.years.tables import HEAD, setup_cells
from chalicelib.adapters.price_files import price_table

REGIONS = ("us-east-1", "eu-central-1")
PILES: Mapping[str, Callable[[], tuple[TenYears, ...]]] = {
    "A laptop: 50 GB, 5 more a year, half a GB changed a week": laptop_setups,
    "Its rules stricter or laxer": what_safety_costs,
    "Photos: 200 GB, 30 more a year": photo_setups,
}


def run(console: Console) -> list[str]:
    """Shows the sums; answers with those that are more than they may be in us-east-1."""
    tables = [table for region in REGIONS if (table := price_table(region)) is not None]
    for title, setups in PILES.items():
        shown = Table(*HEAD, title=f"{title}; {' / '.join(table.region for table in tables)}")
        for one in setups():
            shown.add_row(*(cell.replace("**", "") for cell in setup_cells(one, tables)))
        console.print(shown)
    return missed(tables[0])
