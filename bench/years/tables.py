"""The ten years as tables of ``docs/prices.md``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from bench.years.laptop import laptop_setups, what_safety_costs
from bench.years.photos import photo_setups
from bench.years.setups import TenYears
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.domain.mail.phrases import format_money

HEAD = (
    "kept how",
    "ten years",
    "uploaded",
    "everything back, at once",
    "100 GB a month",
    "days without",
    "lost after a year of silence",
)


def year_blocks(tables: Sequence[PriceTable]) -> dict[str, str]:
    """Every table by the name that the document calls it; each sum is of the regions in their order."""
    return {
        "ten years of a laptop": setups_table(laptop_setups(), tables),
        "ten years of photos": setups_table(photo_setups(), tables),
        "what safety costs": safety_table(what_safety_costs(), tables),
    }


def photographers_table(tables: Sequence[PriceTable]) -> str:
    """The pile of photos without the columns in which its setups do not differ."""
    head = ("kept how", "ten years", "uploaded", "everything back, at once", "100 GB a month")
    lines = [_prices_of(tables), _row(head), _row(["---", *["---:"] * 4])]
    return "\n".join([*lines, *(_row(setup_cells(one, tables)[:5]) for one in photo_setups())]) + "\n"


def setups_table(setups: Sequence[TenYears], tables: Sequence[PriceTable]) -> str:
    lines = [_prices_of(tables), _row(HEAD), _row(["---", *["---:"] * 5, "---"])]
    return "\n".join([*lines, *(_row(setup_cells(one, tables)) for one in setups)]) + "\n"


def setup_cells(setup: TenYears, tables: Sequence[PriceTable]) -> list[str]:
    return [
        setup.name,
        _in_each(tables, setup.cost),
        f"{setup.uploaded_gb:,.0f} GB",
        _in_each(tables, setup.back_at_once),
        f"{_in_each(tables, setup.back_spread)} in {setup.months_to_spread}"
        if setup.months_to_spread > 1
        else "",
        str(setup.broken_days),
        setup.after_a_silent_year,
    ]


def safety_table(setups: Sequence[TenYears], tables: Sequence[PriceTable]) -> str:
    """The first is what the others are compared with."""
    lines = [
        _prices_of(tables),
        _row(["rules", "ten years", "fees for early deletion"]),
        "| --- | ---: | ---: |",
    ]
    rows = [_row([one.name, _in_each(tables, one.cost), _in_each(tables, one.fees)]) for one in setups]
    return "\n".join([*lines, *rows]) + "\n"


def _in_each(tables: Sequence[PriceTable], amount: Callable[[PriceTable], Decimal | None]) -> str:
    """The sum in each region, or once where all are alike."""
    sums = [amount(table) for table in tables]
    texts = ["not known" if one is None else format_money(one) for one in sums]
    return texts[0] if len(set(texts)) == 1 else " / ".join(texts)


def _prices_of(tables: Sequence[PriceTable]) -> str:
    regions = " / ".join(f"{table.region} as of {table.as_of}" for table in tables)
    return f"Prices of {regions}, in USD before tax.\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
