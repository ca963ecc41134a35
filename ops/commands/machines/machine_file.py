"""A file of machines, for ``machine add --from``: a table as a spreadsheet saves it, or JSON.

Columns and fields are called like the options of ``machine add``. All that is wrong is found, each fault with its line.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chalicelib.domain.backups.names import is_identifier
from chalicelib.domain.backups.storage import chosen_policy
from chalicelib.domain.mail.phrases import count
from chalicelib.domain.shown import shown
from ops.commands.arguments.durations import parse_days, parse_duration
from ops.commands.arguments.money import parse_usd
from ops.commands.arguments.retention_choice import parse_kept_days
from ops.commands.arguments.setting_options import TYPED_SETTINGS, parse_owner_mail
from ops.errors import OpsError

LARGEST_BYTES = 2**20
"""Some ten thousand machines."""

MOST_FAULTS = 50
"""Shown at once; the rest is counted."""

LONGEST_FAULT = 300
"""Characters; a cell may have any number of them."""

UTF8 = "Save it as UTF-8; Excel calls that CSV UTF-8."


class FileFaults(OpsError):
    """Everything that is wrong in a file, a line each and in its order; ``added`` machines of it were added all the
    same."""

    def __init__(self, faults: list[str], added: int = 0) -> None:
        more = len(faults) - MOST_FAULTS
        rest = [f"and {more:,} more."] if more > 0 else []
        done = f"Only the first {count(added, 'machine')} were added" if added else "Nothing was added"
        named = [shown(fault)[:LONGEST_FAULT] for fault in sorted(faults, key=_line_of)[:MOST_FAULTS]]
        lines = [f"{done}. In the file:", *named, *rest]
        super().__init__("\n".join(lines))


def _line_of(fault: str) -> int:
    place = re.match(r"(?:line|entry) ([0-9]+): ", fault)
    return int(place[1]) if place else 0


@dataclasses.dataclass(frozen=True)
class MachineEntry:
    """``where`` is ``line 7`` or ``entry 3``; ``arguments`` are those of the service's ``machine_add``."""

    where: str
    name: str
    arguments: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class _Record:
    """Texts by column, as they stand in the file."""

    where: str
    values: dict[str, str]


def read_machines(data: bytes) -> tuple[list[MachineEntry], list[str]]:
    """The machines of those lines in which nothing is wrong, and the faults of the others. Raises ``FileFaults`` where
    there is nothing to go on with."""
    faults: list[str] = []
    text = _decoded(data)
    is_json = text.lstrip()[:1] in ("[", "{")
    records = list(_json_records(text, faults) if is_json else _table_records(text, faults))
    faults += _repeated(records)
    entries = [entry for record in records if (entry := _entry(record, faults))]
    if not faults and not entries:
        faults.append("There is no machine in it.")
    if not entries:
        raise FileFaults(faults)
    return list({entry.name: entry for entry in entries}.values()), faults


def _decoded(data: bytes) -> str:
    if len(data) > LARGEST_BYTES:
        raise FileFaults([f"It has {len(data):,} bytes: that is no list of machines."])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise FileFaults([f"line {line}: This is no UTF-8. {UTF8}"]) from None


# ---------------------------------------------------------------- tables


def _table_records(text: str, faults: list[str]) -> Iterator[_Record]:
    """Cells are parted by commas, semicolons or tabs, as the first line has them."""
    lines = list(_table_lines(text, faults))
    if not lines:
        return
    where, header = lines[0]
    columns = [_column(cell) for cell in header]
    wrong = [*_faults_of_columns(where, [column for column in columns if column])]
    if "name" not in columns:
        wrong.append(f"{where}: The column name is missing. The first line has the names of the columns.")
    faults += wrong
    if wrong:
        return
    for where, cells in lines[1:]:
        extra = [
            cell for column, cell in zip([*columns, *[""] * len(cells)], cells, strict=False) if not column
        ]
        if any(extra):
            faults.append(f"{where}: A cell has no column: '{next(filter(None, extra))}'.")
            continue
        values = {column: cell for column, cell in zip(columns, cells, strict=False) if column and cell}
        yield _Record(where, values)


def _table_lines(text: str, faults: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The cells of each line that has any, with where it begins: a cell in quotes may have several lines."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        where = f"line {reader.line_num + 1}"
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            faults.append(
                f"{where}: This line cannot be read ({error}). Look for a quote that is not closed."
            )
            return
        if any(cells):
            yield where, cells


def _column(text: str) -> str:
    """``Owner-Mail`` and ``owner mail`` are ``owner_mail``, and ``jobs`` is ``job``."""
    name = re.sub(r"[\s-]+", "_", text.strip().lower())
    return "job" if name == "jobs" else name


def _faults_of_columns(where: str, columns: list[str]) -> Iterator[str]:
    for column in dict.fromkeys(columns):
        if column not in COLUMNS:
            yield f"{where}: There is no column '{column}'. There are these: {', '.join(COLUMNS)}."
        elif columns.count(column) > 1:
            yield f"{where}: The column {column} is there twice."


# ---------------------------------------------------------------- JSON


def _json_records(text: str, faults: list[str]) -> Iterator[_Record]:
    try:
        machines = json.loads(text, object_pairs_hook=_Pairs, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        faults.append(f"line {error.lineno}: This is no JSON: {error.msg}.")
        return
    except RecursionError:
        faults.append("This JSON is nested too deeply.")
        return
    if not isinstance(machines, list):
        faults.append('The JSON is no list: write [{"name": "web-1"}, {"name": "web-2"}].')
        return
    for number, machine in enumerate(machines, start=1):
        where = f"entry {number}"
        if not isinstance(machine, _Pairs):
            faults.append(f"{where}: This is no object with a name.")
            continue
        fields = [(_column(name), _text(value)) for name, value in machine.pairs]
        unread = [name for name, value in fields if value is None]
        wrong = [*_faults_of_columns(where, [name for name, _ in fields])]
        wrong += [f"{where}: {name} is neither a text, a number nor yes or no." for name in unread]
        faults += wrong
        if not wrong:
            yield _Record(where, {name: value for name, value in fields if value})


@dataclasses.dataclass(frozen=True)
class _Pairs:
    """A JSON object with every field, those that are named twice too."""

    pairs: list[tuple[str, Any]]


def _text(value: Any) -> str | None:
    """As it would stand in a table; ``None`` for what cannot."""
    if value is None or isinstance(value, bool):
        return {None: "", True: "yes", False: "no"}[value]
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return " ".join(value)
    return value.strip() if isinstance(value, str) else None


# ---------------------------------------------------------------- values


def _name(text: str) -> str:
    if not is_identifier(text):
        raise ValueError(
            f"'{text}' is no name: 1 to 41 lower-case letters, digits and hyphens, not beginning with a hyphen."
        )
    return text


def _jobs(text: str) -> list[str]:
    return [_name(job) for job in re.split(r"[\s,]+", text.strip(" ,"))]


def _yes_or_no(text: str) -> bool:
    known = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if text.lower() not in known:
        raise ValueError(f"'{text}' is neither yes nor no.")
    return known[text.lower()]


def _at_least(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < least:
            raise ValueError(f"'{text}' is no whole number from {least}.")
        return int(text)

    return read


COLUMNS: Mapping[str, Callable[[str], Any]] = {
    "name": _name,
    "group": _name,
    "job": _jobs,
    "photos": _yes_or_no,
    "source_hint": str,
    "every": parse_duration,
    "grace": parse_duration,
    "owner_mail": parse_owner_mail,
    "storage": str,
    "after": parse_days,
    "thaw_budget": parse_usd,
    "keep_chains": _at_least(1),
    "keep_days": parse_kept_days,
    "keep_yearly": _at_least(0),
}
"""By column, how its text is read, with a sentence as ``ValueError``."""


def _field(column: str) -> str:
    """What the service calls it."""
    if column in TYPED_SETTINGS:
        return TYPED_SETTINGS[column].field
    return {"job": "jobs", "after": "storage_after_days"}.get(column, column)


def _entry(record: _Record, faults: list[str]) -> MachineEntry | None:
    """None where something is wrong with it, which ``faults`` has then."""
    arguments: dict[str, Any] = {}
    wrong = [] if "name" in record.values else [f"{record.where}: The name is missing."]
    for column, text in record.values.items():
        try:
            arguments[_field(column)] = COLUMNS[column](text)
        except ValueError as error:
            wrong.append(f"{record.where}: {column}: {error}")
    wrong = wrong or _faults_of_storage(record.where, arguments)
    faults += wrong
    return None if wrong else MachineEntry(record.where, arguments["name"], arguments)


def _faults_of_storage(where: str, arguments: Mapping[str, Any]) -> list[str]:
    storage, after = arguments.get("storage"), arguments.get("storage_after_days")
    if storage is None:
        return [] if after is None else [f"{where}: after goes with storage."]
    try:
        chosen_policy(storage, after)
    except ValueError as error:
        return [f"{where}: storage: {error}"]
    return []


def _repeated(records: list[_Record]) -> Iterator[str]:
    first: dict[str, str] = {}
    for record in records:
        name = record.values.get("name", "")
        if name in first:
            yield f"{record.where}: {name} is there already, in {first[name]}."
        elif is_identifier(name):
            first[name] = record.where
