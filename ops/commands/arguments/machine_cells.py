"""A machine in a line of a table: how it is, how old, how large, what it costs, and whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from chalicelib.domain.mail.phrases import format_age, format_bytes, format_money
from chalicelib.domain.shown import shown
from chalicelib.owner_wire import moment_of
from ops.commands.arguments.options import console

WIDE = 100
"""Columns of a terminal from which on the second line of a machine is a column of its own."""

NO_TERMINAL = 200
"""Columns where nobody has a terminal: nothing folds, and programs find a machine in one line."""

Row = tuple[str, Sequence[str | Text], str]
"""The machine's name, its figures, and what more is said about it where there is room, or below its name."""


def machine_table(rows: Sequence[Row], more: str, columns: int) -> Table:
    """Fits into 60 columns."""
    wide = columns >= WIDE
    headers = ("state", "age", "stored", "a month")
    table = Table(
        Column("machine", overflow="fold"),
        *(Column(header, overflow="fold") for header in headers),
        *([Column(more, overflow="fold")] if wide else []),
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        header_style="bold",
    )
    for name, figures, about in rows:
        # As Text, since rich reads its markup in anything else: a name may have brackets.
        cells = [figure if isinstance(figure, Text) else Text(figure) for figure in figures]
        if wide:
            table.add_row(Text(name), *cells, Text(about))
        else:
            table.add_row(Text.assemble(name, (f"\n  {about}" if about else "", "dim")), *cells)
    return table


def table_console() -> Console:
    """Without a terminal it is as wide as a table wants to be."""
    return console if console.is_terminal else Console(width=NO_TERMINAL, highlight=False)


def age_shown(text: str | None, now: datetime) -> str:
    return format_age(now - moment_of(text)) if text else "never"


def size_shown(size_bytes: int) -> str:
    return format_bytes(size_bytes) if size_bytes else "nothing"


def month_shown(usd: float | None) -> str:
    return format_money(Decimal(str(usd))) if usd is not None else "-"


def joined(*parts: str | None) -> str:
    return ", ".join(shown(part) for part in parts if part)
