"""``python -m ops machine add --from FILE``: many machines at once, all of them or none."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import click
from rich.table import Column, Table

from chalicelib.domain.mail.phrases import count
from chalicelib.domain.shown import shown
from chalicelib.fleet_wire import AddedOfMany, MachineResult, MachinesAdded
from ops.commands.arguments.aws_errors import AWS_ERRORS
from ops.commands.arguments.options import console, print_json, say, typed
from ops.commands.machines.codes import addresses_of
from ops.commands.machines.machine_file import FileFaults, MachineEntry, read_machines
from ops.errors import OpsError
from ops.service.admin_client import AdminClient, admin_client

AT_ONCE = 100
"""As many as the service takes in one call."""

OF_ALL_COMMANDS = {"stage", "state_folder", "as_json"}


def from_a_file(add: Callable[..., None]) -> Callable[..., None]:
    """``--from``, ``--to`` and ``--new-codes`` for the command that adds one machine."""

    @click.option(
        "--from",
        "source",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Add all machines of a file instead: CSV with the names of these options in its first line, or JSON.",
    )
    @click.option(
        "--to",
        "target",
        type=click.Path(dir_okay=False, path_type=Path),
        help="With --from: write the codes to this new file, as JSON that only you can read.",
    )
    @click.option(
        "--new-codes",
        is_flag=True,
        help="With --from: also for machines that are enrolled, or were revoked. Their tokens end when these are used.",
    )
    @functools.wraps(add)
    def add_one_or_many(
        name: str | None, source: Path | None, target: Path | None, new_codes: bool, **options: Any
    ) -> None:
        if source is None and (target or new_codes):
            raise click.UsageError("--to and --new-codes go with --from.")
        if target == Path("-"):
            raise click.UsageError("--to takes the name of a file: --json prints the codes.")
        if source is not None:
            _check_nothing_else_is_given(name)
            add_many(source, target, new_codes, **{key: options[key] for key in OF_ALL_COMMANDS})
        elif name is None:
            raise click.UsageError("Name the machine, or a file of machines with --from.")
        else:
            add(name=name, **options)

    return add_one_or_many


def _check_nothing_else_is_given(name: str | None) -> None:
    context = click.get_current_context()
    options = [
        parameter.opts[0]
        for parameter in context.command.params
        if context.get_parameter_source(str(parameter.name)) is click.core.ParameterSource.COMMANDLINE
        and parameter.name not in {*OF_ALL_COMMANDS, "name", "source", "target", "new_codes"}
    ]
    if name or options:
        what = ", ".join([*(["the name"] if name else []), *options])
        raise click.UsageError(f"With --from everything is in the file: leave out {what}.")


def add_many(
    source: Path, target: Path | None, new_codes: bool, *, stage: str, state_folder: Path, as_json: bool
) -> None:
    """Raises ``OpsError``; what was added until then is shown and written first, as nobody can show the codes again."""
    entries, faults = read_machines(source.read_bytes())
    if faults:
        # Those of the file are said where the service cannot be asked, too.
        with suppress(OpsError, *AWS_ERRORS):
            faults += _refused(admin_client(stage, state_folder), entries)
        raise FileFaults(faults)
    client = admin_client(stage, state_folder)
    addresses = addresses_of(stage, state_folder, client)
    if len(entries) > AT_ONCE and (refused := _refused(client, entries)):
        raise FileFaults(refused)
    with _opened(target) as file:
        rows: list[AddedOfMany] = []
        failed: list[MachineResult] = []
        try:
            for chunk in _chunks(entries):
                answer = _added(client, chunk, len(rows), new_codes)
                rows += answer.machines
                failed += answer.failed
                _write(file, rows, addresses)
        except OSError as error:
            where, target = target, None  # so that the codes are shown
            raise OpsError(f"{where} cannot be written: {error.strerror}. The codes are above.") from error
        finally:
            if rows and as_json:
                print_json(_as_fields(rows, addresses))
            elif rows:
                _show(rows, target, addresses, stage)
    if failed:
        raise OpsError("\n".join(["These failed:", *(f"{one.machine}: {one.error}" for one in failed)]))


def _refused(client: AdminClient, entries: Sequence[MachineEntry]) -> list[str]:
    """What the service refuses of them; nothing is written."""
    return [
        fault
        for chunk in _chunks(entries)
        for fault in _faults(chunk, _asked(client, chunk, only_check=True))
    ]


def _added(client: AdminClient, chunk: Sequence[MachineEntry], added: int, new_codes: bool) -> MachinesAdded:
    """Raises ``FileFaults`` with what the service refuses: nothing of the chunk was written then, which comes after so
    many that were ``added``."""
    answer = _asked(client, chunk, new_codes=new_codes)
    if answer.refused:
        raise FileFaults(_faults(chunk, answer), added)
    return answer


def _asked(client: AdminClient, chunk: Sequence[MachineEntry], **options: bool) -> MachinesAdded:
    machines = [dict(entry.arguments) for entry in chunk]
    return client.ask(MachinesAdded, "machines_add", machines=machines, **options)


def _faults(chunk: Sequence[MachineEntry], answer: MachinesAdded) -> list[str]:
    where = {entry.name: entry.where for entry in chunk}
    return [f"{where[one.machine]}: {one.machine}: {one.error}" for one in answer.refused]


def _chunks(entries: Sequence[MachineEntry]) -> Iterator[Sequence[MachineEntry]]:
    for first in range(0, len(entries), AT_ONCE):
        yield entries[first : first + AT_ONCE]


@contextmanager
def _opened(path: Path | None) -> Iterator[TextIO | None]:
    """A new file for the owner's eyes alone, which goes again where nothing was written. Raises ``OpsError``."""
    if path is None:
        yield None
        return
    try:
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
    except FileExistsError:
        raise OpsError(
            f"{path} is there already, and may have codes that nobody can show again: name another file."
        ) from None
    except OSError as error:
        raise OpsError(f"{path} cannot be written: {error.strerror}.") from None
    try:
        with file:
            yield file
    finally:
        if not path.stat().st_size:
            path.unlink()


def _write(file: TextIO | None, rows: Sequence[AddedOfMany], addresses: dict[str, str]) -> None:
    """Anew after each call: what comes later may fail."""
    if file and rows:
        file.seek(0)
        json.dump(_as_fields(rows, addresses), file, indent=2)
        file.flush()


def _as_fields(rows: Sequence[AddedOfMany], addresses: dict[str, str]) -> list[dict[str, Any]]:
    return [{**dataclasses.asdict(row), **addresses} for row in rows]


def _show(rows: Sequence[AddedOfMany], target: Path | None, addresses: dict[str, str], stage: str) -> None:
    if target:
        console.print(f"{count(len(rows), 'machine')}. Their codes are in {target}.", markup=False)
        say("Codes are secrets: only you can read the file. Delete it when the machines are enrolled.")
        return
    table = Table(Column("machine", overflow="fold"), Column("code, recovery code", no_wrap=True))
    for row in rows:
        codes = [row.code or f"{row.status}: no new code", *filter(None, [row.recovery_code])]
        table.add_row(shown(row.machine), "\n".join(codes))
    console.print(table)
    if any(row.code for row in rows):
        ends = max(str(row.code_expires_at) for row in rows if row.code)
        say(f"On each machine, before {ends}:")
        console.print(f"  panicroom enrol {addresses.get('api_url', 'URL')} CODE", markup=False)
    if any(row.recovery_code for row in rows):
        say("Put each recovery code on paper. It is shown now and once when its machine enrols, never again.")
    if any(row.code and not row.recovery_code for row in rows):
        again = typed("machine recovery NAME", stage)
        say(f"A recovery code that was shown before stays valid. Where one is lost, {again} makes another.")
    say("Codes are secrets. --to FILE writes them into a file that only you can read.")
