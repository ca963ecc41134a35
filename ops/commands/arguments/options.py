"""Options that several commands share, and the shape in which all of them answer."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Column, Table

from chalicelib.domain.audit.findings import at_stage
from ops.commands.arguments.durations import (
    parse_ahead,
    parse_days,
    parse_duration,
    parse_duration_or_never,
)
from ops.commands.arguments.money import parse_usd
from ops.commands.arguments.sizes import parse_size
from ops.local.stack import DEFAULT_STATE_FOLDER
from ops.stages import LOCAL

console = Console(highlight=False, soft_wrap=True)


def say(text: str, style: str | None = None) -> None:
    """Prose: wrapped by words at a terminal, a line for each sentence elsewhere. Commands are printed whole."""
    console.print(text, markup=False, style=style, soft_wrap=not console.is_terminal)


def folding_table(*headers: str) -> Table:
    """One that cuts nothing in a narrow terminal: names and times are typed elsewhere."""
    return Table(*(Column(header, overflow="fold") for header in headers))


json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for other programs.")
stage_option = click.option(
    "--stage", default=LOCAL.name, show_default=True, help="The stage to talk to; `local` is the local stack."
)
state_option = click.option(
    "--state",
    "state_folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_STATE_FOLDER,
    help="Folder of the local stack's state, if it is not the usual one.",
)


def stage_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--stage``, ``--state`` and ``--json`` at once."""
    return stage_option(state_option(json_option(command)))


T = TypeVar("T")


class Read(click.ParamType[T]):
    """A text of the command line, as ``read`` takes it; the sentence of its ``ValueError`` is what the owner sees."""

    def __init__(self, name: str, read: Callable[[str], T]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:
        try:
            return self._read(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = Read("duration", parse_duration)
"""``1d``, ``12h``, ``2w``: in seconds for the command."""

DURATION_OR_NEVER = Read("duration", parse_duration_or_never)
"""``30d``, or ``never``, which is 0."""

DAYS = Read("days", parse_days)
"""``30d``, ``0d``: in days for the command."""

AHEAD = Read("ahead", parse_ahead)
"""``+200d``, or ``reset``, which is 0."""

SIZE = Read("size", parse_size)
"""``500GB``, ``20TB``: in bytes for the command."""

USD = Read("usd", parse_usd)
"""``5``, ``2.50``, ``0``: as a text for the command."""


def typed(command: str, stage: str) -> str:
    """``python -m ops`` and the command, as it is typed for that stage."""
    [line] = at_stage([f"python -m ops {command}"], stage)
    return f"`{line}`"


def print_json(value: object) -> None:
    """Plain and complete, whatever the terminal's width; dataclasses as their fields."""
    click.echo(json.dumps(value, default=dataclasses.asdict, indent=2, ensure_ascii=False))


def confirm(answer: object, as_json: bool, sentence: str) -> None:
    """The whole answer for programs, one sentence for people."""
    if as_json:
        print_json(answer)
    else:
        console.print(sentence, markup=False)
